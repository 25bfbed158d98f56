//! Logs: to stderr, filtered by RUST_LOG (default `info`, the server's own from `warn`), in colour only for people.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Turns logging on. Later calls change nothing.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only if it is on already.
    drop(logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init());
}
