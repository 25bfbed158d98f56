//! Logs: to stderr, filtered by RUST_LOG (default: `info`, and `warn` for the HTTP server), in colour on a terminal, unless NO_COLOR is set.
//!
//! The HTTP library's lines about single connections are left out unless RUST_LOG names the library. Anybody can cause such
//! lines without end, and `http` logs the same within bounds. While connections cannot be accepted, the library says so
//! twice a second. One such line a minute is kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use tokio::time::Instant;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

const DEFAULT: &str = "info,actix_server=warn";
/// The log target of the server's part that accepts connections.
const ACCEPTS: &str = "actix_server::accept";
/// The time in which one error line of that part is kept.
const ONCE_IN: Duration = Duration::from_secs(60);

/// Turns logging on. Later calls change nothing. A RUST_LOG that is no filter is warned of, and the default holds.
pub fn init() {
    let wanted = std::env::var_os(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let filter = EnvFilter::try_new(if wanted.is_empty() { DEFAULT } else { &wanted });
    let wrong = filter.as_ref().err().map(ToString::to_string);
    let mut filter = filter.unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let names_the_library = wrong.is_none() && wanted.contains("actix_http");
    if let (false, Ok(quiet)) = (names_the_library, "actix_http=off".parse()) {
        filter = filter.add_directive(quiet);
    }
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(has_colours()).with_target(false);
    // This fails only if logging is already on.
    drop(tracing_subscriber::registry().with(lines.with_filter(Rare::default())).with(filter).try_init());
    if let Some(reason) = wrong {
        tracing::warn!(
            RUST_LOG = ?wanted, reason,
            "RUST_LOG is no log filter: {DEFAULT} holds; correct it, as in RUST_LOG=warn,transform_relay=debug, and restart"
        );
    }
}

/// Whether stderr takes colours. `demo` and the other commands decide alike.
fn has_colours() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// A filter that passes one line a minute of those that say that no connection can be accepted.
#[derive(Debug, Default)]
struct Rare(Mutex<Option<Instant>>);

impl Rare {
    fn is_told(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = last.is_none_or(|last| now.saturating_duration_since(last) >= ONCE_IN);
        if is_told {
            *last = Some(now);
        }
        is_told
    }
}

impl<S: Subscriber> Filter<S> for Rare {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &tracing::Event<'_>, _context: &Context<'_, S>) -> bool {
        let about = event.metadata();
        about.target() != ACCEPTS || *about.level() != Level::ERROR || self.is_told(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts the lines.
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _event: &tracing::Event<'_>, _context: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn that_no_connection_can_be_accepted_is_said_once_a_minute() {
        let rare = Rare::default();
        let begin = Instant::now();
        let told = (0..240).filter(|half| rare.is_told(begin + Duration::from_millis(500 * half))).count();
        assert_eq!(told, 2);
    }

    #[test]
    fn other_lines_are_kept() {
        let lines = Arc::new(AtomicUsize::new(0));
        let layer = Lines(Arc::clone(&lines)).with_filter(Rare::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for _ in 0..3 {
                tracing::error!(target: "actix_server::accept", "Error accepting connection: too many open files");
                tracing::info!(target: "actix_server::accept", "accept thread stopped");
                tracing::error!("something else");
            }
        });
        assert_eq!(lines.load(Ordering::Relaxed), 1 + 3 + 3);
    }
}
