// SPDX-License-Identifier: MIT OR Apache-2.0

//! Schedules of a session's task, of who asks, rejects, clears and listens, and of its end: nobody
//! waits for ever, there is one request at a time, and no token comes back that is gone.

mod world;

use std::time::Duration;

use model::{check, clock};
use world::{World, number};

const TEN_MINUTES: Duration = Duration::from_secs(600);

#[test]
fn streams_of_a_tune_share_one_request() {
    check(|| {
        let world = World::new();
        let others = [(); 2].map(|()| world.beside(|world| world.token().expect("a token")));
        let token = world.token().expect("a token");
        for other in others {
            let theirs = other.join().expect("it ends");
            assert_eq!(theirs.generation(), token.generation());
        }
        assert_eq!(world.service.asked(), 1);
        world.end();
    });
}

/// The task may be about to stop while somebody asks again.
#[test]
fn who_asks_while_the_task_stops_is_answered() {
    check(|| {
        let world = World::new();
        for count in 1..=3 {
            let token = world.token().expect("a token");
            assert_eq!(number(&token), count);
            world.handle.session().clear();
        }
        world.end();
    });
}

#[test]
fn who_asks_while_the_task_waits_is_answered() {
    check(|| {
        let world = World::new();
        let fresh = world.handle.keep_fresh(None);
        let mut generation = world.token().expect("a token").generation();
        for count in 2..=3 {
            let token = world.token_after(generation).expect("another token");
            assert_eq!(number(&token), count);
            generation = token.generation();
        }
        world.service.wait_for_listening(true);
        assert_eq!(world.service.began_listening(), 1);
        drop(fresh);
        world.end();
    });
}

#[test]
fn logout_ends_the_request() {
    check(|| {
        let world = World::without_answers();
        world.handle.refresh();
        let clears = world.beside(|world| world.handle.session().clear());
        clears.join().expect("it ends");
        world.service.wait_for_end_of_requests();
        world.end();
    });
}

#[test]
fn nobody_has_a_token_of_before_a_logout() {
    check(|| {
        let world = World::new();
        let asks = world.beside(|world| world.token().expect("a token"));
        let clears = world.beside(|world| {
            let before = world.service.asked();
            world.handle.session().clear();
            let newest = world.handle.newest();
            assert!(newest.is_none_or(|token| number(&token) > before));
            before
        });
        let before = clears.join().expect("it ends");
        asks.join().expect("it ends");
        let token = world.token().expect("a token");
        assert!(number(&token) > before);
        world.end();
    });
}

#[test]
fn token_that_two_reject_is_replaced_once() {
    check(|| {
        let world = World::new();
        let rejected = world.token().expect("a token").generation();
        let reject = move |world: &World| world.token_after(rejected).expect("another token");
        let other = world.beside(reject);
        let token = reject(&world);
        let theirs = other.join().expect("it ends");
        assert_eq!(theirs.generation(), token.generation());
        assert!(token.generation() > rejected);
        assert_eq!(world.service.asked(), 2);
        world.end();
    });
}

/// A token that was on its way when the one before was rejected is new enough.
#[test]
fn rejection_beside_a_refresh_gives_a_newer_token() {
    check(|| {
        let world = World::new();
        let rejected = world.token().expect("a token").generation();
        let refreshes = world.beside(|world| world.handle.refresh());
        let token = world.token_after(rejected).expect("another token");
        assert!(token.generation() > rejected);
        refreshes.join().expect("it ends");
        assert!(world.token().expect("a token").generation() > rejected);
        world.end();
    });
}

#[test]
fn rejection_beside_a_logout_gives_a_newer_token() {
    check(|| {
        let world = World::new();
        let rejected = world.token().expect("a token").generation();
        let clears = world.beside(|world| world.handle.session().clear());
        let token = world.token_after(rejected).expect("another token");
        assert!(token.generation() > rejected);
        clears.join().expect("it ends");
        assert!(world.token().expect("a token").generation() > rejected);
        world.end();
    });
}

/// Whatever is on its way when the service tells of another token, one is asked for after that.
#[test]
fn change_is_never_missed() {
    check(|| {
        let world = World::new();
        let fresh = world.handle.keep_fresh(None);
        world.token().expect("a token");
        world.service.wait_for_listening(true);
        let tells = world.beside(|world| {
            world.service.tell_of_change();
            world.service.tell_of_change()
        });
        let refreshes = world.beside(|world| world.handle.refresh());
        let before = tells.join().expect("it ends");
        refreshes.join().expect("it ends");
        // Longer than the service is left alone after a request for that reason.
        clock::advance(TEN_MINUTES);
        world.service.wait_for_requests(before + 1);
        drop(fresh);
        world.end();
    });
}

/// The next user may come before the last one has gone, or after.
#[test]
fn last_user_takes_the_listening_along() {
    check(|| {
        let world = World::new();
        let fresh = world.handle.keep_fresh(None);
        world.token().expect("a token");
        let next = world.beside(|world| {
            let fresh = world.handle.keep_fresh(None);
            world.service.wait_for_listening(true);
            drop(fresh);
        });
        drop(fresh);
        next.join().expect("it ends");
        world.service.wait_for_listening(false);
        world.end();
    });
}

#[test]
fn session_that_is_let_go_takes_its_request_along() {
    check(|| {
        let world = World::without_answers();
        let asks = world.beside(|world| world.handle.refresh());
        asks.join().expect("it ends");
        world.end();
    });
}

#[test]
fn session_without_a_runtime_says_so_to_all() {
    check(|| {
        let world = World::without_runtime();
        let other = world.beside(|world| world.token().map(|token| token.generation()));
        let failure = world.token().expect_err("no token");
        assert_eq!(failure.what, "no thread");
        assert!(other.join().expect("it ends").is_err());
        world.end();
    });
}
