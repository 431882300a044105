// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a decryptor of somebody else's can rely on: every protection event brings what its key
//! request needs.

use std::collections::HashSet;

use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Protection, Setup};

const DASH_ORIGIN: &str = "dash/mpd";
const INIT_ORIGIN: &str = "isobmff/moov";

/// All of a protection event that must not change.
#[derive(Debug, PartialEq, Eq)]
struct Given {
    system: String,
    origin: Option<String>,
    init_data: Vec<u8>,
    seqnum: gst::Seqnum,
    running_time_offset: i64,
}

impl Given {
    fn of(seen: &Protection) -> Self {
        let event = seen.event();
        let (system, init_data, origin) = event.get();
        Self {
            system: system.to_owned(),
            origin: origin.map(str::to_owned),
            init_data: init_data.map_readable().expect("readable").to_vec(),
            seqnum: event.seqnum(),
            running_time_offset: event.running_time_offset(),
        }
    }
}

fn of_stream<'a>(stream: &str, all: &'a [Protection]) -> Vec<&'a Protection> {
    all.iter().filter(|seen| seen.stream == stream).collect()
}

in_every_player! {
    fn protection_events_arrive_in_order_with_token(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = Setup::new(player, &operator).play();
        ended.assert_well();
        let token = operator.token();
        harness.seen(|seen| {
            assert_eq!(seen.protected_streams(), 2);
            let streams: HashSet<_> = seen.came.iter().map(|came| came.stream.as_str()).collect();
            for stream in streams {
                let came: Vec<_> = of_stream(stream, &seen.came).into_iter().map(Given::of).collect();
                let reached: Vec<_> = of_stream(stream, &seen.reached).into_iter().map(Given::of).collect();
                assert_eq!(reached, came);
                for origin in [DASH_ORIGIN, INIT_ORIGIN] {
                    assert!(
                        came.iter().any(|given| given.origin.as_deref() == Some(origin)),
                        "no event of origin {origin}"
                    );
                }
            }
            for came in &seen.came {
                assert_eq!(came.key_request(), None, "the event of others was changed");
            }
            let mut generations = std::collections::BTreeSet::new();
            for reached in &seen.reached {
                let request = reached.key_request().expect("a key request");
                assert_eq!(request.name(), "drm-key-request");
                assert_eq!(request.get("session-token"), Ok(token.as_str()));
                generations.insert(request.get::<u32>("generation").expect("a number"));
                assert_eq!(request.get("flow"), Ok("dash"));
                let headers = request.get::<gst::Structure>("http-headers").expect("headers");
                assert_eq!(
                    headers.get("Authorization"),
                    Ok(format!("Bearer {token}"))
                );
                assert!(request.get::<gst::DateTime>("expires-at").is_ok());
            }
            assert_eq!(generations.len(), 1, "one token");
        });
        operator.assert_asked(1, 1);
    }
}
