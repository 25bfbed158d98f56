//! transform-relay: a relay between payment service providers (PSPs) and Frisbii Transform.
//!
//! A PSP posts a notification. [`ingest`] passes it to [`psp`], which verifies it and translates it into our words. The
//! [`store`] commits it together with its effect on our records, by the rules of the [`domain`]. Only then does the PSP get
//! its answer. Each changed record is owed to Transform. [`delivery`] waits until the burst of changes is over and posts one
//! webhook. Transform then reads the record, in the words of [`transform`], through a route of [`http`]. [`app`] puts the
//! parts together, [`config`] fills in their options, and [`cli`] holds the commands. [`proof`] stands beside all of them: the
//! demo, the soak, and the stand-ins for PSPs and Transform.

pub mod access;
pub mod app;
pub mod certificates;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod correcting;
pub mod delivery;
pub mod domain;
pub mod fetch;
pub mod guide;
pub mod housekeeping;
pub mod http;
pub mod importing;
pub mod ingest;
pub mod jwks;
pub mod open_files;
pub mod outbound;
pub mod proof;
pub mod psp;
pub mod registering;
pub mod repairing;
pub mod source;
pub mod store;
pub mod tally;
pub mod telemetry;
pub mod telling;
pub mod transform;

/// The allocator of the program and of all tests. Memory of a notification is freed by another thread than it came from, where glibc's
/// takes locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
