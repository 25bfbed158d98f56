//! Credentials of a caller: they must be those of the route's audience. Wrong credentials count against the caller's
//! address.

use actix_web::HttpRequest;

use super::address;
use super::in_force::InForce;
use super::problem::Problem;
use super::state::State;
use super::why::{NO_CREDENTIALS, WRONG_CREDENTIALS};
use crate::access::credentials::{Credentials, Look};

/// The audience of Transform's tokens.
pub(super) const TRANSFORM: &str = "transform";
/// The audience of the integrator's tokens.
pub(super) const INTEGRATOR: &str = "integrator";
/// The audience of a monitor's tokens.
pub(super) const MONITOR: &str = "monitor";

/// Admits Transform alone.
pub(super) fn must_be_transform(request: &HttpRequest, state: &State, in_force: &InForce) -> Result<(), Problem> {
    authorize(request, state, in_force, &[(TRANSFORM, &in_force.transform)])
}

/// Admits the integrator alone.
pub(super) fn must_be_integrator(request: &HttpRequest, state: &State, in_force: &InForce) -> Result<(), Problem> {
    authorize(request, state, in_force, &[(INTEGRATOR, &in_force.integrator)])
}

/// Admits a monitor or the integrator alone.
pub(super) fn must_be_monitor(request: &HttpRequest, state: &State, in_force: &InForce) -> Result<(), Problem> {
    authorize(request, state, in_force, &[(MONITOR, &in_force.monitor), (INTEGRATOR, &in_force.integrator)])
}

fn authorize(
    request: &HttpRequest,
    state: &State,
    in_force: &InForce,
    keys: &[(&'static str, &Credentials)],
) -> Result<(), Problem> {
    let now = state.clock.now().steady;
    let (address, policy) = (address::of(request, in_force), &in_force.throttle);
    let suspicious = state.throttle.suspicious(address, policy, now);
    let given = authorization(request);
    let look = |audience| Look { audience, issuer: &state.issuer, now, suspicious: suspicious.is_some() };
    if keys.iter().any(|(audience, credentials)| credentials.allows(given, look(audience))) {
        return Ok(());
    }
    // A caller without credentials does not guess, so this does not count.
    if given.is_none() {
        return Err(Problem::unauthorized().because(NO_CREDENTIALS, NO_CREDENTIALS));
    }
    Err(wrong(request, state, in_force).because(WRONG_CREDENTIALS, WRONG_CREDENTIALS))
}

/// Counts wrong credentials against the caller's address; returns the answer.
pub(super) fn wrong(request: &HttpRequest, state: &State, in_force: &InForce) -> Problem {
    let now = state.clock.now().steady;
    let (address, policy) = (address::of(request, in_force), &in_force.throttle);
    let suspicious = state.throttle.suspicious(address, policy, now);
    if state.throttle.failed(address, policy, now) {
        state.refusals.slowed_down(request, in_force, now);
    }
    suspicious.map_or_else(Problem::unauthorized, Problem::too_often)
}

/// The Authorization header as text.
pub(super) fn authorization(request: &HttpRequest) -> Option<&str> {
    request.headers().get("authorization")?.to_str().ok()
}
