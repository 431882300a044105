// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the origin answers instead of files, as a test chooses it.

use std::collections::HashMap;

/// HTTP statuses by the path that they are for, each with how many requests it is still for.
#[derive(Debug, Default)]
pub(crate) struct Statuses(HashMap<String, (u16, usize)>);

impl Statuses {
    pub(crate) fn set(&mut self, path: &str, status: u16, times: usize) {
        self.0.insert(path.to_owned(), (status, times));
    }

    /// What the request gets that has just arrived, or `None` if that is the file.
    pub(crate) fn turn(&mut self, path: &str) -> Option<u16> {
        let (status, times) = self.0.get_mut(path)?;
        match *times {
            0 => return None,
            usize::MAX => {}
            _ => *times -= 1,
        }
        Some(*status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_for_its_path_and_for_so_many_requests() {
        let mut statuses = Statuses::default();
        statuses.set("/a", 503, 2);
        assert_eq!(statuses.turn("/b"), None);
        let turns = [(); 3].map(|()| statuses.turn("/a"));
        assert_eq!(turns, [Some(503), Some(503), None]);
    }

    #[test]
    fn latest_status_replaces_and_max_count_never_ends() {
        let mut statuses = Statuses::default();
        statuses.set("/a", 503, 2);
        statuses.set("/a", 404, usize::MAX);
        assert_eq!([(); 3].map(|()| statuses.turn("/a")), [Some(404); 3]);
        statuses.set("/a", 404, 0);
        assert_eq!(statuses.turn("/a"), None);
    }
}
