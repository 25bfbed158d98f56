//! The domain, pure: records, events, and what an event does to a record.
//!
//! Nothing in here does I/O, reads a clock or draws a random number; times come in as arguments.

pub mod age;
mod anchor;
mod answered;
pub mod attempt;
mod bearer;
pub mod bookings;
pub mod contradiction;
pub mod dispute;
pub mod due;
pub mod event;
pub mod family;
mod fields;
pub mod ids;
pub mod ignored;
pub mod import;
pub mod imported;
pub mod json;
mod left;
pub mod message;
pub mod money;
pub mod nearest;
pub mod record;
pub mod register;
pub mod registration;
pub mod registration_copy;
pub mod span;
pub mod stamp;
mod standing;
pub mod stated;
pub mod statement;
pub mod status;
pub mod telling;
pub mod text;
pub mod total;
pub mod transition;
mod unexplained;
pub mod view;

#[cfg(test)]
mod properties;
