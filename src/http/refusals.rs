//! Refusals of requests and connections, and their log lines. Each refusal is logged by itself. In a flood refusals are
//! counted instead, so that every refusal leaves a trace.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_http::error::DispatchError;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use super::api_path::ApiPath;
use super::in_force::InForce;
use super::source_path::name_in;
use super::why::{STORE, Why};
use super::{address, cut};
use crate::clock::Clock;
use crate::domain::text::brief;
use crate::tally::{LOOK_EVERY, Tally};

/// The word for the route of a request that no route matches.
const NO_ROUTE: &str = "no such route";
/// The path that matches requests without a route.
pub(super) const ANYWHERE: &str = "/{any:.*}";
/// The word for the route of a connection that was cut off without a request.
const CONNECTION: &str = "connection";
/// The route of notifications.
const NOTIFICATIONS: &str = "/notifications/{source}";
/// The methods that HTTP defines (RFC 9110, RFC 5789).
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
/// The word for the route of all further kinds, once there are too many kinds.
const OTHERS: &str = "others";
/// The kind under which a slowed-down address is logged. It is limited like a refusal but is none: the requests of the
/// address count by themselves.
const SLOWED_DOWN: &str = "slowed down";

/// Refusals of one kind: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) at: At,
    pub(super) reason: &'static str,
}

/// The route and the source of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct At {
    /// The route: its path with its variables, or words of ours where there is no route.
    pub(super) route: String,
    /// The name of the source; empty if no configured source is meant.
    pub(super) source: String,
}

impl At {
    fn new(route: impl Into<String>) -> Self {
        Self { route: route.into(), source: String::new() }
    }

    /// The source for the log. Without one the line has no such field.
    fn source(&self) -> Option<&str> {
        Some(self.source.as_str()).filter(|source| !source.is_empty())
    }

    /// The route and the source of a request.
    fn of(request: &HttpRequest, in_force: &InForce) -> Self {
        if let Some(name) = name_in(request.match_info().as_str()) {
            let source = Some(name).filter(|name| in_force.sources.contains_key(name.as_ref()));
            return Self { source: source.unwrap_or_default().into_owned(), ..Self::new(NOTIFICATIONS) };
        }
        if let Some(path) = ApiPath::of(request.uri().path()) {
            return Self::new(path.route());
        }
        let pattern = || request.match_pattern().filter(|pattern| pattern != ANYWHERE);
        let name = request.match_name().map(str::to_owned).or_else(pattern);
        Self::new(name.unwrap_or_else(|| NO_ROUTE.to_owned()))
    }
}

/// The counts of refusals by their kind: a route, a source and a reason.
#[derive(Debug, Default)]
pub struct Refusals(Tally<Kind>);

impl Refusals {
    /// Counts a refusal. Returns whether it gets a log line of its own.
    fn is_told(&self, at: At, reason: &'static str, now: Timestamp) -> bool {
        self.0.is_told(Kind { at, reason }, |kind| Kind { at: At::new(OTHERS), ..kind }, now)
    }

    /// The number of refusals of each kind since the start.
    pub(super) fn all(&self) -> Vec<(Kind, u64)> {
        self.0.all().into_iter().filter(|(kind, _)| kind.reason != SLOWED_DOWN).collect()
    }

