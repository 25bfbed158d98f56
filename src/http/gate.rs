//! What a connection and the requests on it know of each other: whose turn it is, and how far a request reaches.
//!
//! actix decodes all that it has, and has one state for it: the method and the version of a request that came behind another
//! one would decide how the first is answered. So it gets one request at a time.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;

use super::chunks::Chunks;
use super::length::{HEAD_MAX, body_length, speaks_on};
use super::lines::Lines;
use super::problem::Problem;
use super::spoilt::Spoilt;

/// So much of the empty lines before a head is no part of it, in bytes: old clients send one behind a body (RFC 9112, 2.2).
const BLANK_MAX: usize = 16;

/// The state of a connection, which it shares with its requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Rc<State>);

#[derive(Debug, Default)]
struct State {
    turn: Cell<Turn>,
    /// How many requests there were.
    requests: Cell<u64>,
    /// How much came of the head that is awaited, in bytes.
    heard: Cell<usize>,
    /// How much came before it that is no part of it, in bytes.
    blank: Cell<usize>,
    /// How far the head has come of which actix has a part.
    lines: Cell<Lines>,
    /// How far the body has come, if its end stands in it.
    chunks: Cell<Chunks>,
    /// How much of the body actix has yet to get, in bytes; none if the body's end stands in it and has not come.
    left: Cell<Option<u64>>,
    /// Whether the request has a body that was not read to its end.
    unread: Cell<bool>,
    /// Whether actix takes all that comes for this request's body, whatever its head says.
    endless: Cell<bool>,
}

/// As much as actix may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portion {
    /// So many bytes.
    pub(super) bytes: usize,
    /// So many of them belong to the head that is awaited.
    pub(super) of_a_head: usize,
    /// Whether the request may end there, so that actix has to look before it gets more.
    pub(super) may_be_all: bool,
}

/// What a client is to send, after how many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The head of the next request.
    Head(u64),
    /// More of a body.
    Body(u64),
}

/// What is awaited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    /// The head of a request, from the client.
    #[default]
    Head,
    /// The body of a request, from the client.
    Body,
    /// An answer, from the relay: nothing is read.
    Answer,
    /// The same, to a body that is refused as it comes.
    Spoilt(Spoilt),
    /// The end, after a body that was not read.
    End,
    /// The end, after a head that did not come in time.
    Late,
    /// The end, after a head that is too large.
    TooLarge,
}

impl Gate {
    /// Tells the requests of a connection which one it is.
    pub(super) fn connect(&self, data: &mut Extensions) {
        data.insert(self.clone());
    }

    fn of(request: &HttpRequest) -> Self {
        request.conn_data::<Self>().cloned().unwrap_or_default()
    }

    /// Opens the gate while a body is read. Nothing is waited for once the body is refused.
    pub(super) async fn while_open<T>(
        request: &HttpRequest,
        reading: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let gate = Self::of(request);
        let mut reading = pin!(reading);
        gate.0.turn.set(Turn::Body);
        let read = poll_fn(|context| match reading.as_mut().poll(context) {
            Poll::Pending => match gate.0.turn.get() {
                Turn::Spoilt(why) => Poll::Ready(Err(why.problem())),
                _ => Poll::Pending,
            },
            read => read,
        });
        let read = read.await;
        gate.0.turn.set(Turn::Answer);
        gate.0.unread.set(gate.0.unread.get() && read.is_err());
        read
    }

    fn begin(&self, head: &RequestHead) {
        let length = body_length(head);
        self.0.requests.set(self.0.requests.get().saturating_add(1));
        self.0.heard.set(0);
        self.0.blank.set(0);
        self.0.lines.set(Lines::default());
        self.0.chunks.set(Chunks::default());
        self.0.left.set(length);
        self.0.unread.set(length != Some(0));
        self.0.endless.set(speaks_on(head));
        self.0.turn.set(Turn::Answer);
    }

    /// Says whether there may be another request.
    fn end(&self) -> bool {
        let goes_on = !self.0.unread.get() && !self.0.endless.get();
        self.0.turn.set(if goes_on { Turn::Head } else { Turn::End });
        goes_on
    }

    /// Whether anything is read now.
    pub(super) fn is_open(&self) -> bool {
        match self.0.turn.get() {
            Turn::Answer | Turn::Spoilt(_) => false,
            Turn::Body => self.0.left.get() != Some(0),
            Turn::Head | Turn::End | Turn::Late | Turn::TooLarge => true,
        }
    }

