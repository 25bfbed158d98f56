//! The tokens that the stand-ins for Transform and for the payment stack present.

/// The token that the stand-in for Transform presents.
pub const TRANSFORM_TOKEN: &str = "stand-in-transform-token";
/// The token that the stand-in for the payment stack presents.
pub const STACK_TOKEN: &str = "stand-in-stack-token";
