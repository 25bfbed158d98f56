//! Credentials of a caller: they must be those of the route's audience, and an operator's role must suffice. Wrong
//! credentials count against the caller's address.

use actix_web::HttpRequest;

use super::address;
use super::in_force::InForce;
use super::problem::Problem;
use super::state::State;
use super::why::{LACKS_ROLE, NO_CREDENTIALS, NO_KEYS, WRONG_CREDENTIALS};
use crate::access::credentials::{Credentials, Look};
use crate::access::jwt::{self, JwtError};
use crate::access::operators::Role;
use crate::jwks::NotBelieved;

/// The audience of Transform's tokens.
pub(super) const TRANSFORM: &str = "transform";
/// The audience of the integrator's tokens.
pub(super) const INTEGRATOR: &str = "integrator";
/// The audience of a monitor's tokens.
const MONITOR: &str = "monitor";
/// The audience of operators' tokens.
const OPERATOR: &str = "operators";

/// A caller of the routes that are neither a PSP's nor Transform's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// The payment stack.
    Integrator,
    /// A monitor.
    Monitor,
    /// The operator of this name, with the role in force.
    Operator(String, Role),
}

impl Caller {
    /// The operator's name, for the log.
    pub(super) fn operator(&self) -> Option<&str> {
        match self {
            Self::Operator(name, _) => Some(name),
            Self::Integrator | Self::Monitor => None,
        }
    }

    /// Whether the caller is an operator whose role is at least this one.
    fn has(&self, needed: Role) -> bool {
        matches!(self, Self::Operator(_, role) if *role >= needed)
    }

    /// The refusal of known credentials that do not suffice. They are no guess, so they do not count against the address. The route
    /// is also for these `others`.
    fn lacks(&self, needed: Role, others: &str) -> Problem {
        let has = match self {
            Self::Operator(name, role) => format!("operator {name} has the role {}", role.name()),
            Self::Integrator => "the payment stack has no role".to_owned(),
            Self::Monitor => "a monitor has no role".to_owned(),
        };
        let roles = match needed {
            Role::Look => "look, act or manage",
            Role::Act => "act or manage",
            Role::Manage => "manage",
        };
        let reason = format!("this route is for {others}an operator with the role {roles}; {has}");
        Problem::new(403, &reason).because(LACKS_ROLE, reason).by(self.operator())
    }
}

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

/// Admits the integrator, and an operator whose role is at least this one.
pub(super) fn must_be_integrator_or(
    role: Role,
    request: &HttpRequest,
    state: &State,
    in_force: &InForce,
) -> Result<Caller, Problem> {
    let admits = |caller: &Caller| *caller == Caller::Integrator || caller.has(role);
    admitted(request, state, in_force, (role, "the payment stack or "), admits)
}

/// Admits an operator whose role is at least this one. While no operator is configured, their routes are the integrator's.
pub(super) fn must_be_operator(
    role: Role,
    request: &HttpRequest,
    state: &State,
    in_force: &InForce,
) -> Result<Caller, Problem> {
    let is_the_integrators = in_force.operators.is_empty();
    let admits = |caller: &Caller| is_the_integrators && *caller == Caller::Integrator || caller.has(role);
    admitted(request, state, in_force, (role, ""), admits)
}

/// Admits a monitor and an operator. The integrator is admitted while there are no operators, or no monitor: an alert that
/// goes by the integrator's token must not end because an operator is added.
pub(super) fn must_be_monitor(request: &HttpRequest, state: &State, in_force: &InForce) -> Result<Caller, Problem> {
    let is_the_integrators = in_force.operators.is_empty() || in_force.monitor.is_empty();
    let admits = |caller: &Caller| match caller {
        Caller::Integrator => is_the_integrators,
        Caller::Monitor | Caller::Operator(..) => true,
    };
    admitted(request, state, in_force, (Role::Look, "a monitor or "), admits)
}

fn admitted(
    request: &HttpRequest,
    state: &State,
    in_force: &InForce,
    (needed, others): (Role, &str),
    admits: impl Fn(&Caller) -> bool,
) -> Result<Caller, Problem> {
    match known(request, state, in_force) {
        Some(caller) if admits(&caller) => Ok(caller),
        // Nobody is told more than before while there are no roles.
        Some(caller) if !in_force.operators.is_empty() => Err(caller.lacks(needed, others)),
        _ => Err(refused(request, state, in_force)),
    }
}

/// The caller by the credentials of the request: the integrator, a monitor or an operator.
fn known(request: &HttpRequest, state: &State, in_force: &InForce) -> Option<Caller> {
    let holds = |audience, credentials| holds(request, state, in_force, &[(audience, credentials)]);
    if holds(INTEGRATOR, &in_force.integrator) {
        return Some(Caller::Integrator);
    }
    if holds(MONITOR, &in_force.monitor) {
        return Some(Caller::Monitor);
    }
    let mut operators = in_force.operators.iter();
    let found = operators.find(|(_, operator)| holds(OPERATOR, &operator.credentials));
    found.map(|(name, operator)| Caller::Operator(name.clone(), operator.role))
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
    // Somebody who has mixed up two tokens learns it from the log, and from nothing else.
    let whose = match known(request, state, in_force) {
        Some(Caller::Integrator) => Some("the payment stack's".to_owned()),
        Some(Caller::Monitor) => Some("a monitor's".to_owned()),
        Some(Caller::Operator(name, _)) => Some(format!("those of operator {name}")),
        None if holds(request, state, in_force, &[(TRANSFORM, &in_force.transform)]) => Some("Transform's".to_owned()),
        None => None,
    };
    let reason = match whose {
        Some(whose) => format!("{WRONG_CREDENTIALS}: they are {whose}, which this route does not take"),
        None => WRONG_CREDENTIALS.to_owned(),
    };
    wrong(request, state, in_force).because(WRONG_CREDENTIALS, reason)
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
