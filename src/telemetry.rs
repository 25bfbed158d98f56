//! Logs: to stderr, filtered by RUST_LOG (default `info`, the server's own from `warn`), in colour only for people.
//!
//! What the HTTP library says of single connections is left out unless RUST_LOG names it: anybody can make it say that as
//! often as they like, and `http` says the same within bounds.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

const DEFAULT: &str = "info,actix_server=warn";

/// Turns logging on. Later calls change nothing.
pub fn init() {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = EnvFilter::try_new(if wanted.is_empty() { DEFAULT } else { &wanted });
    let mut filter = filter.unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    if let (false, Ok(quiet)) = (wanted.contains("actix_http"), "actix_http=off".parse()) {
        filter = filter.add_directive(quiet);
    }
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only if it is on already.
    drop(logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init());
}
