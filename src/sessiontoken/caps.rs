// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which caps pass: whatever the other side has. The templates say for what players plug the
//! element; in a line that is written out a clear stream may come through it too.

use gst::prelude::*;

/// Answers a query for caps on one pad by what the peer of the `other` one says. `false` for any
/// other query.
pub fn answer(query: &mut gst::QueryRef, other: &gst::Pad) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Caps(query) => {
            let filter = query.filter_owned();
            query.set_result(&other.peer_query_caps(filter.as_ref()));
            true
        }
        gst::QueryViewMut::AcceptCaps(query) => {
            let is_accepted = other.peer_query_accept_caps(&query.caps_owned());
            query.set_result(is_accepted);
            true
        }
        _ => false,
    }
}
