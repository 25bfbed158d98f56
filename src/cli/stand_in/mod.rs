//! What the demo and the soak need to stand in for the world around a relay: PSPs that sign, and the tokens that the
//! others present.

mod psp;

pub(super) use self::psp::Psp;

/// The token that the stand-in for Transform presents.
pub(super) const TRANSFORM_TOKEN: &str = "stand-in-transform-token";
/// The token that the stand-in for the payment stack presents.
pub(super) const STACK_TOKEN: &str = "stand-in-stack-token";
