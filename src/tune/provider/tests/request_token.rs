// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens of the application's handler of the signal `request-token`.

use super::*;

/// A tune whose handler is asked for the token.
fn asked(
    replies: impl IntoIterator<Item = Fetched>,
) -> (Element, Arc<Script>, Completer<Option<Secret>>) {
    let (mut element, script) = Element::at(replies);
    element.has_handler.store(true, Ordering::SeqCst);
    element.begin();
    let question = element.question().expect("it is asked");
    (element, script, question)
}

#[test]
fn handler_runs_once_per_tune_before_service() {
    on_paused_clock(async {
        let (mut element, script, question) = asked([granted("one", None)]);
        assert!(matches!(element.event("first"), Action::Hold(_)));
        assert!(element.question().is_none());
        question.complete(Some(Secret::from("mine")));
        assert_eq!(element.woken.0.load(Ordering::SeqCst), 1);
        let token = element.event("first").attachment().token;
        assert_eq!(token.text().expose(), "mine");
        assert_eq!(script.requests(), 0);
        // An answer that does not change is the same token.
        element.provider.end();
        element.begin();
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("mine")));
        let again = element.event("first").attachment().token;
        assert_eq!(again.generation(), token.generation());
    });
}

#[test]
fn handler_that_declines_leaves_it_to_the_service() {
    on_paused_clock(async {
        let (mut element, script, question) = asked([granted("one", None)]);
        question.complete(None);
        element.act(TokenProvider::on_app_answer);
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 1);
        assert!(matches!(element.event("first"), Action::Attach(_)));
    });
}

#[test]
fn handler_whose_token_was_rejected_is_asked_again() {
    on_paused_clock(async {
        let (mut element, _, question) = asked([]);
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        assert!(element.rejects(first.generation()));
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("another")));
        match element.act(TokenProvider::on_resend) {
            Action::Replay(_, attachment) => {
                assert_eq!(attachment.token.text().expose(), "another");
            }
            _ => panic!("the events go again"),
        }
    });
}

#[test]
fn token_refused_during_a_refresh_is_not_sent_again() {
    on_paused_clock(async {
        let (mut element, _, question) = asked([]);
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        element.act(|provider, call| provider.refresh(None, None, call));
        let question = element.question().expect("it is asked again");
        // It goes on until the answer comes, unless it is refused.
        assert!(matches!(element.event("second"), Action::Attach(_)));
        assert!(element.rejects(first.generation()));
        let action = element.act(TokenProvider::on_resend);
        assert!(matches!(action, Action::Hold(_)));
        question.complete(Some(Secret::from("another")));
        let again = element.act(TokenProvider::on_resend).attachment().token;
        assert_eq!(again.text().expose(), "another");
    });
}

#[test]
fn handler_repeating_rejected_token_fails_resend() {
    on_paused_clock(async {
        let (mut element, _, question) = asked([]);
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        element.rejects(first.generation());
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("mine")));
        assert!(matches!(
            element.act(TokenProvider::on_resend),
            Action::Hold(_)
        ));
        sleep(6 * SECOND).await;
        assert!(matches!(
            element.act(TokenProvider::on_resend),
            Action::Fail
        ));
    });
}

#[test]
fn handler_is_asked_for_a_token_that_a_logout_forgot() {
    on_paused_clock(async {
        let (mut element, _, question) = asked([]);
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        element.act(|provider, call| provider.clear(None, None, call.now));
        // A decryptor renews its license, and no event comes.
        let newer =
            element.act(|provider, call| provider.newer_than(first.generation(), 0, None, call));
        assert!(newer.is_pending());
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("another")));
        let newer = element.newer_than(first.generation());
        assert!(matches!(newer, Poll::Ready(Ok(_))));
    });
}

#[test]
fn handler_decline_after_rejection_uses_service() {
    on_paused_clock(async {
        let (session, script) = scripted([granted("one", None)]);
        let mut element = Element::with(Policy {
            prefetch: false,
            ..policy(Source::Service(session))
        });
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        assert!(matches!(element.event("first"), Action::Hold(_)));
        let question = element.question().expect("it is asked");
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        assert!(element.newer_than(first.generation()).is_pending());
        let question = element.question().expect("it is asked again");
        question.complete(None);
        assert!(element.newer_than(first.generation()).is_pending());
        sleep(2 * SECOND).await;
        assert!(matches!(
            element.newer_than(first.generation()),
            Poll::Ready(Ok(_))
        ));
        assert_eq!(script.requests(), 1);
    });
}
