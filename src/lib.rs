//! transform-relay: between payment service providers and Frisbii Transform.
//!
//! A PSP posts a notification. [`ingest`] has [`psp`] verify it and say it in our words, and the [`store`] commit it
//! with what it does to our records, by the rules of the [`domain`]; then, and only then, the PSP is answered. Each
//! record that changed is owed to Transform: [`delivery`] waits until its burst of changes is over and posts one
//! webhook; Transform fetches the record, in the words of [`transform`], through a route of [`http`]. [`app`] puts the
//! parts together, [`config`] fills in their options, [`cli`] is what people type.

pub mod access;
pub mod app;
pub mod certificates;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod delivery;
pub mod domain;
pub mod fetch;
pub mod guide;
pub mod housekeeping;
pub mod http;
pub mod ingest;
pub mod open_files;
pub mod outbound;
pub mod psp;
pub mod registering;
pub mod source;
pub mod store;
pub mod tally;
pub mod telemetry;
pub mod transform;
