//! The HTTP server on its socket.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::{Doors, routes, unread};

/// How the doors are served.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Where; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The largest body that is taken, in bytes.
    pub max_body: usize,
    /// How much of bodies is held at once, over all requests, in bytes.
    pub max_buffered: usize,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
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
            ("server.keep_alive", self.keep_alive != others.keep_alive),
            ("server.shutdown_grace", self.shutdown_grace != others.shutdown_grace),
        ];
        keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
    }
}

/// Binds the socket and serves the doors on it, once the server is awaited.
///
/// # Errors
/// The address cannot be bound.
pub fn bind(options: &ServerOptions, doors: Doors) -> std::io::Result<(Server, SocketAddr)> {
    let listener = TcpListener::bind(options.listen)?;
    let address = listener.local_addr()?;
    let doors = web::Data::new(doors);
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let server = HttpServer::new(move || {
        App::new().app_data(doors.clone()).wrap(from_fn(unread::ends_the_connection)).configure(routes)
    })
    .workers(workers)
    .max_connections(options.max_connections.div_ceil(workers))
    .client_request_timeout(options.header_timeout)
    .keep_alive(options.keep_alive)
    // SIGINT would be a forced stop; the composition root decides how to stop.
    .disable_signals()
    .shutdown_timeout(options.shutdown_grace.as_secs().max(1))
    .listen(listener)?
    .run();
    Ok((server, address))
}
