//! Options of the HTTP server.

use std::net::SocketAddr;
use std::time::Duration;

/// The options of the HTTP server.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// The address to listen on; port 0 picks a free port.
    pub listen: SocketAddr,
    /// A second address, for the routes that are neither a PSP's nor Transform's.
    pub admin_listen: Option<SocketAddr>,
    /// The size of the largest body that is taken, in bytes.
    pub max_body: usize,
    /// The most bytes of bodies that are held at once, over all requests.
    pub max_buffered: usize,
    /// The most connections that are served at once, over all workers. Further ones wait.
    pub max_connections: usize,
    /// The longest time for a client to send the head of a request.
    pub header_timeout: Duration,
    /// The longest time for a client to send a body.
    pub body_timeout: Duration,
    /// The longest time for a client to read the bytes that are ready for it.
    pub write_timeout: Duration,
    /// The longest time that a connection stays open without a request.
    pub keep_alive: Duration,
    /// The longest time for requests in flight after a signal to stop.
    pub shutdown_grace: Duration,
}

impl ServerOptions {
    /// The keys of the options in which `others` differ.
    #[must_use]
    pub fn changed(&self, others: &Self) -> Vec<&'static str> {
        let keys = [
            ("server.listen", self.listen != others.listen),
            ("server.admin_listen", self.admin_listen != others.admin_listen),
            ("server.max_body", self.max_body != others.max_body),
            ("server.max_buffered", self.max_buffered != others.max_buffered),
            ("server.max_connections", self.max_connections != others.max_connections),
            ("server.header_timeout", self.header_timeout != others.header_timeout),
            ("server.body_timeout", self.body_timeout != others.body_timeout),
            ("server.write_timeout", self.write_timeout != others.write_timeout),
            ("server.keep_alive", self.keep_alive != others.keep_alive),
            ("server.shutdown_grace", self.shutdown_grace != others.shutdown_grace),
        ];
        keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
    }
}
