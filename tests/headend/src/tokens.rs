// SPDX-License-Identifier: MIT OR Apache-2.0

//! Session tokens, and whether one is still good.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The tokens of one head-end: one at a time, replaced by revoking it.
#[derive(Debug)]
pub(crate) struct Tokens {
    instance: String,
    generation: u32,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        // The standard library seeds its hash maps from the system's randomness. That is random
        // enough to tell one head-end's tokens from another's, and spares a dependency.
        let random = || RandomState::new().build_hasher().finish();
        Self {
            instance: format!("{:016x}{:016x}", random(), random()),
            generation: 1,
        }
    }

    /// What no other head-end's tokens have.
    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// The one token that is good now.
    pub(crate) fn current(&self) -> String {
        // The generation has a fixed width lest an old token be found inside a newer one.
        format!("headend-session-{}-{:04}", self.instance, self.generation)
    }

    /// Makes the current token a bad one, and another one current.
    pub(crate) fn revoke(&mut self) {
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_by_head_end_and_by_generation() {
        let mut one = Tokens::new();
        let other = Tokens::new();
        assert_ne!(one.current(), other.current());

        let first = one.current();
        assert_eq!(first, one.current());
        one.revoke();
        assert_ne!(first, one.current());
    }
}
