// SPDX-License-Identifier: MIT OR Apache-2.0

//! The example vectors of NIST SP 800-38A, for the tests.

/// AES-128's key and plain text (F.2.1 and F.5.1).
pub const KEY: [u8; 16] = 0x2b7e151628aed2a6abf7158809cf4f3c_u128.to_be_bytes();
pub const PLAINTEXT: [[u8; 16]; 4] = [
    0x6bc1bee22e409f96e93d7e117393172a_u128.to_be_bytes(),
    0xae2d8a571e03ac9c9eb76fac45af8e51_u128.to_be_bytes(),
    0x30c81c46a35ce411e5fbc1191a0a52ef_u128.to_be_bytes(),
    0xf69f2445df4f9b17ad2b417be66c3710_u128.to_be_bytes(),
];

/// CBC-AES128.Encrypt (F.2.1).
pub const CBC_IV: [u8; 16] = 0x000102030405060708090a0b0c0d0e0f_u128.to_be_bytes();
pub const CBC: [[u8; 16]; 4] = [
    0x7649abac8119b246cee98e9b12e9197d_u128.to_be_bytes(),
    0x5086cb9b507219ee95db113a917678b2_u128.to_be_bytes(),
    0x73bed6b8e3c1743b7116e69e22229516_u128.to_be_bytes(),
    0x3ff1caa1681fac09120eca307586e1a7_u128.to_be_bytes(),
];
