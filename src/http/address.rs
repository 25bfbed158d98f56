//! Client address of a request, also if the client is behind proxies.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;

use super::in_force::InForce;

/// The address that a request comes from.
pub(super) fn of(request: &HttpRequest, in_force: &InForce) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let headers = request.headers().get_all(in_force.proxies.header.name());
    let hops: Vec<_> = headers.map(|line| line.as_bytes()).collect();
    in_force.proxies.client(peer, &hops)
}

/// Whether the address may be a proxy's, and not the caller's: no proxy is configured, and a header names another caller.
pub(super) fn may_be_a_proxy(request: &HttpRequest, in_force: &InForce) -> bool {
    in_force.proxies.trusted.is_empty() && request.headers().contains_key(in_force.proxies.header.name())
}
