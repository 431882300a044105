// SPDX-License-Identifier: MIT OR Apache-2.0

//! What hlsdrmdemux adds to the stock demuxer that is inside: time and memory for playlists of any
//! length, and the work of reading a live one again and again.
//!
//! `cargo bench --bench playlist` measures all; `-- films`, `-- rewriting`, `-- decryption` and
//! `-- live` behind it a part. The last one takes ten minutes; `PLAYLIST_LIVE_MINUTES` sets another
//! number.

mod decryption;
mod demuxers;
mod films;
mod live;
mod origin;
mod pictures;
mod rewriting;
mod transport_stream;

// The plugin's own code, by itself: rewriting.
#[allow(dead_code, unused_imports)]
#[path = "../../src/hlsdrmdemux/box_table.rs"]
mod box_table;
#[allow(dead_code, unused_imports)]
#[path = "../../src/cenc"]
mod cenc {
    mod init_data;
    mod key_id;
    pub mod playready;
    pub mod pssh;

    pub use ciphers::ContentKey;
    pub use init_data::MAX_INIT_DATA;
    pub use key_id::KeyId;
}
#[allow(dead_code, unused_imports)]
#[path = "../../src/echo.rs"]
mod echo;
#[allow(dead_code, unused_imports)]
#[path = "../../src/error.rs"]
mod error;
#[allow(dead_code, unused_imports)]
#[path = "../../src/hls/mod.rs"]
mod hls;
#[allow(dead_code, unused_imports)]
#[path = "../../src/json.rs"]
mod json;
#[allow(dead_code, unused_imports)]
#[path = "../../src/hlsdrmdemux/kept_playlists.rs"]
mod kept_playlists;
#[allow(dead_code, unused_imports)]
#[path = "../../src/hlsdrmdemux/paths.rs"]
mod paths;
#[allow(dead_code, unused_imports)]
#[path = "../../src/hlsdrmdemux/playlist_rewrite.rs"]
mod playlist_rewrite;
#[allow(dead_code, unused_imports)]
#[path = "../../src/problem_details.rs"]
mod problem_details;
#[allow(dead_code, unused_imports)]
#[path = "../../src/random.rs"]
mod random;
#[allow(dead_code, unused_imports)]
#[path = "../../src/hlsdrmdemux/recent_digests.rs"]
mod recent_digests;
#[allow(dead_code, unused_imports)]
#[path = "../../src/token/secret.rs"]
mod secret;
mod token {
    pub use crate::secret::Secret;
}
#[allow(dead_code, unused_imports)]
#[path = "../../src/sync.rs"]
mod sync;
#[allow(dead_code, unused_imports)]
#[path = "../../src/hlsdrmdemux/url_map.rs"]
mod url_map;
#[allow(dead_code, unused_imports)]
#[path = "../../src/wait.rs"]
mod wait;

use support::subprocess;
use support::table::Wanted;

fn main() {
    if let Some(arguments) = subprocess::arguments() {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        match arguments[..] {
            [films::ORDER, demuxer, inside, warm_up, uri] => {
                films::play(demuxer, inside, warm_up, uri)
            }
            [decryption::ORDER, demuxer, inside, warm_up, uri] => {
                decryption::play(demuxer, inside, warm_up, uri)
            }
            [live::ORDER, demuxer, inside, uri] => live::play(demuxer, inside, uri),
            _ => unreachable!("{arguments:?}"),
        }
    }
    let wanted = Wanted::from_arguments();
    if wanted.has("rewriting") {
        rewriting::measure();
    }
    if wanted.has("films") {
        films::measure();
    }
    if wanted.has("decryption") {
        decryption::measure();
    }
    if wanted.has("live") {
        live::measure();
    }
}
