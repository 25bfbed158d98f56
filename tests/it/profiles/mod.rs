//! The built-in profiles on the project's own fixtures. Each PSP has tests of its own; `support/fixtures.rs` describes the
//! files.

mod agreement;
mod bodies;
mod challenges;
mod each;
mod failures;
mod unknown_states;
mod vectors;
