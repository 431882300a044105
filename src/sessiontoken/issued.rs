// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tokens that a stream has had from several services, under numbers that rise.

use std::sync::Arc;

use crate::session::{Moment, Token};

use super::acquisition::Acquisition;

/// Tokens whose refusal can still be told to who gave them. What a decryptor has in hand is of one or two periods.
const MOST: usize = 16;

struct One {
    /// The generation that decryptors know it by.
    shown: u32,
    acquisition: Arc<Acquisition>,
    /// The one that its session knows it by.
    generation: u32,
}

/// The newest last.
#[derive(Default)]
pub struct Issued(Vec<One>);

impl Issued {
    /// The generation by which decryptors are to know that token of that service: the one from before where it was the last, and else the next
    /// one after all that were, and after `after`.
    pub fn number(&mut self, acquisition: &Arc<Acquisition>, generation: u32, after: u32) -> u32 {
        let last = self.0.last();
        if let Some(last) = last
            && last.generation == generation
            && Arc::ptr_eq(&last.acquisition.session, &acquisition.session)
        {
            return last.shown;
        }
        let shown = last.map_or(0, |last| last.shown).max(after) + 1;
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(One {
            shown,
            acquisition: acquisition.clone(),
            generation,
        });
        shown
    }

    /// The generation of the newest token of any of these services that is the one.
    pub fn generation_of(&self, is_it: impl Fn(&Token) -> bool, now: Moment) -> u32 {
        let newest = |one: &&One| {
            let token = one.acquisition.newest(now);
            token.is_some_and(|token| token.generation() == one.generation && is_it(&token))
        };
        self.0.iter().rev().find(newest).map_or(0, |one| one.shown)
    }

    /// Who gave the token of that generation, and what it is there.
    pub fn find(&self, shown: u32) -> Option<(Arc<Acquisition>, u32)> {
        let one = self.0.iter().find(|one| one.shown == shown)?;
        Some((one.acquisition.clone(), one.generation))
    }
}
