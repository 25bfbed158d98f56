//! Request bodies and their bounds: the content type, the size, the time, and the room for all bodies together.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, Payload};
use futures_core::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::length;
use super::options::ServerOptions;
use super::problem::Problem;
use super::spoilt::Spoilt;
use crate::domain::text::shown;

/// The bounds of request bodies, for each one and for all together.
#[derive(Debug)]
pub struct Bodies {
    /// The size of the largest body, in bytes.
    max: usize,
    /// The room for all bodies that are held at once, in units of [`UNIT`].
    room: Arc<Semaphore>,
    /// Cancelled when the relay stops.
    stop: CancellationToken,
}

/// The longest wait for the next part of a body once the relay stops.
const WHEN_STOPPING: Duration = Duration::from_secs(1);
/// The unit of room, in bytes: permits are counted in 32 bits, so room is counted in KiB.
const UNIT: usize = 1024;
/// The first bytes of every body need no room, so that a small body is taken however much room the others hold. This costs
/// at most this number of bytes for each connection.
const NEEDS_NO_ROOM: usize = 16 * 1024;

/// A body, and the room that it takes until it is dropped.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Bodies {
    /// The bounds that the server's options set. After `stop` a body that has begun may still arrive, but no wait for
    /// its next part is long.
    #[must_use]
    pub fn new(options: &ServerOptions, stop: CancellationToken) -> Self {
        let room = Arc::new(Semaphore::new(options.max_buffered.div_ceil(UNIT)));
        Self { max: options.max_body, room, stop }
    }

    /// Reads a body.
    pub(super) async fn read(&self, request: &HttpRequest, payload: Payload) -> Result<Body, Problem> {
        self.read_at_most(self.max, request, payload).await
    }

    /// Reads a body of at most `most` bytes; the bound of all bodies applies as well.
    pub(super) async fn read_at_most(
        &self,
        most: usize,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Body, Problem> {
        let most = most.min(self.max);
        let announced = length::body_length(request.head()).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > most) {
            return Err(self.too_large(most));
        }
        // The connection measures server.body_timeout, since it sees the bytes arrive.
        Gate::while_open(request, self.collect(most, announced, payload)).await
    }

    /// Collects a body. Room is taken for the bytes that have arrived, not for the announced length: an announcement costs
    /// its sender nothing. A body of a known length ends at that length. actix would read on where the client offers to
    /// speak another protocol.
    async fn collect(&self, most: usize, announced: Option<usize>, mut payload: Payload) -> Result<Body, Problem> {
        let mut body = Body { bytes: Vec::new(), room: self.room(0)? };
        while announced.is_none_or(|length| body.bytes.len() < length)
            && let Some(chunk) = self.next(&mut payload).await?
        {
            let length = body.bytes.len().saturating_add(chunk.len());
            if length > most {
                return Err(self.too_large(most));
            }
            body.room.merge(self.room(units(length).saturating_sub(units(body.bytes.len())))?);
            body.bytes.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The next part of a body. While the relay stops, the wait is short: a silent client would otherwise hold up the
    /// stop as long as work in flight may.
    async fn next(&self, payload: &mut Payload) -> Result<Option<Bytes>, Problem> {
        let stopped = async {
            self.stop.cancelled().await;
            sleep(WHEN_STOPPING).await;
        };
        let next = poll_fn(|context| Pin::new(&mut *payload).poll_next(context));
        tokio::select! {
            biased;
            chunk = next => chunk.transpose().map_err(|error| broken(&error)),
            () = stopped => Err(Problem::new(503, "the relay stops and the rest of the body did not come")),
        }
    }

    /// The refusal of a body that is too large. If the bound is a setting, the log names the setting.
    fn too_large(&self, most: usize) -> Problem {
        let reason = format!("the body is larger than {most} bytes");
        let problem = Problem::new(413, reason.clone());
        if most < self.max {
            return problem;
        }
        problem.because(
            "Payload Too Large",
            format!("{reason}, which is server.max_body. Raise it if such bodies are to be taken"),
        )
    }

    fn room(&self, units: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(units);
        room.map_err(|_| {
            Problem::new(503, "too much is being received at once").because(
                "no room",
                "too much is being received at once: server.max_buffered is reached; the client has to send again",
            )
        })
    }
}

/// The room that a body of this length needs.
fn units(length: usize) -> usize {
    length.saturating_sub(NEEDS_NO_ROOM).div_ceil(UNIT)
}

fn broken(error: &PayloadError) -> Problem {
    match error {
        PayloadError::Incomplete(_) => Problem::new(400, "the body broke off before its end"),
        PayloadError::EncodingCorrupted => Spoilt::Malformed.problem(),
        other => Problem::new(400, format!("the body broke off: {other}")),
    }
}

/// Refuses a content type that is not JSON. A request without one is let through: some clients send none.
pub(super) fn must_be_json(request: &HttpRequest) -> Result<(), Problem> {
    let is_json = |essence: &str| {
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    };
    must_be(request, is_json, "application/json")
}

/// Refuses a content type that is not accepted, and names those that are. A request without one is let through: some PSPs send none.
pub(super) fn must_be(request: &HttpRequest, takes: impl Fn(&str) -> bool, wanted: &str) -> Result<(), Problem> {
    let Some(value) = request.headers().get("content-type") else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if takes(&essence) {
        return Ok(());
    }
    Err(Problem::new(415, format!("Content-Type: is {}, but must be {wanted}", shown(text))))
}
