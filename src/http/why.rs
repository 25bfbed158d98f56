//! Why a request was refused, for the log. It travels with the answer.

/// Refusals of the store, which are no fault of whoever calls.
pub(super) const STORE: &str = "store";
/// Credentials that open nothing here.
pub(super) const WRONG_CREDENTIALS: &str = "wrong credentials";
/// No credentials at a route that asks for some.
pub(super) const NO_CREDENTIALS: &str = "no credentials";

/// Why a request was refused, as the log says it. It travels with the answer.
#[derive(Debug, Clone)]
pub(super) struct Why {
    /// One of few.
    pub(super) kind: &'static str,
    /// In full.
    pub(super) reason: String,
}
