//! Checks of a profile: faults that its single values cannot show.
//!
//! An error has the position of the faulty part, or none if the whole profile is at fault.

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
