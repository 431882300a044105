// SPDX-License-Identifier: MIT OR Apache-2.0

//! Certificates for tests, made when they are needed and kept nowhere.

use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};

use crate::keys::hex;

/// An authority that signs certificates, known to nobody but the test.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and the key to it, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate. The authority that signed it is its root, so there is no chain.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl fmt::Debug for Identity {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority, with a key and a name that no other has.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give.
    #[expect(clippy::new_without_default, reason = "no two are alike")]
    #[must_use]
    pub fn new() -> Self {
        let key = new_key();
        let public = key.der_bytes();
        // Had two authorities the same name, a client that trusts one would find fault with the
        // other's signature, and not say that it does not know the other.
        let name = format!("Head-end's authority {}", hex(&public[public.len() - 8..]));
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, key).expect(RANDOMNESS))
    }

    /// The authority's own certificate as PEM, for those that are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with these names, each that of a host or an IP address.
    ///
    /// # Panics
    ///
    /// If a name can be neither, or the system has no randomness to give.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Identity {
        self.sign(server(names))
    }

    /// As [`server`](Self::server), but its certificate was good for the year 2020 alone.
    ///
    /// # Panics
    ///
    /// As [`server`](Self::server).
    #[must_use]
    pub fn expired_server(&self, names: &[&str]) -> Identity {
        let mut params = server(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A client with this name.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give.
    #[must_use]
    pub fn client(&self, name: &str) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Identity {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = new_key();
        let certificate = params.signed_by(&key, &self.0).expect(RANDOMNESS);
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// Without randomness there are neither keys nor signatures; nothing else is amiss with what is
/// signed here.
const RANDOMNESS: &str = "randomness from the system";

/// A P-256 key that signs: the private half as PEM, and the public half as it is checked with.
#[must_use]
pub fn signing_key() -> (String, Vec<u8>) {
    let key = new_key();
    (key.serialize_pem(), key.der_bytes().to_vec())
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect(RANDOMNESS)
}

/// Good from 1975 to 4096, as is everything here of which nothing else is said.
fn server(names: &[&str]) -> CertificateParams {
    let owned: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(owned).expect("names of hosts or IP addresses");
    params.distinguished_name = common_name("Head-end");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
