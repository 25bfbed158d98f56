//! Reason of a refused request, for the log. It travels with the answer.

/// The kind of refusals of the store. The caller is not at fault.
pub(super) const STORE: &str = "store";
/// The kind of refusals of credentials that are wrong for the route.
pub(super) const WRONG_CREDENTIALS: &str = "wrong credentials";
/// The kind of refusals of requests without credentials, at a route that demands some.
pub(super) const NO_CREDENTIALS: &str = "no credentials";
/// The kind of refusals of known credentials that do not suffice for the route.
pub(super) const LACKS_ROLE: &str = "lacks the role";
/// The kind of refusals of a route that the other address of the relay has.
pub(super) const OTHER_ADDRESS: &str = "other address";
/// The kind of refusals of a JWT that cannot be verified yet. The caller is not at fault.
pub(super) const NO_KEYS: &str = "no keys";

/// The reason of a refused request, as the log says it. It travels with the answer.
#[derive(Debug, Clone)]
pub(super) struct Why {
    /// The kind of the reason, one of few.
    pub(super) kind: &'static str,
    /// The reason in full.
    pub(super) reason: String,
    /// The operator who was refused.
    pub(super) operator: Option<String>,
}

impl Why {
    /// The reason of a refusal that is no operator's.
    pub(super) fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), operator: None }
    }
}
