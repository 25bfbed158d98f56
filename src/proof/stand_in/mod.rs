//! Stand-ins that the demo and the soak share: PSPs that sign, and the tokens of Transform and the payment stack.

mod psp;
mod tokens;

pub(super) use self::psp::Psp;
pub(super) use self::tokens::{STACK_TOKEN, TRANSFORM_TOKEN};
