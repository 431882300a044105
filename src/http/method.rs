// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a server is asked.

/// The methods that requests are made with (RFC 9110, 9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    #[default]
    Get,
    Post,
    Put,
}

impl Method {
    /// Reads a method's name, in whatever case; `None` for another one.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Method::Get, Method::Post, Method::Put];
        all.into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(name))
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_is_read_in_whatever_case() {
        assert_eq!(Method::parse("GET"), Some(Method::Get));
        assert_eq!(Method::parse("post"), Some(Method::Post));
        assert_eq!(Method::parse("Put"), Some(Method::Put));
        for name in ["", "DELETE", "GET "] {
            assert_eq!(Method::parse(name), None, "{name:?}");
        }
    }
}
