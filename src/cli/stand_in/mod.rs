//! What the demo and the soak need to stand in for the world around a relay: PSPs that sign, and the tokens that the
//! others present.

mod psp;
mod tokens;

pub(super) use self::psp::Psp;
pub(super) use self::tokens::{STACK_TOKEN, TRANSFORM_TOKEN};
