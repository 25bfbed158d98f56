//! Self-signed certificates, which no client trusts by default.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConnection, StreamOwned};
use transform_relay::proof::stand_in::Stream;

/// A certificate for one host, signed by itself.
#[derive(Debug)]
pub(crate) struct Certificate {
    server: Arc<ServerConfig>,
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

    /// TLS over a connection, for a server of the stand-ins.
    pub(crate) fn serves(&self) -> impl Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync + 'static {
        let server = Arc::clone(&self.server);
        move |stream| {
            let connection = ServerConnection::new(Arc::clone(&server)).map_err(io::Error::other)?;
            Ok(Box::new(StreamOwned::new(connection, stream)))
        }
    }
}
