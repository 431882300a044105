// SPDX-License-Identifier: MIT OR Apache-2.0

//! Refresh tokens of the process. A server may replace one each time it is used (RFC 6749, 6): the
//! login is still the same, and so is the session. Another one in its file is another login.

use std::sync::Mutex;

use ring::digest::{SHA256, digest};

use crate::auth_service::oauth2::RefreshToken;
use crate::token::Secret;
use crate::wait::lock;

/// Files that are remembered. A player has one.
const MAX_FILES: usize = 64;

static LOGINS: Mutex<Logins> = Mutex::new(Logins {
    files: Vec::new(),
    last: 0,
});

/// What to send where the file at `path` holds `text`.
pub fn current(path: &str, text: Secret) -> RefreshToken {
    lock(&LOGINS).current(path, text)
}

/// Whether that is the text with which the file's token was read.
pub fn is_content_of(token: &RefreshToken, text: &Secret) -> bool {
    token.content == digest_of(text)
}

/// The server has replaced `sent`, which came of the file at `path`, with `next`, which `is_saved`
/// there by now, or could not be.
pub fn replaced(path: &str, sent: &RefreshToken, next: &Secret, is_saved: bool) {
    lock(&LOGINS).replaced(path, sent.login, next, is_saved);
}

/// Forgets the tokens that could not be saved: somebody has logged out.
pub fn forget() {
    lock(&LOGINS).files.clear();
}

type Digest = [u8; 32];

struct Logins {
    /// The one that was used last comes last.
    files: Vec<File>,
    last: u64,
}

struct File {
    path: String,
    /// What it holds, as far as is known.
    content: Digest,
    login: u64,
    /// What it should hold, where that could not be written.
    unsaved: Option<Secret>,
}

fn digest_of(text: &Secret) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.expose().as_bytes()).as_ref());
    bytes
}

impl Logins {
    fn current(&mut self, path: &str, text: Secret) -> RefreshToken {
        let content = digest_of(&text);
        let known = self.files.iter().position(|file| file.path == path);
        let file = known.map(|known| self.files.remove(known));
        let file = match file.filter(|file| file.content == content) {
            Some(file) => file,
            None => {
                self.last += 1;
                File {
                    path: path.to_owned(),
                    content,
                    login: self.last,
                    unsaved: None,
                }
            }
        };
        let token = RefreshToken {
            text: file.unsaved.clone().unwrap_or(text),
            login: file.login,
            content,
        };
        if self.files.len() == MAX_FILES {
            self.files.remove(0);
        }
        self.files.push(file);
        token
    }

    fn replaced(&mut self, path: &str, login: u64, next: &Secret, is_saved: bool) {
        let mut files = self.files.iter_mut();
        // Somebody else may have signed in meanwhile.
        let file = files.find(|file| file.path == path && file.login == login);
        if let Some(file) = file {
            if is_saved {
                file.content = digest_of(next);
            }
            file.unsaved = (!is_saved).then(|| next.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> Logins {
        Logins {
            files: Vec::new(),
            last: 0,
        }
    }

    fn text(text: &str) -> Secret {
        Secret::from(text)
    }

    #[test]
    fn login_goes_on_with_the_token_that_was_saved() {
        let mut logins = logins();
        let first = logins.current("/f", text("a"));
        assert_eq!(logins.current("/f", text("a")), first);
        logins.replaced("/f", first.login, &text("b"), true);
        let second = logins.current("/f", text("b"));
        assert_eq!((second.login, second.text), (first.login, text("b")));
    }

    #[test]
    fn token_that_was_not_saved_is_sent_all_the_same() {
        let mut logins = logins();
        let first = logins.current("/f", text("a"));
        logins.replaced("/f", first.login, &text("b"), false);
        let second = logins.current("/f", text("a"));
        assert_eq!((second.login, second.text), (first.login, text("b")));
        // What somebody else has written counts for more.
        let other = logins.current("/f", text("c"));
        assert_ne!(other.login, first.login);
        assert_eq!(other.text, text("c"));
    }

    #[test]
    fn another_login_meanwhile_keeps_its_token() {
        let mut logins = logins();
        let first = logins.current("/f", text("a"));
        let other = logins.current("/f", text("c"));
        logins.replaced("/f", first.login, &text("b"), false);
        let after = logins.current("/f", text("c"));
        assert_eq!((after.login, after.text), (other.login, text("c")));
        assert!(is_content_of(&first, &text("a")));
        assert!(!is_content_of(&first, &text("c")));
    }

    #[test]
    fn another_file_or_content_is_another_login() {
        let mut logins = logins();
        let first = logins.current("/f", text("a")).login;
        let other = logins.current("/g", text("a")).login;
        assert_ne!(first, other);
        assert_ne!(logins.current("/f", text("b")).login, first);
        assert_eq!(logins.current("/g", text("a")).login, other);
    }

    #[test]
    fn files_that_are_remembered_have_a_bound() {
        let mut logins = logins();
        for number in 0..2 * MAX_FILES {
            logins.current(&number.to_string(), text("a"));
        }
        assert_eq!(logins.files.len(), MAX_FILES);
    }
}
