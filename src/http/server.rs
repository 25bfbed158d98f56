//! The HTTP server on its socket.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};

use super::{Doors, routes};

/// How the doors are served.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Where; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The largest body that is taken, in bytes.
    pub max_body: usize,
    /// How long what is in flight may take after a signal to stop.
    pub shutdown_grace: Duration,
}

/// Binds the socket and serves the doors on it, once the server is awaited.
///
/// # Errors
/// The address cannot be bound.
pub fn bind(options: &ServerOptions, doors: Doors) -> std::io::Result<(Server, SocketAddr)> {
    let listener = TcpListener::bind(options.listen)?;
    let address = listener.local_addr()?;
    let doors = web::Data::new(doors);
    let server = HttpServer::new(move || App::new().app_data(doors.clone()).configure(routes))
        // SIGINT would be a forced stop; the composition root decides how to stop.
        .disable_signals()
        .shutdown_timeout(options.shutdown_grace.as_secs().max(1))
        .listen(listener)?
        .run();
    Ok((server, address))
}
