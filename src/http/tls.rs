// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whom a TLS connection trusts, and as whom it presents itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::descriptors;
use crate::error::Failure;
use crate::files;
use crate::token::Secret;

/// Largest file of certificates; all of a system's roots together are a quarter of it.
const MAX_CERTIFICATES: usize = 1024 * 1024;

/// Largest file of a private key.
const MAX_KEY: usize = 64 * 1024;

/// Whom a connection trusts, and as whom it presents itself. Two are the same if their files held
/// the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsConfig {
    strict: bool,
    /// Instead of the system's roots.
    roots: Option<Arc<Vec<CertificateDer<'static>>>>,
    client: Option<Arc<ClientIdentity>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    /// PEM.
    key: Secret,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            strict: true,
            roots: None,
            client: None,
        }
    }
}

/// The properties by which the user says whom to trust. Files are PEM.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    pub strict: bool,
    pub ca_file: Option<String>,
    pub client_cert: Option<String>,
    pub client_key: Option<String>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            strict: true,
            ca_file: None,
            client_cert: None,
            client_key: None,
        }
    }
}

impl TlsSettings {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name, for what cannot be read or used.
    pub fn load(&self) -> Result<TlsConfig, Failure> {
        let roots = self
            .ca_file
            .as_ref()
            .map(|path| certificates(path, "ssl-ca-file"))
            .transpose()?;
        let client = match (&self.client_cert, &self.client_key) {
            (Some(cert), key) => Some(Arc::new(ClientIdentity {
                chain: certificates(cert, "ssl-client-cert")?,
                // Certificate and key may stand in one file.
                key: match key {
                    Some(key) => private_key(key, "ssl-client-key")?,
                    None => private_key(cert, "ssl-client-cert")?,
                },
            })),
            (None, Some(_)) => {
                return Err(Failure::misconfigured(
                    "`ssl-client-key` is set and `ssl-client-cert` is not: set both",
                ));
            }
            (None, None) => None,
        };
        let tls = TlsConfig {
            strict: self.strict,
            roots: roots.map(Arc::new),
            client,
        };
        // So that what cannot be used is known now. The system's roots are looked up later, beside
        // other work.
        tls.own_parts()?;
        Ok(tls)
    }

    /// What the user should know and what stops nothing.
    pub fn warnings(&self) -> Vec<String> {
        let off = (!self.strict).then(|| {
            "`ssl-strict` is off: whoever answers gets the credentials, and what they answer is believed".to_owned()
        });
        let open = match (&self.client_key, &self.client_cert) {
            (Some(path), _) => files::warning("ssl-client-key", Some(path)),
            (None, path) => files::warning("ssl-client-cert", path.as_deref()),
        };
        off.into_iter().chain(open).collect()
    }
}

fn certificates(path: &str, setting: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = files::read(path, setting, MAX_CERTIFICATES)?;
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Failure::misconfigured(format!("`{setting}` is no valid PEM file")))?;
    if found.is_empty() {
        return Err(Failure::misconfigured(format!(
            "`{setting}` holds no certificate: set it to a PEM file that does"
        )));
    }
    Ok(found)
}

fn private_key(path: &str, setting: &str) -> Result<Secret, Failure> {
    let limit = if setting == "ssl-client-key" {
        MAX_KEY
    } else {
        MAX_CERTIFICATES
    };
    let pem = files::read_text(path, setting, limit)?;
    if PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).is_err() {
        return Err(Failure::misconfigured(format!(
            "`{setting}` holds no private key that can be read: set `ssl-client-key` to a PEM file with one that is not encrypted"
        )));
    }
    Ok(pem)
}

fn unusable(error: &dyn std::fmt::Display) -> Failure {
    Failure::misconfigured(format!("TLS cannot be set up: {error}"))
}

/// The crypto provider is named here and not installed for the process, which is the player's.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl TlsConfig {
    /// The configuration for a connection. Reads the system's roots where those are trusted, which
    /// takes a while.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for roots, a certificate or a key that cannot be used; `Transient` where the
    /// system lets nobody read them now.
    pub fn config(&self) -> Result<ClientConfig, Failure> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?;
        let builder = match &self.roots {
            _ if !self.strict => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(TrustsEverybody(provider()))),
            Some(roots) => builder.with_root_certificates(store(roots)?),
            None => builder.with_platform_verifier().map_err(
                |error| match descriptors::are_missing() {
                    true => Failure::transient(format!(
                        "TLS cannot be set up, because this device's roots cannot be read: {}",
                        descriptors::NONE_LEFT
                    )),
                    false => unusable(&error),
                },
            )?,
        };
        let Some(client) = &self.client else {
            return Ok(builder.with_no_client_auth());
        };
        let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes())
            .map_err(|_| Failure::misconfigured("`ssl-client-key` holds no private key"))?;
        builder
            .with_client_auth_cert(client.chain.clone(), key)
            .map_err(|error| {
                Failure::misconfigured(format!(
                    "`ssl-client-cert` and `ssl-client-key` cannot be used together: {error}"
                ))
            })
    }

    /// For connections without TLS: one that came about all the same would fail.
    pub fn nobody() -> Result<ClientConfig, Failure> {
        Ok(ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth())
    }

    /// As far as that can be known without the system's roots.
    fn own_parts(&self) -> Result<(), Failure> {
        if self.roots.is_none() && self.client.is_none() {
            return Ok(());
        }
        let without_system = Self {
            strict: self.strict && self.roots.is_some(),
            ..self.clone()
        };
        without_system.config().map(drop)
    }
}

fn store(roots: &[CertificateDer<'static>]) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| {
            Failure::misconfigured(format!(
                "`ssl-ca-file` holds a certificate that cannot be used: {error}"
            ))
        })?;
    }
    Ok(store)
}

/// For `ssl-strict=false`: whoever answers is trusted, as long as they hold the key of the
/// certificate that they show.
#[derive(Debug)]
struct TrustsEverybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsEverybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
