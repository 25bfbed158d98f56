//! The checks of a profile: what its single values cannot show to be wrong.
//!
//! An error has the position of what is wrong, or none where it is a matter of the whole profile.

mod call;
mod challenge;
mod dialect;
mod form;
mod place;
mod rule;
mod signature;
mod signed;

pub(super) use dialect::check;
pub(super) use signed::unsigned_headers;
