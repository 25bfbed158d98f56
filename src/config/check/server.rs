//! `[server]`, `[oauth]` and `[throttle]`

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::checker::{COUNT_MAX, Checker, but};
use super::fallback::Fallback;
use crate::access::proxies::{ForwardedBy, Proxies};
use crate::access::throttle::ThrottlePolicy;
use crate::config::settings::{ServerSettings, ThrottleSettings};
use crate::domain::text::shown;
use crate::http::ServerOptions;

impl Checker<'_> {
    pub(super) fn server(&mut self, settings: &ServerSettings) -> ServerOptions {
        let server = ServerOptions {
            listen: self.listening("server.listen", &settings.listen, "127.0.0.1:8080"),
            admin_listen: settings
                .admin_listen
                .as_ref()
                .map(|at| self.listening("server.admin_listen", at, "127.0.0.1:8081")),
            max_body: self.size("server.max_body", &settings.max_body),
            max_buffered: self.size("server.max_buffered", &settings.max_buffered),
            max_connections: self.number("server.max_connections", &settings.max_connections, COUNT_MAX),
            header_timeout: self.positive_span("server.header_timeout", &settings.header_timeout),
            body_timeout: self.positive_span("server.body_timeout", &settings.body_timeout),
            write_timeout: self.positive_span("server.write_timeout", &settings.write_timeout),
            keep_alive: self.positive_span("server.keep_alive", &settings.keep_alive),
            shutdown_grace: self.span("server.shutdown_grace", &settings.shutdown_grace),
        };
        if server.max_buffered < server.max_body
            && !["server.max_body", "server.max_buffered"].iter().any(|key| self.is_wrong(key))
        {
            let must = format!("must not be below server.max_body, {}", settings.max_body);
            self.wrong("server.max_buffered", but(&settings.max_buffered, must));
        }
        if let Some(admin) = server.admin_listen
            && overlap(admin, server.listen)
            && !["server.listen", "server.admin_listen"].iter().any(|key| self.is_wrong(key))
        {
            let must = format!("must have another port than server.listen, {}", server.listen);
            self.wrong("server.admin_listen", but(shown(&admin.to_string()), must));
        }
        server
    }

    /// An address to listen on.
    fn listening(&mut self, key: &str, text: &str, example: &str) -> SocketAddr {
        let must = || format!("must be an IP address and a port, such as {example:?}");
        self.take(key, text.parse().map_err(|_| but(shown(text), must())))
    }

    pub(super) fn proxies(&mut self, settings: &ServerSettings) -> Proxies {
        let header = match settings.forwarded_header.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(ForwardedBy::XForwardedFor),
            "forwarded" => Ok(ForwardedBy::Forwarded),
            _ => Err(but(shown(&settings.forwarded_header), "must be \"x-forwarded-for\" or \"forwarded\"")),
        };
        Proxies {
            trusted: self.networks("server.trusted_proxies", &settings.trusted_proxies),
            header: self.take("server.forwarded_header", header),
        }
    }

    /// Networks, or single addresses. A client's IPv4 address is never seen in its IPv6 form (`::ffff:192.0.2.1`), so a
    /// network in that form would match nobody, and is an error.
    pub(super) fn networks(&mut self, key: &str, settings: &[String]) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (index, text) in settings.iter().enumerate() {
            match text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() && network.prefix_len() >= 96 => {
                    let must = "must be written as IPv4, such as 10.0.0.0/8 or 192.0.2.1";
                    self.wrong(&format!("{key}[{index}]"), but(shown(text), must));
                }
                Ok(network) => networks.push(network),
                Err(_) => self.wrong(
                    &format!("{key}[{index}]"),
                    but(shown(text), "must be a network or an address, such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1"),
                ),
            }
        }
        networks
    }

    pub(super) fn throttle(&mut self, settings: &ThrottleSettings) -> ThrottlePolicy {
        ThrottlePolicy {
            failures: self.count("throttle.failures", &settings.failures, COUNT_MAX),
            window: self.positive_span("throttle.window", &settings.window),
        }
    }
}

/// Whether both addresses cannot be listened on at once. Port 0 picks a free one each time. `[::]` has the addresses of IPv4
/// too, as most machines are set up.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    let (first, second) = (one.ip(), other.ip());
    one.port() != 0 && one.port() == other.port() && (first == second || covers(first, second) || covers(second, first))
}

impl Fallback for ForwardedBy {
    fn fallback() -> Self {
        Self::default()
    }
}
