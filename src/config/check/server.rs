//! `[server]`

use super::{COUNT_MAX, Checker};
use crate::config::settings::ServerSettings;
use crate::http::ServerOptions;

impl Checker<'_> {
    pub(super) fn server(&mut self, settings: &ServerSettings) -> ServerOptions {
        let listen = settings.listen.parse();
        let server = ServerOptions {
            listen: self.take(
                "server.listen",
                listen.map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8080".into()),
            ),
            max_body: self.size("server.max_body", &settings.max_body),
            max_buffered: self.size("server.max_buffered", &settings.max_buffered),
            max_connections: self.number("server.max_connections", &settings.max_connections, COUNT_MAX),
            header_timeout: self.positive_span("server.header_timeout", &settings.header_timeout),
            body_timeout: self.positive_span("server.body_timeout", &settings.body_timeout),
            keep_alive: self.positive_span("server.keep_alive", &settings.keep_alive),
            shutdown_grace: self.span("server.shutdown_grace", &settings.shutdown_grace),
        };
        if server.max_buffered < server.max_body && !self.is_wrong("server.max_b") {
            self.wrong("server.max_buffered", "must not be below server.max_body");
        }
        server
    }
}
