// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that a test has served besides those of the media folder.

use std::collections::{HashMap, VecDeque};

use hyper::body::Bytes;

/// The versions of each file by its path. Each request gets the next one, and the last one stays.
#[derive(Debug, Default)]
pub(crate) struct Files(HashMap<String, VecDeque<Bytes>>);

impl Files {
    pub(crate) fn set(&mut self, path: &str, versions: impl Iterator<Item = Vec<u8>>) {
        let versions = versions.map(Bytes::from).collect();
        self.0.insert(path.to_owned(), versions);
    }

    /// What the request gets that has just arrived, if this file is there.
    pub(crate) fn next(&mut self, path: &str) -> Option<Bytes> {
        let versions = self.0.get_mut(path)?;
        match versions.len() {
            0 | 1 => versions.front().cloned(),
            _ => versions.pop_front(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_version_of_a_file_stays() {
        let mut files = Files::default();
        files.set("/hls/a", [vec![1], vec![2]].into_iter());
        let versions = [(); 3].map(|()| files.next("/hls/a").map(|bytes| bytes.to_vec()));
        assert_eq!(versions, [Some(vec![1]), Some(vec![2]), Some(vec![2])]);
        assert_eq!(files.next("/hls/b"), None);
    }
}
