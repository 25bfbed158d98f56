//! Self-signed certificates, which no client trusts by default.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// A certificate for one host, signed by itself.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) server: Arc<ServerConfig>,
    /// The file that a client needs to trust it.
    pub(crate) pem: String,
}

impl Certificate {
    pub(crate) fn of(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self { server: Arc::new(server), pem: made.cert.pem() }
    }
}
