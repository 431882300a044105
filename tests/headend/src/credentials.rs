// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the auth services want to see before they grant a token.
//!
//! They open nothing but a head-end that runs for a test, which is why they may stand here.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde_json::json;

/// The security token that Thunder wants in `Authorization: Bearer`.
pub const SECURITY_TOKEN: &str = "headend-security-token-5b1f07d2c94e8a63";
/// The id of the one service that AGS has, which it wants in `x-auth-service-id`.
pub const AUTH_SERVICE_ID: &str = "headend-sso";
/// What AGS wants as the parameter `OperatorAuthToken`: in the form of a JWT, with a signature that
/// is none.
pub const OPERATOR_TOKEN: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    ".eyJhY2NvdW50IjoiaGVhZGVuZC1hY2NvdW50IiwidGVuYW50IjoiaGVhZGVuZC10ZW5hbnQifQ",
    ".bWFkZSB1cCwgYW5kIHZlcmlmaWVkIGJ5IG5vYm9keQ",
);

/// The secret with which the operator's token may be signed, as HS256, with [`ACCOUNT`] in its
/// claim `account`.
pub const SHARED_SECRET: &str = "headend-shared-secret-71c04de8aa5b3f96";
/// Whose token that is.
pub const ACCOUNT: &str = "headend-account";
/// The client that the authorization server knows.
pub const CLIENT_ID: &str = "headend client:1";
/// Its secret, with what has a meaning in a form and in a header.
pub const CLIENT_SECRET: &str = "headend-client-secret:4d%2b+e 8&1=c6";
/// A client without a secret.
pub const PUBLIC_CLIENT_ID: &str = "headend-public-client";
/// What an operator's own service wants to see.
pub const DEVICE_KEY: &str = "headend-device-key-0a7be25f68d149c3";

/// The name of the parameter that [`OPERATOR_TOKEN`] is the value of.
pub(crate) const OPERATOR_PARAMETER: &str = "OperatorAuthToken";

/// Writes a file for each way in which a client can come by a token, without a line end.
pub(crate) fn write(folder: &Path, session_token: &str, refresh_token: &str) -> io::Result<()> {
    let parameters = json!({ OPERATOR_PARAMETER: OPERATOR_TOKEN }).to_string();
    let login = json!({ "device": DEVICE_KEY }).to_string();
    for (name, text) in [
        ("thunder-token.txt", SECURITY_TOKEN),
        ("ags-parameters.json", &parameters),
        ("client-secret.txt", CLIENT_SECRET),
        ("refresh-token.txt", refresh_token),
        ("login.json", &login),
        ("session-token.txt", session_token),
    ] {
        let path = folder.join(name);
        write_private(&path, text).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
    }
    Ok(())
}

/// Writes a file that only its owner can read, and could at no moment be read by others.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    const OWNER_ONLY: u32 = 0o600;

    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(OWNER_ONLY)
        .open(path)?;
    // The mode above is for a new file; one that was there has kept its own.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    file.write_all(text.as_bytes())
}
