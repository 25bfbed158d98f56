//! A client's connection: answers go as fast as the client reads them, and requests are read no faster than that.
//!
//! actix reads on while nobody takes its answers. Once its buffer is full of requests it polls itself without a pause, for
//! as long as the connection is open (docs/upstream/actix-http-unread-answers.md). So the stream below it reads nothing
//! while an answer is being made or waits to be sent, and little at a time.

use std::cell::Cell;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_server::GracefulShutdownSignal;
use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, dev};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// So many bytes are read before actix looks at what they are. It answers all requests among them before it lets others
/// have their turn, and each of them costs memory.
const READ_AT_ONCE: usize = 2 * 1024;
/// How long a client may take to read what is left when the relay stops.
const WHEN_STOPPING: Duration = Duration::from_secs(1);

/// How long a client may take to read an answer.
#[derive(Clone)]
pub(super) struct Patience {
    /// While the relay runs.
    pub(super) write_timeout: Duration,
    /// Says that the relay stops.
    pub(super) stopping: GracefulShutdownSignal,
}

impl Patience {
    async fn ends(self) {
        let stopped = async {
            self.stopping.notified().await;
            sleep(WHEN_STOPPING).await;
        };
        tokio::select! {
            () = sleep(self.write_timeout) => {}
            () = stopped => {}
        }
    }
}

/// What a connection and the requests on it know of each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Rc<Entered>);

#[derive(Debug, Default)]
struct Entered {
    /// Whether a request was read to its end and has no answer yet.
    closed: Cell<bool>,
    /// Whether anything came at all.
    heard: Cell<bool>,
    /// Whether there was a request.
    used: Cell<bool>,
}

impl Gate {
    /// The request has been read to its end: what comes next is another one, which waits for its turn.
    pub(super) fn close(request: &HttpRequest) {
        if let Some(gate) = request.conn_data::<Self>() {
            gate.0.closed.set(true);
        }
    }

    /// Whether something came that never became a request.
    pub(super) fn was_left_halfway(&self) -> bool {
        self.0.heard.get() && !self.0.used.get()
    }

    /// Tells the requests of a connection which one it is.
    pub(super) fn connect(stream: &Paced, data: &mut Extensions) {
        data.insert(stream.gate.clone());
    }
}

/// Closes the connection's gate while a request without a body is answered; one with a body closes it when that is read.
pub(super) async fn one_at_a_time<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> std::result::Result<ServiceResponse<B>, actix_web::Error> {
    let gate = request.conn_data::<Gate>().cloned().unwrap_or_default();
    gate.0.used.set(true);
    gate.0.closed.set(!has_body(request.head()));
    let answer = next.call(request).await;
    gate.0.closed.set(false);
    answer
}

fn has_body(head: &dev::RequestHead) -> bool {
    let length = head.headers().get("content-length");
    head.headers().contains_key("transfer-encoding") || length.is_some_and(|length| length != "0")
}

/// A connection on which nothing is read while something is to be written.
pub(super) struct Paced {
    tcp: TcpStream,
    patience: Patience,
    gate: Gate,
    /// What was read since actix last looked, in bytes.
    taken: usize,
    /// Ends when the client has had enough time to read what is to be sent; none if nothing is.
    unsent: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Whether actix would have read something and was told to wait.
    refused: bool,
}

impl Paced {
    pub(super) fn new(tcp: TcpStream, patience: Patience, gate: Gate) -> Self {
        Self { tcp, patience, gate, taken: 0, unsent: None, refused: false }
    }

    fn may_read(&self) -> bool {
        self.unsent.is_none() && !self.gate.0.closed.get()
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if !self.may_read() {
            // Whoever writes the answer wakes the reader.
            self.refused = true;
            return Poll::Pending;
        }
        if self.taken >= READ_AT_ONCE {
            self.taken = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut bytes = [0; READ_AT_ONCE];
        let most = READ_AT_ONCE.saturating_sub(self.taken).min(into.remaining());
        let mut part = ReadBuf::new(bytes.get_mut(..most).unwrap_or_default());
        let read = Pin::new(&mut self.tcp).poll_read(context, &mut part);
        into.put_slice(part.filled());
        self.taken = if read.is_pending() { 0 } else { self.taken.saturating_add(part.filled().len()) };
        if !part.filled().is_empty() {
            self.gate.0.heard.set(true);
        }
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if let Poll::Ready(written) = Pin::new(&mut self.tcp).poll_write(context, bytes) {
            return Poll::Ready(written);
        }
        let mut unsent = match self.unsent.take() {
            Some(unsent) => unsent,
            None => Box::pin(self.patience.clone().ends()),
        };
        if unsent.as_mut().poll(context).is_pending() {
            self.unsent = Some(unsent);
            return Poll::Pending;
        }
        // The machine would go on trying to send what it holds.
        drop(self.tcp.set_zero_linger());
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not read its answers")))
    }

    /// actix flushes when all that it had was written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.unsent = None;
        if self.refused && self.may_read() {
            self.refused = false;
            context.waker().wake_by_ref();
        }
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
