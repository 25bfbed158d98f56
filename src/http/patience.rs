//! Patience with a client: the longest times that it may take.

use std::future::ready;
use std::time::Duration;

use actix_server::GracefulShutdownSignal;
use tokio::time::sleep;

use super::gate::Awaited;

/// The longest time for a client to read the rest of its answers when the relay stops.
const WHEN_STOPPING: Duration = Duration::from_secs(1);

/// The reason why a client that does not read is cut off, by the relay or by the machine.
pub(super) const NOT_READ: &str = "the client did not read its answers within server.write_timeout";
/// The same reason while the relay stops.
const NOT_READ_AT_THE_STOP: &str = "the relay stops, and the client did not read its answers within a second";

/// The longest times that a client may take.
#[derive(Clone)]
pub(super) struct Patience {
    /// To send the head of a request.
    pub(super) header_timeout: Duration,
    /// To begin another request.
    pub(super) keep_alive: Duration,
    /// To send a body.
    pub(super) body_timeout: Duration,
    /// To read an answer, while the relay runs.
    pub(super) write_timeout: Duration,
    /// Signals that the relay stops.
    pub(super) stopping: GracefulShutdownSignal,
}

impl Patience {
    /// The longest time for the awaited part, counted from the moment when nothing of it has come.
    pub(super) const fn awaiting(&self, awaited: Awaited) -> Duration {
        match awaited {
            Awaited::Head(0) => self.header_timeout,
            Awaited::Head(_) => self.keep_alive,
            Awaited::Body(_) => self.body_timeout,
        }
    }

    /// Whether the relay stops.
    pub(super) async fn stops(&self) -> bool {
        tokio::select! {
            biased;
            () = self.stopping.notified() => true,
            () = ready(()) => false,
        }
    }

    /// Ends when the client's time to read its answers is over; returns the reason.
    pub(super) async fn ends(self) -> &'static str {
        let stopped = async {
            self.stopping.notified().await;
            sleep(WHEN_STOPPING).await;
        };
        tokio::select! {
            () = sleep(self.write_timeout) => NOT_READ,
            () = stopped => NOT_READ_AT_THE_STOP,
        }
    }
}
