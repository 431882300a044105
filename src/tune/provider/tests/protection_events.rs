// SPDX-License-Identifier: MIT OR Apache-2.0

//! When a protection event goes, and with what: a token, and the flow that it is from.

use super::*;

#[test]
fn event_waits_for_the_first_token_and_takes_it_along() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let Action::Hold(until) = element.event("first") else {
            panic!("there is no token yet");
        };
        assert!(until > now().steady + 5 * SECOND);
        sleep(2 * SECOND).await;
        assert_eq!(element.woken.0.load(Ordering::SeqCst), 1);
        let attachment = element.event("first").attachment();
        assert_eq!(attachment.token.text().expose(), "one");
        assert_eq!(attachment.flow, Flow::Dash);
        assert_eq!(attachment.key_ids, None);
        assert_eq!(script.requests(), 1);
        assert_eq!(element.told(), ["acquired from script"]);
    });
}

#[test]
fn second_event_goes_at_once_and_is_told_of_no_more() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        element.token("first").await;
        element.told();
        assert!(matches!(element.event("second"), Action::Attach(_)));
        assert_eq!(element.told(), [""; 0]);
        assert_eq!(element.provider.stats().events, 2);
    });
}

#[test]
fn prefetch_asks_before_there_is_an_event() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 1);
        assert!(matches!(element.event("first"), Action::Attach(_)));
        let stats = element.provider.stats();
        assert_eq!(stats.waited, Duration::ZERO);
        let report = stats.report.expect("it was told");
        assert_eq!((report.overlap, report.cached), (SECOND, false));
    });
}

#[test]
fn without_prefetch_the_first_event_asks() {
    on_paused_clock(async {
        let (session, script) = scripted([granted("one", None)]);
        let mut element = Element::with(Policy {
            prefetch: false,
            ..policy(Source::Service(session))
        });
        element.begin();
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 0);
        element.token("first").await;
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn next_tune_has_the_token_at_hand() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.told();
        element.provider.end();
        element.begin();
        let again = element.event("first").attachment().token;
        assert_eq!(again.generation(), first.generation());
        assert_eq!(element.told(), ["acquired from script, cached"]);
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn events_of_other_systems_pass() {
    on_paused_clock(async {
        let (session, _) = scripted([]);
        let mut element = Element::with(Policy {
            systems: vec![uuid::Uuid::from_u128(1)],
            prefetch: false,
            ..policy(Source::Service(session))
        });
        element.begin();
        assert!(matches!(element.event("other"), Action::Pass));
        let ours = "00000000-0000-0000-0000-000000000001";
        let action = element.event_from("ours", ours, MPD);
        assert!(matches!(action, Action::Hold(_)));
    });
}

#[test]
fn event_with_a_key_request_passes_and_is_anothers() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        let action = element.act(|provider, call| {
            let protection = Protection {
                event: &"theirs",
                id: 1,
                system: COMMON_SYSTEM,
                origin: MPD,
                flow_of_elements: &|| Flow::Unknown,
                after_data: false,
            };
            provider.on_protection(&protection, true, call)
        });
        assert!(matches!(action, Action::Pass));
        assert!(element.provider.is_anothers());
        // Nor is a report of a rejection ours.
        assert!(!element.rejects(1));
    });
}

#[test]
fn flow_comes_from_earlier_event_or_hierarchy() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        element.token("first").await;
        let flow = |action: Action<Event>| action.attachment().flow;
        assert_eq!(
            flow(element.event_from("a", COMMON_SYSTEM, MOOV)),
            Flow::Dash
        );
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        sleep(2 * SECOND).await;
        let unknown = element.event_from("b", COMMON_SYSTEM, MOOV);
        assert_eq!(flow(unknown), Flow::SmoothStreaming);
        let hls = element.event_from("c", COMMON_SYSTEM, Some("hls/m3u8"));
        assert_eq!(flow(hls), Flow::Hls);
        assert_eq!(
            flow(element.event_from("d", COMMON_SYSTEM, MOOF)),
            Flow::Hls
        );
    });
}
