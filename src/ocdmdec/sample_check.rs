// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is looked at before a CDM gets a sample: implementations copy what they are given.

use crate::cenc::{check_iv, check_subsamples};
use crate::decryptor::{Obstacle, Protection};

/// Checks what protects a sample of that size. Gives back of how many bytes its subsamples say
/// nothing, if it has any.
///
/// # Errors
///
/// What the stream contradicts.
pub fn check(protection: &Protection, size: usize) -> Result<Option<u64>, Obstacle> {
    let Protection::Protected { iv, subsamples, .. } = protection else {
        return Ok(None);
    };
    check_iv(iv.size()).map_err(Obstacle::broken)?;
    let Some(table) = subsamples else {
        return Ok(None);
    };
    let table = table
        .map_readable()
        .map_err(|_| Obstacle::broken("a sample's subsample table cannot be read"))?;
    let uncovered = check_subsamples(&table, size).map_err(Obstacle::broken)?;
    Ok(Some(uncovered))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::cenc::{KeyId, Scheme};

    /// What protects a sample, with a vector and a table of that many bytes.
    fn protection(iv: usize, table: Option<Vec<u8>>) -> Protection {
        gst::init().expect("GStreamer starts");
        Protection::Protected {
            scheme: Scheme::Cenc,
            key_id: KeyId([1; 16]),
            kid: gst::Buffer::from_slice([1; 16]),
            iv: gst::Buffer::from_slice(vec![0; iv]),
            is_constant_iv: false,
            subsamples: table.map(gst::Buffer::from_slice),
        }
    }

    fn refusal(protection: &Protection) -> String {
        match check(protection, 64) {
            Err(Obstacle::Failed(failure)) => failure.what,
            Err(Obstacle::Wait(_)) => panic!("nothing is waited for"),
            Ok(_) => panic!("it was taken"),
        }
    }

    #[test]
    fn cdm_gets_no_vector_of_another_size() {
        for size in [0, 7, 9, 15, 17, 255] {
            let what = refusal(&protection(size, None));
            assert!(what.contains("instead of 8 or 16"), "{what}");
        }
        for size in [8, 16] {
            assert!(matches!(check(&protection(size, None), 64), Ok(None)));
        }
    }

    #[test]
    fn cdm_gets_no_subsamples_beyond_the_sample() {
        let table = |protected: u8| Some(vec![0, 4, 0, 0, 0, protected]);
        let what = refusal(&protection(8, table(61)));
        assert!(what.contains("cover 65 bytes"), "{what}");
        assert!(matches!(check(&protection(8, table(50)), 64), Ok(Some(10))));
    }
}
