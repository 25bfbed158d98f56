//! What a connection and the requests on it know of each other: whose turn it is.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;

/// No request has a larger head, in bytes. Whoever has not finished its head costs this much.
pub(super) const HEAD_MAX: usize = 32 * 1024;

/// The state of a connection, which it shares with its requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Rc<State>);

#[derive(Debug, Default)]
struct State {
    turn: Cell<Turn>,
    /// How many requests there were.
    requests: Cell<u64>,
    /// How much came while a head was awaited, in bytes.
    heard: Cell<usize>,
    /// Whether the request has a body that was not read to its end.
    unread: Cell<bool>,
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

    /// Opens the gate while a body is read.
    pub(super) async fn while_open<T, E>(
        request: &HttpRequest,
        reading: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let gate = Self::of(request);
        gate.0.turn.set(Turn::Body);
        let read = reading.await;
        gate.0.turn.set(Turn::Answer);
        gate.0.unread.set(gate.0.unread.get() && read.is_err());
        read
    }

    fn begin(&self, head: &RequestHead) {
        self.0.requests.set(self.0.requests.get().saturating_add(1));
        self.0.heard.set(0);
        self.0.unread.set(has_body(head));
        self.0.turn.set(Turn::Answer);
    }

    /// Says whether there may be another request.
    fn end(&self) -> bool {
        let goes_on = !self.0.unread.get();
        self.0.turn.set(if goes_on { Turn::Head } else { Turn::End });
        goes_on
    }

    /// Whether anything is read now.
    pub(super) fn is_open(&self) -> bool {
        self.0.turn.get() != Turn::Answer
    }

    /// How many requests came before the head that is awaited; none if no head is.
    pub(super) fn awaits_head(&self) -> Option<u64> {
        (self.0.turn.get() == Turn::Head).then(|| self.0.requests.get())
    }

    /// How much came of the head that is awaited, in bytes.
    pub(super) fn heard(&self) -> usize {
        self.0.heard.get()
    }

    /// So many bytes came while a head is awaited.
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

    /// The head that is awaited did not come in time. A client that never said anything goes without a trace.
    pub(super) fn give_up(&self) {
        let is_silent = self.0.requests.get() == 0 && self.heard() == 0;
        self.0.turn.set(if is_silent { Turn::End } else { Turn::Late });
    }

    /// The kind and the reason, if what came last never became a request.
    pub(super) fn cut(&self) -> Option<(&'static str, &'static str)> {
        match self.0.turn.get() {
            Turn::Late => Some(("half a request", "no whole head of a request came within server.header_timeout")),
            Turn::TooLarge => Some(("too large a head", "the head of a request is larger than 32 KiB")),
            Turn::Head if self.heard() > 0 => Some(("half a request", "no whole request came")),
            Turn::Head | Turn::Body | Turn::Answer | Turn::End => None,
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

fn has_body(head: &RequestHead) -> bool {
    let length = |text: &str| text.trim().parse::<u64>();
    let length = head.headers().get("content-length").map(|value| value.to_str().map(length));
    head.headers().contains_key("transfer-encoding") || length.is_some_and(|length| !matches!(length, Ok(Ok(0))))
}
