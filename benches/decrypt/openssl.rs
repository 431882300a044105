// SPDX-License-Identifier: MIT OR Apache-2.0

//! What OpenSSL says of its own speed.

use std::process::Command;

/// The ciphers of the two schemes, by OpenSSL's names.
#[derive(Clone, Copy)]
pub enum Cipher {
    Ctr,
    Cbc,
}

/// Gigabytes a second for blocks of so many bytes, or what is missing.
pub fn speed(cipher: Cipher, bytes: usize) -> Result<f64, String> {
    let name = match cipher {
        Cipher::Ctr => "aes-128-ctr",
        Cipher::Cbc => "aes-128-cbc",
    };
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-decrypt", "-seconds", "1", "-bytes"])
        .args([&bytes.to_string(), "-evp", name])
        .output()
        .map_err(|error| format!("openssl does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `+F:22:AES-128-CTR:<bytes a second>`
    let figures = text.lines().find_map(|line| line.strip_prefix("+F:"));
    figures
        .and_then(|figures| figures.rsplit(':').next())
        .and_then(|speed| speed.trim().parse::<f64>().ok())
        .map(|speed| speed / 1e9)
        .ok_or_else(|| format!("openssl says nothing of its speed: {text}"))
}
