//! The pure parts of the relay as a crate: what is fuzzed needs no server, no database and no TLS, and is built in a
//! fraction of the time without them.

#[path = "../src/domain/mod.rs"]
pub mod domain;
#[path = "../src/psp/mod.rs"]
pub mod psp;
