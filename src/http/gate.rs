//! Gate of a connection, shared with its requests: whose turn it is, and where a request ends.
//!
//! actix decodes all bytes that it has, and has one state for them. The method and the version of a pipelined request would
//! decide how the request before it is answered. So actix gets one request at a time.

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
use super::head::{Head, Portion};
use super::length::{HEAD_MAX, body_length, speaks_on};
use super::problem::Problem;
use super::refused_head::RefusedHead;
use super::request_line::RequestLine;
use super::spoilt::Spoilt;

/// The state of a connection, which it shares with its requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Rc<State>);

#[derive(Debug, Default)]
struct State {
    turn: Cell<Turn>,
    /// The number of requests so far.
    requests: Cell<u64>,
    /// The progress of the awaited head.
    head: Cell<Head>,
    /// The progress of the body, if only the body itself shows its end.
    chunks: Cell<Chunks>,
    /// The bytes of the body that actix has yet to get; none if only the body itself shows its end and that has not come.
    left: Cell<Option<u64>>,
    /// Whether the request has a body that was not read to its end.
    unread: Cell<bool>,
    /// Whether actix takes all further bytes for this request's body, whatever the head says.
    endless: Cell<bool>,
}

/// The part that a client has to send next, with the number of requests so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The head of the next request.
    Head(u64),
    /// More of a body.
    Body(u64),
}

/// The turn of a connection: the part that is awaited, and the side that it comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    /// The head of a request, from the client.
    #[default]
    Head,
    /// The body of a request, from the client.
    Body,
    /// An answer, from the relay. Nothing is read meanwhile.
    Answer,
    /// An answer, from the relay, to a body that is refused while it comes.
    Spoilt(Spoilt),
    /// The end, after a body that was not read.
    End,
    /// The end, after a head that was refused.
    Refused(RefusedHead),
}

impl Gate {
    /// Gives the requests of a connection access to its gate.
    pub(super) fn connect(&self, data: &mut Extensions) {
        data.insert(self.clone());
    }

    fn of(request: &HttpRequest) -> Self {
        request.conn_data::<Self>().cloned().unwrap_or_default()
    }

    /// Opens the gate while a body is read. Once the body is refused, the wait for it ends.
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
        self.0.head.set(Head::default());
        self.0.chunks.set(Chunks::default());
        self.0.left.set(length);
        self.0.unread.set(length != Some(0));
        self.0.endless.set(speaks_on(head));
        self.0.turn.set(Turn::Answer);
    }

    /// Ends a request. Returns whether another request may follow.
    fn end(&self) -> bool {
        let goes_on = !self.0.unread.get() && !self.0.endless.get();
        self.0.turn.set(if goes_on { Turn::Head } else { Turn::End });
        goes_on
    }

    /// Whether the connection may be read now.
    pub(super) fn is_open(&self) -> bool {
        match self.0.turn.get() {
            Turn::Answer | Turn::Spoilt(_) => false,
            Turn::Body => self.0.left.get() != Some(0),
            Turn::Head | Turn::End | Turn::Refused(_) => true,
        }
    }

    /// The portion of these bytes that actix may have before it looks at them. Bytes behind a request may be the next one.
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
        let mut head = self.0.head.get();
        let portion = head.portion(bytes);
        self.0.head.set(head);
        portion
    }

    /// The portion of a body in chunks; no bytes if the body is refused for its content.
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

    /// The part that the client has to send; none if it has to send nothing.
    pub(super) fn awaits(&self) -> Option<Awaited> {
        let requests = self.0.requests.get();
        match self.0.turn.get() {
            Turn::Head => Some(Awaited::Head(requests)),
            Turn::Body => Some(Awaited::Body(requests)),
            _ => None,
        }
    }

    /// The bytes that came of the awaited head.
    pub(super) fn heard(&self) -> usize {
        self.0.head.get().heard
    }

    /// Notes that further bytes of the awaited head came.
    pub(super) fn hear(&self, bytes: usize) {
        let mut head = self.0.head.get();
        head.heard = head.heard.saturating_add(bytes);
        self.0.head.set(head);
        if head.heard > HEAD_MAX {
            self.refuse(RefusedHead::Large);
        }
    }

    /// Refuses the head. Nothing comes after it.
    pub(super) fn refuse(&self, fault: RefusedHead) {
        self.0.turn.set(Turn::Refused(fault));
    }

    /// The fault of the awaited head, if this is actix's refusal of it. While a head comes, actix gives no other answer.
    pub(super) fn refused_by(&self, answer: &[u8]) -> Option<RefusedHead> {
        let is_awaited = self.0.turn.get() == Turn::Head && self.heard() > 0;
        RefusedHead::of_actix(answer).filter(|_| is_awaited)
    }

    /// The fault of the head, if the relay or actix refused it.
    pub(super) fn refused(&self) -> Option<RefusedHead> {
        match self.0.turn.get() {
            Turn::Refused(fault) => Some(fault),
            _ => None,
        }
    }

    /// The beginning of the awaited head, or of the refused one.
    pub(super) fn line(&self) -> RequestLine {
        self.0.head.get().line
    }

    /// Gives up the awaited part, which did not come in time. A client that sent nothing of a head leaves no trace.
    pub(super) fn give_up(&self) {
        self.0.turn.set(match self.0.turn.get() {
            Turn::Body => Turn::Spoilt(Spoilt::Late),
            _ if self.heard() == 0 => Turn::End,
            _ => Turn::Refused(RefusedHead::Late),
        });
    }

    /// The kind and the reason of a cut, if the last bytes never became a request. A head that the relay's own stop cut off
    /// is no fault.
    pub(super) fn cut(&self, stops: bool) -> Option<(&'static str, &'static str)> {
        match self.0.turn.get() {
            Turn::Refused(fault) => Some(fault.why()),
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

    /// The number of portions in which actix gets these chunks, for a number of bytes that the relay reads at once.
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

    /// Without this, a client would choose how often actix looks: once for two bytes of data.
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
