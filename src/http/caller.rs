//! Credentials of a caller: they must be those of the route's audience. Wrong credentials count against the caller's
//! address.

use actix_web::HttpRequest;

use super::address;
use super::in_force::InForce;
use super::problem::Problem;
use super::state::State;
use super::why::{NO_CREDENTIALS, NO_KEYS, WRONG_CREDENTIALS};
use crate::access::credentials::{Credentials, Look};
use crate::access::jwt::{self, JwtError};
use crate::jwks::NotBelieved;

/// The audience of Transform's tokens.
pub(super) const TRANSFORM: &str = "transform";
/// The audience of the integrator's tokens.
pub(super) const INTEGRATOR: &str = "integrator";
/// The audience of a monitor's tokens.
pub(super) const MONITOR: &str = "monitor";

/// Admits Transform alone: by its credentials, or by a JWT of its issuer.
pub(super) async fn must_be_transform(request: &HttpRequest, state: &State, in_force: &InForce) -> Result<(), Problem> {
    if holds(request, state, in_force, &[(TRANSFORM, &in_force.transform)]) {
        return Ok(());
    }
    let token = authorization(request).and_then(jwt::presented);
    let Some((policy, token)) = in_force.jwt.as_ref().zip(token) else {
        return Err(refused(request, state, in_force));
    };
    match state.keys.verify(token, policy).await {
        Ok(()) => Ok(()),
        Err(error @ NotBelieved::NoKeys) => {
            Err(Problem::new(503, "the token cannot be verified now").because(NO_KEYS, error.to_string()))
        }
        // It may be right: the issuer has signed with a key that is not here yet. Nobody guesses a key.
        Err(NotBelieved::Wrong(error @ JwtError::UnknownKey(_))) => {
            Err(Problem::unauthorized().because(WRONG_CREDENTIALS, error.to_string()))
        }
        Err(NotBelieved::Wrong(error @ JwtError::Wrong(_))) => {
            Err(wrong(request, state, in_force).because(WRONG_CREDENTIALS, error.to_string()))
        }
    }
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
    let is_known = holds(request, state, in_force, keys);
    if is_known { Ok(()) } else { Err(refused(request, state, in_force)) }
}

/// Whether the request holds good credentials of one of these audiences.
fn holds(request: &HttpRequest, state: &State, in_force: &InForce, keys: &[(&'static str, &Credentials)]) -> bool {
    let now = state.clock.now().steady;
    let suspicious = state.throttle.suspicious(address::of(request, in_force), &in_force.throttle, now);
    let look = |audience| Look { audience, issuer: &state.issuer, now, suspicious: suspicious.is_some() };
    keys.iter().any(|(audience, credentials)| credentials.allows(authorization(request), look(audience)))
}

fn refused(request: &HttpRequest, state: &State, in_force: &InForce) -> Problem {
    // A caller without credentials does not guess, so this does not count.
    if authorization(request).is_none() {
        return Problem::unauthorized().because(NO_CREDENTIALS, NO_CREDENTIALS);
    }
    wrong(request, state, in_force).because(WRONG_CREDENTIALS, WRONG_CREDENTIALS)
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
