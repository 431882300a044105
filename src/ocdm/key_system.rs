// SPDX-License-Identifier: MIT OR Apache-2.0

//! Protection systems, and what OpenCDM calls them.

use crate::cenc::playready::PLAYREADY_SYSTEM;
use crate::cenc::{CLEARKEY_SYSTEM, COMMON_SYSTEM, WIDEVINE_SYSTEM, is_clearkey};

pub const NAGRA_SYSTEM: &str = "adb41c24-2dbf-4a6d-958b-4457c0d27b95";

/// The systems whose caps a decryptor over OpenCDM takes, by DASH-IF's registry.
pub const SYSTEMS: [&str; 5] = [
    WIDEVINE_SYSTEM,
    PLAYREADY_SYSTEM,
    NAGRA_SYSTEM,
    COMMON_SYSTEM,
    CLEARKEY_SYSTEM,
];

/// What is special about a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Widevine,
    PlayReady,
    /// Init data lists key ids and nothing else.
    ClearKey,
    Other,
}

impl Family {
    pub fn of(system: &str) -> Self {
        if system.eq_ignore_ascii_case(WIDEVINE_SYSTEM) {
            Family::Widevine
        } else if system.eq_ignore_ascii_case(PLAYREADY_SYSTEM) {
            Family::PlayReady
        } else if is_clearkey(system) {
            Family::ClearKey
        } else {
            Family::Other
        }
    }

    /// The media type of a challenge.
    pub fn content_type(self) -> &'static str {
        match self {
            Family::PlayReady => "text/xml; charset=utf-8",
            Family::ClearKey => "application/json",
            Family::Widevine | Family::Other => "application/octet-stream",
        }
    }
}

/// Whether a decryptor for the one takes what the other's protection events bring.
pub fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (is_clearkey(one) && is_clearkey(other))
}

/// OpenCDM's name of a protection system, where it is known.
pub fn key_system(system: &str) -> Option<&'static str> {
    match Family::of(system) {
        Family::Widevine => Some("com.widevine.alpha"),
        Family::PlayReady => Some("com.microsoft.playready"),
        Family::ClearKey => Some("org.w3.clearkey"),
        Family::Other if system.eq_ignore_ascii_case(NAGRA_SYSTEM) => Some("com.nagra.connect"),
        Family::Other => None,
    }
}

/// The protection system that OpenCDM calls so, where it is known. Names have suffixes
/// (`com.microsoft.playready.recommendation`).
pub fn protection_system(key_system: &str) -> Option<&'static str> {
    let named = SYSTEMS
        .into_iter()
        .find(|system| self::key_system(system).is_some_and(|name| key_system.starts_with(name)));
    let nagra = key_system.starts_with("com.nagra.").then_some(NAGRA_SYSTEM);
    named.or(nagra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_have_their_names() {
        for system in SYSTEMS {
            let upper = system.to_ascii_uppercase();
            assert_eq!(key_system(&upper), key_system(system));
            assert!(key_system(system).is_some(), "{system}");
        }
        for (name, system) in [
            ("com.widevine.alpha", Some(WIDEVINE_SYSTEM)),
            (
                "com.microsoft.playready.recommendation",
                Some(PLAYREADY_SYSTEM),
            ),
            ("com.nagra.prm", Some(NAGRA_SYSTEM)),
            ("org.w3.clearkey", Some(COMMON_SYSTEM)),
            ("com.example", None),
        ] {
            assert_eq!(protection_system(name), system, "{name}");
        }
        assert_eq!(key_system("00000000-0000-0000-0000-000000000000"), None);
        assert!(is_same(COMMON_SYSTEM, CLEARKEY_SYSTEM));
        assert!(!is_same(COMMON_SYSTEM, WIDEVINE_SYSTEM));
    }
}
