//! What Transform reads.

mod agreements;
mod failed_as;
mod views;
