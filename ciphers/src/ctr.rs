// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scheme `cenc`: AES in counter mode (ISO/IEC 23001-7, 10.1).

use cipher::inout::InOutBuf;
use cipher::{InnerIvInit, StreamCipher, StreamCipherError};
use ctr::CtrCore;
use ctr::flavors::Ctr64BE;

use crate::content_key::ContentKey;
use crate::sample_error::SampleError;

/// Decrypts the protected ranges of one sample. They form one key stream (9.5.2.2), and
/// the low eight bytes of the counter block count alone, without a carry into the high ones (9.2).
pub fn decrypt<'inp, 'out>(
    key: &ContentKey,
    counter: [u8; 16],
    ranges: impl Iterator<Item = InOutBuf<'inp, 'out, u8>>,
) -> Result<(), SampleError> {
    let core = CtrCore::<_, Ctr64BE>::inner_iv_init(key.cipher().clone(), &counter.into());
    let mut stream = cipher::StreamCipherCoreWrapper::from_core(core);
    let exhausted = |_: StreamCipherError| SampleError::CounterExhausted;
    for range in ranges {
        stream.try_apply_keystream_inout(range).map_err(exhausted)?;
    }
    Ok(())
}
