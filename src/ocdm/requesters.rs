// SPDX-License-Identifier: MIT OR Apache-2.0

//! The streams that have a session, with what each brings for license requests: whichever is still
//! there can ask.

use std::sync::atomic::{AtomicU64, Ordering};

use super::requester::Requester;
use crate::license::KeyRequest;

/// Names one stream's part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member(u64);

#[derive(Default)]
pub struct Requesters(Vec<(Member, Requester)>);

impl Requesters {
    pub fn join(&mut self, requester: Requester) -> Member {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let member = Member(NEXT.fetch_add(1, Ordering::Relaxed));
        self.0.push((member, requester));
        member
    }

    pub fn leave(&mut self, member: Member) {
        self.0.retain(|(one, _)| *one != member);
    }

    /// The one that came last.
    pub fn newest(&self) -> Option<(Member, Requester)> {
        self.0.last().cloned()
    }

    /// Whether nobody can ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody else can ask, where that one has left.
    pub fn has_another(&self, than: Member) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(one, _)| *one != than)
    }

    /// That one goes on with another token.
    pub fn set_request(&mut self, member: Member, request: KeyRequest) {
        if let Some((_, requester)) = self.0.iter_mut().find(|(one, _)| *one == member) {
            requester.request = request;
        }
    }
}
