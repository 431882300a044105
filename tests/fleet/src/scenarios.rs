// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens to the boxes.

use std::ops::Range;
use std::time::Duration;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// What happens to the boxes.
pub struct Scenario {
    pub name: &'static str,
    pub what: &'static str,
    /// When boxes begin to watch.
    pub tunes: Range<Duration>,
    /// How long a token is good for.
    pub lifetime: Duration,
    /// When the service is away.
    pub outage: Option<Range<Duration>>,
    /// When the license server takes no token any more that was granted before, and within which
    /// time the boxes ask it for a license.
    pub revocation: Option<Range<Duration>>,
    /// How much the boxes' clocks are wrong, half of them one way and half the other. Then tokens
    /// name the time of their end.
    pub clock_error: Duration,
    /// Between channel changes of a viewer, on average.
    pub zap: Duration,
    /// From when on requests count, and how long all of it takes.
    pub counted: Range<Duration>,
}

const USUAL: Scenario = Scenario {
    name: "",
    what: "",
    // As long as a token is used, so that renewals come evenly.
    tunes: Duration::ZERO..minutes(49),
    lifetime: minutes(60),
    outage: None,
    revocation: None,
    clock_error: Duration::ZERO,
    zap: minutes(10),
    counted: minutes(120)..minutes(150),
};

/// All of them.
pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "match",
        what: "everybody tunes within a minute",
        tunes: Duration::ZERO..minutes(1),
        counted: Duration::ZERO..minutes(30),
        ..USUAL
    },
    Scenario {
        name: "outage",
        what: "the service is away for five minutes, and comes back",
        outage: Some(minutes(120)..minutes(125)),
        counted: minutes(125)..minutes(150),
        ..USUAL
    },
    Scenario {
        name: "revocation",
        what: "all tokens are revoked, and each box asks for a license within a minute",
        revocation: Some(minutes(120)..minutes(121)),
        ..USUAL
    },
    Scenario {
        name: "clocks",
        what: "clocks are an hour off, half of them fast",
        clock_error: minutes(60),
        ..USUAL
    },
    Scenario {
        name: "power",
        what: "everybody comes back within two minutes after a power cut",
        tunes: Duration::ZERO..minutes(2),
        counted: minutes(30)..minutes(150),
        ..USUAL
    },
];
