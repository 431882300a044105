// SPDX-License-Identifier: MIT OR Apache-2.0

//! TLS: who the head-end is, and whom it lets in.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// What a head-end needs to speak TLS, all of it as PEM. The module
/// [`certificates`](crate::certificates) makes some.
#[derive(Clone)]
pub struct Tls {
    /// The head-end's certificate, and after it those that lead to its authority, if there are any.
    pub certificate_chain: String,
    /// The key to the certificate.
    pub private_key: String,
    /// If there are any, a client must bring a certificate that one of these authorities signed.
    pub client_roots: Option<String>,
}

impl fmt::Debug for Tls {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate_chain", &self.certificate_chain)
            .field("client_roots", &self.client_roots)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// What lets connections in. An error here is a mistake in the PEM.
    pub(crate) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let config = self
            .config()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn config(&self) -> Result<ServerConfig, Box<dyn Error + Send + Sync>> {
        // Handed over, not installed for the process, which is that of the client under test too.
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let config = match &self.client_roots {
            None => config.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(pem)? {
                    roots.add(root)?;
                }
                let roots = Arc::new(roots);
                config.with_client_cert_verifier(
                    WebPkiClientVerifier::builder_with_provider(roots, provider).build()?,
                )
            }
        };
        let chain = certificates(&self.certificate_chain)?;
        let key = PrivateKeyDer::from_pem_slice(self.private_key.as_bytes())?;
        Ok(config.with_single_cert(chain, key)?)
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect()
}
