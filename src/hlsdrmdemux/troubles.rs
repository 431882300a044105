// SPDX-License-Identifier: MIT OR Apache-2.0

//! What goes wrong in the server, until the application is told why, once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::paths::Resource;
use super::presentation::{Presentation, Verdict};
use crate::error::Failure;
use crate::hls::Digest;
use crate::wait::lock;

/// How long the demuxer may take to put away an answer that ends it, before the application hears
/// of it and stops the demuxer.
const GRACE: Duration = Duration::from_millis(100);

/// How long after its last attempt at something a demuxer may fail for it: as long as some attempts
/// with pauses take.
const RECENT: Duration = Duration::from_secs(20);

/// What is wrong, until somebody is told.
#[derive(Default)]
pub struct Troubles {
    /// What ends the presentation.
    complaint: Mutex<Option<Failure>>,
    /// Something that the demuxer may do without.
    last: Mutex<Option<Trouble>>,
}

struct Trouble {
    of: Digest,
    failure: Failure,
    since: Instant,
}

impl Troubles {
    /// What the demuxer has most likely failed for, once.
    pub fn take(&self) -> Option<Failure> {
        let complaint = lock(&self.complaint).take();
        complaint.or_else(|| {
            let trouble = lock(&self.last).take();
            // Of what was longer ago it is not the reason.
            let recent = trouble.filter(|trouble| trouble.since.elapsed() < RECENT);
            recent.map(|trouble| trouble.failure)
        })
    }

    /// The resource has come after all.
    pub fn is_over(&self, resource: &Resource) {
        let mut last = lock(&self.last);
        last.take_if(|trouble| trouble.of == resource.digest());
    }

    /// Whether something else was the trouble last.
    pub fn is_new(&self, resource: &Resource) -> bool {
        let last = lock(&self.last);
        last.as_ref()
            .is_none_or(|trouble| trouble.of != resource.digest())
    }

    /// Keeps it for when the demuxer gives up.
    pub fn remember(&self, resource: &Resource, failure: Failure) {
        *lock(&self.last) = Some(Trouble {
            of: resource.digest(),
            failure,
            since: Instant::now(),
        });
    }
}

/// The demuxer will say that it has got nothing. Then, or where it does not, the application is
/// told why.
pub fn end(trouble: Arc<Troubles>, presentation: Arc<Presentation>, failure: Failure) {
    *lock(&trouble.complaint) = Some(failure);
    tokio::spawn(async move {
        tokio::time::sleep(GRACE).await;
        let untold = lock(&trouble.complaint).take();
        if let Some(failure) = untold.filter(|_| !presentation.is_closing()) {
            complain(&presentation, failure, Verdict::Fatal);
        }
    });
}

/// Tells the application, whose handlers may take their time, on a thread of its own.
pub fn complain(presentation: &Presentation, failure: Failure, verdict: Verdict) {
    let host = presentation.host.clone();
    drop(tokio::task::spawn_blocking(move || {
        host.complain(&failure, verdict);
    }));
}

/// Ends the presentation for what is found in the middle of an answer.
pub fn complain_of(presentation: &Presentation, failure: Failure) {
    if !presentation.is_closing() {
        complain(presentation, failure, Verdict::Fatal);
    }
}
