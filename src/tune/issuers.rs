// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which session issued which token, where the stream says whom to ask and there may be several.

use crate::session::SessionHandle;

/// Tokens that are remembered. A presentation has one or two services, and tokens are renewed a few
/// times at most while a license request is under way.
const MAX_TOKENS: usize = 64;

#[derive(Default)]
pub struct Issuers(Vec<(u32, SessionHandle)>);

impl Issuers {
    /// That session issued the token of that generation.
    pub fn add(&mut self, generation: u32, session: &SessionHandle) {
        if self.find(generation).is_none() {
            if self.0.len() == MAX_TOKENS {
                self.0.remove(0);
            }
            self.0.push((generation, session.clone()));
        }
    }

    pub fn find(&self, generation: u32) -> Option<&SessionHandle> {
        let found = self.0.iter().find(|(known, _)| *known == generation);
        found.map(|(_, session)| session)
    }
}