    /// How many of these bytes actix may have before it has looked at them: what comes behind a request may be the next one.
    pub(super) fn portion(&self, bytes: &[u8]) -> Portion {
        let all = bytes.len();
        match (self.0.turn.get(), self.0.left.get()) {
            (Turn::Body, Some(left)) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(all);
                self.0.left.set(Some(left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX))));
                Portion { bytes: most, of_a_head: 0, may_be_all: most < all }
            }
            (Turn::Body, None) => self.portion_of_chunks(bytes),
            (Turn::Head, _) => self.portion_of_a_head(bytes),
            _ => Portion { bytes: all, of_a_head: 0, may_be_all: false },
        }
    }

    fn portion_of_a_head(&self, bytes: &[u8]) -> Portion {
        let mut lines = self.0.lines.get();
        let blank = lines.blank(bytes).min(BLANK_MAX.saturating_sub(self.0.blank.get()));
        let end = lines.empty(bytes);
        self.0.lines.set(lines);
        self.0.blank.set(self.0.blank.get().saturating_add(blank));
        let most = end.unwrap_or(bytes.len());
        Portion { bytes: most, of_a_head: most.saturating_sub(blank), may_be_all: end.is_some() }
    }

    /// None if the body is refused for what it holds.
    fn portion_of_chunks(&self, bytes: &[u8]) -> Portion {
        let mut chunks = self.0.chunks.get();
        let end = chunks.end(bytes);
        self.0.chunks.set(chunks);
        let malformed = chunks.is_malformed().then_some(Spoilt::Malformed);
        if let Some(why) = chunks.is_too_much().then_some(Spoilt::Padded).or(malformed) {
            self.0.turn.set(Turn::Spoilt(why));
            return Portion { bytes: 0, of_a_head: 0, may_be_all: false };
        }
        if end.is_some() {
            self.0.left.set(Some(0));
        }
        Portion { bytes: end.unwrap_or(bytes.len()), of_a_head: 0, may_be_all: end.is_some() }
    }

    /// What the client is to send; none if that is nothing.
    pub(super) fn awaits(&self) -> Option<Awaited> {
        let requests = self.0.requests.get();
        match self.0.turn.get() {
            Turn::Head => Some(Awaited::Head(requests)),
            Turn::Body => Some(Awaited::Body(requests)),
            _ => None,
        }
    }

    /// How much came of the head that is awaited, in bytes.
    pub(super) fn heard(&self) -> usize {
        self.0.heard.get()
    }

    /// So many bytes came of the head that is awaited.
    pub(super) fn hear(&self, bytes: usize) {
        self.0.heard.set(self.0.heard.get().saturating_add(bytes));
        if self.0.heard.get() > HEAD_MAX {
            self.0.turn.set(Turn::TooLarge);
        }
    }

    /// Whether the head was too large: what still comes is for nobody.
    pub(super) fn is_refused(&self) -> bool {
        self.0.turn.get() == Turn::TooLarge
    }

    /// What is awaited did not come in time. A client that said nothing of a head goes without a trace.
    pub(super) fn give_up(&self) {
        self.0.turn.set(match self.0.turn.get() {
            Turn::Body => Turn::Spoilt(Spoilt::Late),
            _ if self.heard() == 0 => Turn::End,
            _ => Turn::Late,
        });
    }

    /// The kind and the reason, if what came last never became a request. That the relay's own stop cut it off is no fault.
    pub(super) fn cut(&self, stops: bool) -> Option<(&'static str, &'static str)> {
        match self.0.turn.get() {
            Turn::Late => Some(("half a request", "no whole head of a request came within server.header_timeout")),
            Turn::TooLarge => Some(("too large a head", "the head of a request is larger than 32 KiB")),
            Turn::Head if self.heard() > 0 && !stops => {
                Some(("half a request", "the client hung up in the head of a request"))
            }
            Turn::Head | Turn::Body | Turn::Answer | Turn::Spoilt(_) | Turn::End => None,
        }
    }
}

/// Keeps the gate closed while a request is answered, unless its body is being read. A body that was not read ends the
/// connection, whether it has arrived or not.
pub(super) async fn one_at_a_time<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let gate = Gate::of(request.request());
    gate.begin(request.head());
    let mut answer = next.call(request).await;
    if !gate.end()
        && let Ok(answer) = &mut answer
    {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    answer
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// How often actix is given some of these chunks, if the relay reads so many bytes at once.
    fn looks(chunks: &[u8], at_once: usize) -> usize {
        let request = TestRequest::post().insert_header(("transfer-encoding", "chunked")).to_srv_request();
        let gate = Gate::default();
        gate.begin(request.head());
        gate.0.turn.set(Turn::Body);
        let (mut rest, mut looks) = (chunks, 0);
        while !rest.is_empty() {
            let portion = gate.portion(&rest[..rest.len().min(at_once)]);
            rest = &rest[portion.bytes..];
            looks += 1;
        }
        looks
    }

    /// Otherwise a client would choose how often actix looks: once for two bytes of data.
    #[test]
    fn a_body_in_chunks_is_looked_at_as_often_as_it_is_read_whatever_it_holds() {
        for data in ["\r\n".repeat(32 * 1024), "x\n\r\n".repeat(16 * 1024), "0\r\n\r\n".repeat(16 * 1024)] {
            let chunks = format!("{:x}\r\n{data}\r\n0\r\n\r\n", data.len());
            assert_eq!(looks(chunks.as_bytes(), 2048), chunks.len().div_ceil(2048));
        }
        let trailers = format!("0\r\n{}\r\n", "x\n\r\n".repeat(1024));
        assert_eq!(looks(trailers.as_bytes(), 2048), trailers.len().div_ceil(2048));
    }
}
