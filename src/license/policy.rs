// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the user wants of license requests.

use std::time::Duration;

use crate::http::{Endpoint, TlsConfig, TokenHosts};

pub struct LicensePolicy {
    /// The only server to ask; `None` where the manifest names them.
    pub license_url: Option<Endpoint>,
    /// Who may be sent the token; `None` for the license servers.
    pub token_hosts: Option<TokenHosts>,
    /// For a license, with all attempts.
    pub timeout: Duration,
    /// Attempts after the first.
    pub retries: u32,
    pub tls: TlsConfig,
    /// Whether the token may go without TLS to other than loopback.
    pub allow_cleartext: bool,
    /// Whether licenses outlive their stream.
    pub keep_licenses: bool,
}

impl LicensePolicy {
    /// Who may be sent the token that is for these license servers.
    pub fn token_hosts(&self, servers: &[Endpoint]) -> TokenHosts {
        let of_servers = || TokenHosts::origins(servers.iter().map(Endpoint::url));
        self.token_hosts.clone().unwrap_or_else(of_servers)
    }
}