    /// Logs how many refusals got no line of their own, window by window, until `stop`.
    pub async fn sum_up(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        while tokio::time::timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            log(self.0.untold(Some(clock.now().steady)));
        }
    }

    /// Logs how many refusals got no line of their own and are not summed up yet.
    pub fn sum_up_the_rest(&self) {
        log(self.0.untold(None));
    }

    /// Counts and logs a connection that ended with an error. A client that is gone is no refusal.
    pub(super) fn ended(&self, peer: Option<SocketAddr>, error: &DispatchError, now: Timestamp) {
        if let Some((kind, reason)) = cut::why(error) {
            self.cut(peer, kind, &reason, now);
        }
    }

    /// Counts and logs a connection that was cut off.
    pub(super) fn cut(&self, peer: Option<SocketAddr>, kind: &'static str, reason: &str, now: Timestamp) {
        if self.is_told(At::new(CONNECTION), kind, now) {
            let address = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
            tracing::info!(address, kind, reason, "connection cut off");
        }
    }

    /// Logs an address that showed wrong credentials too often, and is slowed down from now on.
    pub(super) fn slowed_down(&self, request: &HttpRequest, in_force: &InForce, now: Timestamp) {
        let at = At::of(request, in_force);
        if !self.is_told(at.clone(), SLOWED_DOWN, now) {
            return;
        }
        let (At { route, .. }, source) = (&at, at.source());
        let (address, failures) = (address::of(request, in_force), in_force.throttle.failures);
        tracing::warn!(%address, route, source, failures, "this address showed wrong credentials too often: until throttle.window is over, its wrong ones are answered 429, and \
             its right ones below 20 bytes do not count");
        if address::may_be_a_proxy(request, in_force) {
            tracing::warn!(%address, "this address may be a proxy's, not the caller's: server.trusted_proxies is not set");
        }
    }

    /// The path of a request as the log shows it. It names the record. Where no route matches, it may hold a secret that was written
    /// into a wrong place: its first step shows the mistake.
    fn path(request: &HttpRequest, route: &str) -> String {
        let path = percent_decode_str(request.path()).decode_utf8_lossy();
        let end = path.get(1..).and_then(|rest| rest.find('/')).filter(|_| route == NO_ROUTE);
        brief(end.and_then(|end| path.get(..=end)).unwrap_or(&path))
    }

    /// Counts and logs a request that was refused.
    pub(super) fn tell(&self, request: &HttpRequest, in_force: &InForce, now: Timestamp, status: u16, why: &Why) {
        let at = At::of(request, in_force);
        let Why { kind, reason, operator } = why;
        if !self.is_told(at.clone(), kind, now) {
            return;
        }
        let (At { route, .. }, source) = (&at, at.source());
        let (address, method) = (address::of(request, in_force), method(request));
        if *kind == STORE {
            let error = reason;
            if request.method().is_safe() {
                tracing::error!(
                    method,
                    route,
                    source,
                    kind,
                    error,
                    "request not answered ({status}): the store cannot be read now; the caller has to ask again"
                );
            } else {
                tracing::error!(
                    method,
                    route,
                    source,
                    kind,
                    error,
                    "request not taken ({status}): the store cannot be written now; the sender has to send again"
                );
            }
        } else if route == NOTIFICATIONS {
            tracing::warn!(source, method, %address, status, kind, reason, "notification refused");
        } else {
            let path = Self::path(request, route);
            if StatusCode::from_u16(status).is_ok_and(|status| status.is_success()) {
                tracing::warn!(method, route, path, %address, status, kind, reason, "credentials refused: the request is answered as a stranger's");
                return;
            }
            tracing::warn!(method, route, path, %address, operator, status, kind, reason, "request refused");
        }
    }
}

/// The method of a request as the log shows it. A method that HTTP does not define may be any text.
fn method(request: &HttpRequest) -> &str {
    let method = request.method().as_str();
    if METHODS.contains(&method) { method } else { "another" }
}

fn log(untold: Vec<(Kind, u64)>) {
    for (Kind { at, reason: kind }, more) in untold {
        let (At { route, .. }, source) = (&at, at.source());
        tracing::warn!(
            route,
            source,
            kind,
            "{more} more refusals of this kind in this minute have no line of their own"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::why::WRONG_CREDENTIALS;
    use crate::tally::KINDS_MAX;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn at_source(name: &str) -> At {
        At { source: name.to_owned(), ..At::new(NOTIFICATIONS) }
    }

    fn kind(source: &str, reason: &'static str) -> Kind {
        Kind { at: at_source(source), reason }
    }

    #[test]
    fn routes_sources_and_reasons_are_kinds_and_the_rest_of_too_many_is_one() {
        let refusals = Refusals::default();
        for _ in 0..21 {
            refusals.is_told(at_source("stripe"), "unverified", at(0));
        }
        assert!(refusals.is_told(at_source("adyen"), "unverified", at(0)), "another source");
        assert!(refusals.is_told(at_source("stripe"), WRONG_CREDENTIALS, at(0)), "another reason");
        assert_eq!(refusals.0.untold(None), [(kind("stripe", "unverified"), 1)]);
        for route in 0..KINDS_MAX {
            refusals.is_told(At::new(route.to_string()), "unverified", at(0));
        }
        let others = Kind { at: At::new(OTHERS), reason: "unverified" };
        assert!(refusals.all().contains(&(others, 3)));
    }

    /// A slowed-down address adds nothing to the counts, and a source may have the same name as a route.
    #[test]
    fn a_route_is_no_source_and_an_address_that_is_slowed_down_is_no_refusal() {
        let refusals = Refusals::default();
        refusals.is_told(at_source(CONNECTION), "unverified", at(0));
        refusals.is_told(At::new(CONNECTION), "unverified", at(0));
        assert!(refusals.is_told(At::new("/readyz"), SLOWED_DOWN, at(0)));
        let mut all = refusals.all();
        all.sort();
        assert_eq!(
            all,
            [(kind(CONNECTION, "unverified"), 1), (Kind { at: At::new(CONNECTION), reason: "unverified" }, 1)]
        );
    }
}
