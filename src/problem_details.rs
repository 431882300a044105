// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a server says about a failure in its own words, made fit to be shown: `title` and `detail`
//! of a problem document (RFC 9457, before that RFC 7807), and the messages of services that have
//! such.

use std::fmt;

use serde::Deserialize;

use crate::echo::Haystack;
use crate::json;
use crate::json::Scalar;
use crate::token::Secret;

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Longest title that is shown, in characters: a line.
const MAX_TITLE: usize = 120;

/// Longest detail that is shown, in characters: a short paragraph.
const MAX_DETAIL: usize = 400;

/// From this length on a word is no word of a language but something that may be a token or a key.
const MAX_WORD: usize = 32;

/// A server's own words, cleaned. They are kept whole until they are shown, so that a secret is
/// found in them that would be cut in two.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProblemDetails {
    title: Option<String>,
    detail: Option<String>,
}

impl fmt::Debug for ProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProblemDetails")
            .field("title", &self.title())
            .field("detail", &self.detail())
            .finish()
    }
}

impl ProblemDetails {
    /// Reads a problem document. What is none, or says nothing, gives nothing: the HTTP status has
    /// said the rest.
    pub fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            title: Option<Scalar>,
            #[serde(default)]
            detail: Option<Scalar>,
        }
        let Ok(document) = json::read_object::<Document>(body) else {
            return Self::default();
        };
        let whole = |text: Option<Scalar>| whole(text.as_ref()?.text()?.expose());
        Self {
            title: whole(document.title),
            detail: whole(document.detail),
        }
    }

    /// A message in a service's own format.
    pub fn titled(message: &str) -> Self {
        Self {
            title: whole(message),
            detail: None,
        }
    }

    /// A line, fit to be shown.
    pub fn title(&self) -> Option<String> {
        self.title.as_ref().map(|title| cleaned(title, MAX_TITLE))
    }

    /// A short paragraph, fit to be shown.
    pub fn detail(&self) -> Option<String> {
        self.detail
            .as_ref()
            .map(|detail| cleaned(detail, MAX_DETAIL))
    }

    /// Takes out each text in which the server repeats one of these, or a part of it, in whatever
    /// form.
    pub fn without(self, secrets: &[Secret]) -> Self {
        let secrets: Vec<_> = secrets
            .iter()
            .filter_map(|secret| whole(secret.expose()).map(Secret::new))
            .collect();
        let is_discreet = |text: &String| {
            let haystack = Haystack::new(text);
            !secrets.iter().any(|secret| haystack.repeats(secret))
        };
        Self {
            title: self.title.filter(is_discreet),
            detail: self.detail.filter(is_discreet),
        }
    }
}

/// The whole text on one line, if there is any.
fn whole(text: &str) -> Option<String> {
    let text = line(text, usize::MAX, usize::MAX);
    (!text.is_empty()).then_some(text)
}

/// A server's text on one line: no control or formatting characters, nothing that could be a token,
/// at most `limit` characters.
pub fn cleaned(text: &str, limit: usize) -> String {
    line(text, MAX_WORD, limit)
}

fn line(text: &str, longest_word: usize, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0_usize;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| !is_formatting(*c)).collect();
        let count = word.chars().count();
        let (word, count) = match count {
            0 => continue,
            _ if count > longest_word => ("…", 1),
            _ => (word.as_str(), count),
        };
        let space = usize::from(length > 0);
        if length.saturating_add(space + count) > limit {
            line.push('…');
            break;
        }
        if space > 0 {
            line.push(' ');
        }
        line.push_str(word);
        length += space + count;
    }
    line
}

/// Characters that change how a line is shown instead of being shown: bidirectional controls,
/// joiners, marks of byte order.
fn is_formatting(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_detail_of_a_problem_document_are_shown() {
        let problem = ProblemDetails::read(
            br#"{"type":"about:blank","title":"No subscription","status":403,"detail":"This box is not\nprovisioned for channel 7."}"#,
        );
        assert_eq!(problem.title().as_deref(), Some("No subscription"));
        assert_eq!(
            problem.detail().as_deref(),
            Some("This box is not provisioned for channel 7.")
        );
    }

    #[test]
    fn what_is_no_problem_document_says_nothing() {
        for body in [
            "",
            "<html>",
            r#"["title"]"#,
            r#"{"title":17,"detail":{}}"#,
            r#"{"title":"a","title":"b"}"#,
            r#"{"title":" \u0000 "}"#,
        ] {
            assert_eq!(
                ProblemDetails::read(body.as_bytes()),
                ProblemDetails::default(),
                "{body}"
            );
        }
    }

    #[test]
    fn cleaned_text_drops_control_chars_and_long_words() {
        assert_eq!(cleaned("a\u{1b}[31mred\r\nb\u{202e}c", 50), "a [31mred bc");
        let token = "x".repeat(MAX_WORD + 1);
        assert_eq!(
            cleaned(&format!("the token {token} ended"), 50),
            "the token … ended"
        );
        assert_eq!(cleaned("one two three", 8), "one two…");
        assert_eq!(cleaned(&"é".repeat(1000), 50), "…");
        let long = ProblemDetails::read(
            format!(r#"{{"detail":"{}"}}"#, "word ".repeat(10_000)).as_bytes(),
        );
        let shown = long.detail().expect("a detail").chars().count();
        assert!(shown <= MAX_DETAIL + 1, "{shown}");
    }

    #[test]
    fn server_that_repeats_a_secret_is_not_quoted() {
        let problem = ProblemDetails {
            title: Some("No account for me@example".to_owned()),
            detail: Some("Ask your operator.".to_owned()),
        };
        let told = problem
            .clone()
            .without(&[Secret::from("me@example"), Secret::from("")]);
        assert_eq!(told.title, None);
        assert_eq!(told.detail, problem.detail);
        let passphrase = Secret::from("correct horse battery staple");
        let cut =
            ProblemDetails::titled(&format!("{}correct horse battery staple", "x ".repeat(55)));
        assert!(cut.title().expect("a title").ends_with("correct…"));
        assert_eq!(cut.without(&[passphrase]).title(), None);
        let spaced = ProblemDetails::titled("no  such user: John\t Smith");
        assert_eq!(spaced.without(&[Secret::from("John  Smith")]).title, None);
    }
}
