//! What Transform reads.

mod failed_as;
mod views;
