// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element as its server knows it, and what it tells the application.

use std::sync::Arc;

use gst::glib;

use super::debug::CAT;
use super::demuxer::StockDemuxer;
use super::presentation::{Host, Verdict};
use super::source;
use super::token::ChildTokens;
use crate::error::Failure;
use crate::messages;

pub struct ElementHost {
    pub element: glib::WeakRef<gst::Element>,
    pub demuxer: Arc<StockDemuxer>,
    pub tokens: Arc<ChildTokens>,
}

impl Host for ElementHost {
    fn complain(&self, failure: &Failure, verdict: Verdict) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        match verdict {
            Verdict::Fatal => fail(&element, &self.demuxer, failure),
            Verdict::Passing => {
                gst::warning!(CAT, obj = element, "{}", failure.what);
                messages::post_warning(&element, failure);
            }
        }
    }

    fn can_decrypt(&self, systems: &[u128]) -> bool {
        source::has_decryptor(systems)
    }

    fn warm_up(&self) {
        self.tokens.warm_up();
    }
}

/// Ends the presentation with an error.
pub fn fail(element: &gst::Element, demuxer: &StockDemuxer, failure: &Failure) {
    demuxer.end_retries();
    gst::error!(CAT, obj = element, "{}", failure.what);
    messages::post_error(element, failure);
}

/// Why the demuxer has got nothing from its server, where nobody has asked that.
pub fn not_asked() -> Option<Failure> {
    let has_proxy = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    has_proxy.then(|| {
        Failure::misconfigured(
            "the demuxer's requests to 127.0.0.1 went to the proxy that the environment names: set `no_proxy=127.0.0.1`, or for hlsdemux, which knows no exception, no `http_proxy`",
        )
    })
}
