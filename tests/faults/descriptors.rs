// SPDX-License-Identifier: MIT OR Apache-2.0

//! The process has all the file descriptors that it may have, as a player has that leaks some. What
//! we cannot do then is said, and once there are some again it is done.

use std::fmt::Debug;
use std::process;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use gst::glib::error::ErrorDomain;
use gst::prelude::*;
use headend::{Auth, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::*;
use support::stream::*;

use crate::machine::{Exhausted, SERVICE};
use crate::subprocess::{Order, beside_a_headend};
use crate::tokens::*;

/// What the application is told that looks for the reason.
const REASON: &str = "oo many open files";

const ORDERS: [Order; 10] = [
    ("hang", |outside| outside.headend.set_auth(Auth::Hang)),
    ("grant", |outside| {
        outside.headend.set_auth(Auth::Grant);
        outside.headend.release();
    }),
    ("be busy", |outside| {
        let busy = Auth::ReplyWithHeaders {
            status: 503,
            headers: vec![("Retry-After".to_owned(), "2".to_owned())],
            body: String::new(),
        };
        outside
            .headend
            .set_auth(Auth::Sequence(vec![busy, Auth::Grant]));
    }),
    ("wait for request", |outside| {
        wait_for_requests(&outside.headend, 1)
    }),
    ("wait for answer", |outside| {
        let answered = outside.headend.wait_for(PATIENCE, |record| {
            let mut requests = record.token_requests();
            requests.any(|request| request.status == Some(503))
        });
        assert!(answered, "the service was never asked");
    }),
    ("wait for a playlist to be asked for", |outside| {
        let asked = outside.headend.wait_for(PATIENCE, |record| {
            let mut requests = record.media_requests();
            requests.any(|request| request.path.ends_with("media.m3u8"))
        });
        assert!(asked, "no playlist was asked for");
    }),
    ("drop listeners", |outside| outside.headend.drop_listeners()),
    ("revoke", |outside| outside.headend.revoke()),
    ("wait for listener", |outside| {
        wait_for_listeners(&outside.headend, 1);
    }),
    ("wait for another listener", |outside| {
        wait_for_listeners(&outside.headend, 2);
    }),
];

fn is_about_descriptors<E>(complaint: &Complaint, code: E)
where
    E: ErrorDomain + PartialEq + Debug,
{
    complaint.is(code).says(&[REASON]);
    assert_eq!(complaint.detail::<String>("reason"), "transient");
}

/// A tune fails, and says why, while there are none; a later one plays.
fn fails_for_want_of_descriptors<E>(
    make: impl Fn() -> gst::element_factory::ElementBuilder<'static>,
    code: E,
) where
    E: ErrorDomain + PartialEq + Debug,
{
    let rig = Rig::new(make().property("max-held-bytes", 1_u64));
    let exhausted = Exhausted::new();
    let complaint = failure_on(&rig);
    drop(exhausted);
    is_about_descriptors(&complaint, code);
    tunes_in_the_end(make, REASON);
}

/// The very first tune starts the runtime, which needs some itself. A player would be without
/// tokens until it is started anew.
#[test]
fn first_tune_without_fds_fails_and_later_one_plays() {
    beside_a_headend(&ORDERS, |inside| {
        let make = || at(&inside.auth_url).property("prefetch", false);
        fails_for_want_of_descriptors(make, gst::CoreError::Thread);
    });
}

/// The error would send the operator to a service that runs.
#[test]
fn connection_without_fd_fails_and_later_one_works() {
    beside_a_headend(&ORDERS, |inside| {
        for host in ["127.0.0.1", SERVICE] {
            let location = inside.auth_url.replace("127.0.0.1", host);
            let at = |location: &str| at(location).property("allow-cleartext", true);
            // The runtime and the client are here.
            begin(&playing(at(&format!("{location}?first"))));
            let make = || at(&location).property("prefetch", false);
            fails_for_want_of_descriptors(make, gst::ResourceError::OpenRead);
        }
    });
}

/// The roots cannot be read, and a client without any would refuse every server for as long as the
/// player runs.
#[test]
fn root_store_load_without_fd_is_repeated_later() {
    beside_a_headend(&ORDERS, |inside| {
        // The runtime is here.
        begin(&playing(at(&inside.auth_url)));
        let location = format!("https://{}/", nobody().replace("127.0.0.1", "localhost"));
        let make = || {
            at(&location)
                .property("prefetch", false)
                .property("retries", 0_u32)
        };
        let rig = Rig::new(make().property("max-held-bytes", 1_u64));
        let exhausted = Exhausted::new();
        let complaint = failure_on(&rig);
        drop(exhausted);
        is_about_descriptors(&complaint, gst::ResourceError::OpenRead);
        let begun = Instant::now();
        loop {
            // Nobody is there, but that is found out by asking.
            let complaint = failure_of(make());
            if complaint.text.contains("service runs") {
                break;
            }
            is_about_descriptors(&complaint, gst::ResourceError::OpenRead);
            assert!(begun.elapsed() < PATIENCE, "{complaint:?}");
        }
    });
}

/// What the log says of each attempt to listen that failed.
fn attempts_to_listen() -> Receiver<String> {
    let (failed, attempts) = mpsc::channel();
    gst::log::remove_default_log_function();
    gst::log::set_threshold_from_string("sessiontoken:DEBUG", true);
    gst::log::add_log_function(move |_, _, _, _, _, _, message| {
        let message = message.get().unwrap_or_default();
        if message.contains("does not tell of changes") {
            // The test may have heard enough.
            let _ = failed.send(message.to_string());
        }
    });
    attempts
}

/// The changes that Thunder tells would not be heard any more.
#[test]
fn websocket_without_fd_reopens_and_misses_no_change() {
    beside_a_headend(&ORDERS, |inside| {
        let rig = playing(listening_at(&inside.thunder_url));
        begin(&rig);
        inside.order("wait for listener");
        let attempts = attempts_to_listen();
        let mut exhausted = Exhausted::beside_connections();
        inside.order("drop listeners");
        exhausted.take_one_more();
        let mut attempts = attempts.iter();
        assert!(attempts.any(|failure| failure.contains(REASON)));
        inside.order("revoke");
        assert_eq!(generation(&rig), 1);
        drop(exhausted);
        inside.order("wait for another listener");
        wait_for_generation(&rig, 2);
        assert!(rig.told().errors.is_empty());
    });
}

/// The token at hand would be of no use, for a license that can be had a moment later.
#[test]
fn license_request_without_fd_fails_later_one_works() {
    beside_a_headend(&ORDERS, |inside| {
        // The runtime is here, and the token.
        let tuned = playing(at(&inside.auth_url));
        begin(&tuned);
        let token = store(&tuned).property::<String>("session-token");
        let ready = || {
            let decryptor = make("clearkeydec")
                .property("license-url", &inside.license_url)
                .property("timeout", NO_HURRY);
            started(decryptor)
        };
        let authorize = |rig: &Rig| {
            let headers = [("Authorization", &*format!("Bearer {token}"))];
            rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
        };
        let rig = ready();
        let exhausted = Exhausted::new();
        // The license is asked for when the key is named.
        authorize(&rig);
        let complaint = complaint_after(&rig, picture());
        drop(exhausted);
        is_about_descriptors(&complaint, gst::ResourceError::OpenRead);
        let mut rig = ready();
        authorize(&rig);
        plays_when_the_key_is_here(&mut rig);
    });
}

/// A request that has its connection needs no more. The stream would get an error for a token that
/// is on its way.
#[test]
fn pending_request_completes_without_free_fd() {
    beside_a_headend(&ORDERS, |inside| {
        inside.order("hang");
        let rig = playing(at(&inside.auth_url));
        let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
        rig.send(std::slice::from_ref(&event));
        inside.order("wait for request");
        let exhausted = Exhausted::beside_connections();
        inside.order("grant");
        rig.log.wait_for(event.item());
        assert_eq!(generation(&rig), 1);
        drop(exhausted);
        assert!(rig.told().errors.is_empty());
    });
}

/// The viewer would see the service's trouble, which may be over, and not the player's own.
#[test]
fn retry_without_a_descriptor_says_so() {
    beside_a_headend(&ORDERS, |inside| {
        inside.order("be busy");
        let make = || at(&inside.auth_url).property("retries", 1_u32);
        let rig = Rig::new(make().property("max-held-bytes", 1_u64));
        inside.order("wait for answer");
        let exhausted = Exhausted::new();
        let complaint = failure_on(&rig);
        drop(exhausted);
        is_about_descriptors(&complaint, gst::ResourceError::OpenRead);
        assert_eq!(complaint.detail::<u32>("attempts"), 2);
        tunes_in_the_end(make, REASON);
    });
}

/// A renewal that cannot be made would take the token away that is still good.
#[test]
fn renewal_without_fd_keeps_token_and_later_succeeds() {
    beside_a_headend(&ORDERS, |inside| {
        let rig = playing(at(&inside.auth_url));
        begin(&rig);
        let exhausted = Exhausted::new();
        for _ in 0..3 {
            rig.element.emit_by_name::<()>("refresh-token", &[]);
            assert_eq!(generation(&rig), 1);
        }
        drop(exhausted);
        let begun = Instant::now();
        while generation(&rig) == 1 {
            rig.element.emit_by_name::<()>("refresh-token", &[]);
            assert!(begun.elapsed() < PATIENCE, "it is never renewed");
        }
        assert!(rig.told().errors.is_empty());
    });
}

/// The error would send the operator to a file that is there.
#[test]
fn token_file_without_fd_fails_and_is_read_later() {
    beside_a_headend(&ORDERS, |inside| {
        let file = File::new("TOKEN");
        let make = || at(&inside.auth_url).property("session-token-file", file.path());
        let (element, bus) = with_bus(make().property("max-held-bytes", 1_u64));
        let exhausted = Exhausted::new();
        let rig = Rig::around(element, bus);
        drop(exhausted);
        failure_on(&rig).says(&["session-token-file", REASON]);
        let rig = playing(make());
        begin(&rig);
        let request = key_request(&rig.log.protections()[0]);
        assert_eq!(request.get("session-token"), Ok("TOKEN"));
    });
}

/// The player could not even go to another channel.
#[test]
fn player_without_descriptors_stops() {
    beside_a_headend(&ORDERS, |inside| {
        inside.order("hang");
        let rig = playing(at(&inside.auth_url));
        rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
        inside.order("wait for request");
        let exhausted = Exhausted::beside_connections();
        rig.set_state(gst::State::Null);
        drop(exhausted);
        assert_eq!(rig.log.protections().len(), 0);
        assert!(rig.told().errors.is_empty());
    });
}

/// A line with `hlsdrmdemux` that gets a playlist from that URL, and its bus.
fn hls(url: &str) -> (gst::Pipeline, gst::Element) {
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("appsrc")
        .property("caps", gst::Caps::new_empty_simple("application/x-hls"))
        .build()
        .expect("appsrc");
    let demuxer = make("hlsdrmdemux").build().expect("an element");
    pipeline
        .add_many([&source, &demuxer])
        .expect("they are new");
    source.link(&demuxer).expect("they fit");
    let url = url.to_owned();
    let pad = source.static_pad("src").expect("a source pad");
    pad.add_probe(gst::PadProbeType::QUERY_UPSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Query(query)) = &mut info.data
            && let gst::QueryViewMut::Uri(uri) = query.view_mut()
        {
            uri.set_uri(url.as_str());
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
    (pipeline, source)
}

const PLAYLIST: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmedia.m3u8\n";

/// Hands the playlist over, and gives back the error that the application is told.
fn hls_error(url: &str, exhaust: bool) -> Complaint {
    let (pipeline, source) = hls(url);
    let bus = pipeline.bus().expect("a pipeline has one");
    pipeline.set_state(gst::State::Paused).expect("it begins");
    let exhausted = exhaust.then(Exhausted::beside_connections);
    let playlist = gst::Buffer::from_slice(PLAYLIST);
    let pushed = source.emit_by_name::<gst::FlowReturn>("push-buffer", &[&playlist]);
    assert_eq!(pushed, gst::FlowReturn::Ok);
    let ended = source.emit_by_name::<gst::FlowReturn>("end-of-stream", &[]);
    assert_eq!(ended, gst::FlowReturn::Ok);
    let error = message(&bus, gst::MessageType::Error);
    drop(exhausted);
    // GStreamer 1.22 crashes where a demuxer is stopped in the middle of a download.
    std::mem::forget(pipeline);
    Complaint::of(&error)
}

/// The player would hang without a word, or the demuxer say that the playlist is bad.
#[test]
fn playlist_server_without_fd_fails_and_later_starts() {
    beside_a_headend(&ORDERS, |inside| {
        // The runtime is here.
        begin(&playing(at(&inside.auth_url)));
        let url = inside
            .auth_url
            .replace("/authService/getSessionToken", "/hls/nothing.m3u8");
        let complaint = hls_error(&url, true);
        is_about_descriptors(&complaint, gst::ResourceError::OpenRead);
        // The origin has no such playlist, but that is found out by asking.
        let complaint = hls_error(&url, false);
        assert!(!complaint.text.contains(REASON), "{complaint:?}");
        inside.order("wait for a playlist to be asked for");
        // Nor may what still runs there be taken down.
        process::exit(0);
    });
}
