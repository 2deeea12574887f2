//! TLS of clients that trust the system's roots: rustls with ring, certificates always verified.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// For HTTP clients (`reqwest::ClientBuilder::tls_backend_preconfigured`). Reads the roots anew each time: make one and clone it.
///
/// # Errors
/// None in practice: the provider knows the protocol versions.
pub fn client_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(system_roots())
        .with_no_client_auth())
}

/// The roots that the system trusts; some may be of a kind that rustls does not take.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
