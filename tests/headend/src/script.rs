// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the auth services are going to do, request by request.

use std::collections::VecDeque;

use crate::behaviour::Auth;

/// The behaviours that are still to come; the last one stays. None of them is a sequence.
#[derive(Debug)]
pub(crate) struct Script(VecDeque<Auth>);

impl Script {
    pub(crate) fn new(auth: Auth) -> Self {
        let mut script = Self(VecDeque::new());
        script.append(auth);
        script
    }

    /// A sequence within a sequence is played where it stands.
    fn append(&mut self, auth: Auth) {
        match auth {
            Auth::Sequence(parts) => parts.into_iter().for_each(|part| self.append(part)),
            other => self.0.push_back(other),
        }
    }

    /// What the request gets that has just arrived.
    pub(crate) fn turn(&mut self) -> Auth {
        let auth = match self.0.len() {
            0 | 1 => self.0.front().cloned(),
            _ => self.0.pop_front(),
        };
        auth.unwrap_or_default()
    }

    /// Lets no later request hang.
    pub(crate) fn release(&mut self) {
        for auth in &mut self.0 {
            if *auth == Auth::Hang {
                *auth = Auth::Grant;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(auth: Auth) -> [Auth; 4] {
        let mut script = Script::new(auth);
        std::array::from_fn(|_| script.turn())
    }

    #[test]
    fn what_is_no_sequence_stays() {
        assert_eq!(turns(Auth::Hang), [const { Auth::Hang }; 4]);
    }

    #[test]
    fn last_of_a_sequence_stays() {
        let inner = Auth::Sequence(vec![Auth::GrantFor(2), Auth::GrantFor(3)]);
        assert_eq!(
            turns(Auth::Sequence(vec![Auth::GrantFor(1), inner])),
            [1, 2, 3, 3].map(Auth::GrantFor)
        );
    }

    #[test]
    fn sequence_of_nothing_grants() {
        assert_eq!(
            turns(Auth::Sequence(Vec::new())),
            [const { Auth::Grant }; 4]
        );
    }

    #[test]
    fn nothing_that_is_to_come_hangs_after_a_release() {
        let mut script = Script::new(Auth::Sequence(vec![Auth::CloseAtOnce, Auth::Hang]));
        script.release();
        assert_eq!(script.turn(), Auth::CloseAtOnce);
        assert_eq!(script.turn(), Auth::Grant);
    }
}
