// SPDX-License-Identifier: MIT OR Apache-2.0

//! Refresh tokens that a server replaces: one request at a time, and the new one goes into the file
//! before anybody uses it.

use std::sync::{Arc, Mutex, Weak};

use super::debug::CAT;
use crate::auth_service::oauth2::RefreshToken;
use crate::files::{self, Replaced};
use crate::session::logins;
use crate::token::Secret;
use crate::wait::lock;

/// Who uses a file's token now.
type Turn = tokio::sync::Mutex<()>;

static TURNS: Mutex<Vec<(String, Weak<Turn>)>> = Mutex::new(Vec::new());

/// The turn of those who use the token in that file, however its path is written.
pub fn turn(path: &str) -> Arc<Turn> {
    let path = files::canonical(path);
    let mut turns = lock(&TURNS);
    turns.retain(|(_, turn)| turn.strong_count() > 0);
    let known = turns.iter().find(|(known, _)| *known == path);
    if let Some(turn) = known.and_then(|(_, turn)| turn.upgrade()) {
        return turn;
    }
    let turn = Arc::new(Turn::default());
    turns.push((path, Arc::downgrade(&turn)));
    turn
}

/// Puts `next` into the file in the place of `sent`, unless somebody else has put another one
/// there. Where it cannot be written the process keeps it.
pub async fn replace(path: &str, sent: RefreshToken, next: Secret) {
    let (file, text, expected) = (path.to_owned(), next.clone(), sent.clone());
    let written = tokio::task::spawn_blocking(move || {
        files::replace_text(&file, "refresh-token-file", &text, |found| {
            logins::is_content_of(&expected, found)
        })
    });
    let path = files::canonical(path);
    match written.await {
        Ok(Ok(Replaced::Written)) => logins::replaced(&path, &sent, &next, true),
        Ok(Ok(Replaced::Changed)) => {
            gst::info!(
                CAT,
                "`refresh-token-file` was changed by somebody else, and stays"
            );
        }
        Ok(Err(failure)) => {
            gst::warning!(
                CAT,
                "{}; until this process ends the new refresh token is kept in memory",
                failure.what
            );
            logins::replaced(&path, &sent, &next, false);
        }
        // It is gone with the process.
        Err(_) => logins::replaced(&path, &sent, &next, false),
    }
}
