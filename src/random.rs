// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bytes that nobody can foresee.

use ring::rand::{SecureRandom, SystemRandom};
use uuid::{Builder, Uuid};

/// So many of them.
///
/// # Panics
///
/// Where the system has no source of randomness, which none is without.
pub fn bytes<const COUNT: usize>() -> [u8; COUNT] {
    try_bytes().expect("the system has a source of randomness")
}

/// As [`bytes`], `None` where the system has no such source.
pub fn try_bytes<const COUNT: usize>() -> Option<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A UUID that nobody else has (RFC 9562, 5.4).
///
/// # Panics
///
/// As [`bytes`].
pub fn uuid() -> Uuid {
    Builder::from_random_bytes(bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_differ_each_time() {
        assert_ne!(bytes::<16>(), bytes::<16>());
    }

    #[test]
    fn uuid_says_that_it_is_random() {
        assert_eq!(uuid().get_version_num(), 4);
    }
}
