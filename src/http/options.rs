//! How the routes are served: the options of the HTTP server.

use std::net::SocketAddr;
use std::time::Duration;

/// How the routes are served.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Where; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The largest body that is taken, in bytes.
    pub max_body: usize,
    /// How much of bodies is held at once, over all requests, in bytes.
    pub max_buffered: usize,
    /// How many connections are served at once, over all workers; the next ones wait.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How long a client may take to read what is ready to be sent to it.
    pub write_timeout: Duration,
    /// How long a connection stays open without a request.
    pub keep_alive: Duration,
    /// How long what is in flight may take after a signal to stop.
    pub shutdown_grace: Duration,
}

impl ServerOptions {
    /// The keys of those that are others here.
    #[must_use]
    pub fn changed(&self, others: &Self) -> Vec<&'static str> {
        let keys = [
            ("server.listen", self.listen != others.listen),
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
