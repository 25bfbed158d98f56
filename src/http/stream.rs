//! Stream of a client's connection: answers go as fast as the client reads them, and requests are read no faster.
//!
//! actix reads on while the client does not take its answers. Once its buffer is full of requests it polls itself without a
//! pause, for as long as the connection is open (docs/upstream/actix-http-unread-answers.md). So the stream below actix
//! reads nothing while an answer is being made or waits to be sent, and little at a time. Bytes behind a request are held
//! back until the request has its answer.

use std::future::{Future, ready};
use std::io::{Error, ErrorKind, Result};
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_server::GracefulShutdownSignal;
use actix_web::dev::Extensions;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::gate::{Awaited, Gate, Portion};

/// The most bytes that are read before actix looks at them. actix answers all requests among them before other connections
/// have their turn, and each request costs memory.
const READ_AT_ONCE: usize = 2 * 1024;
/// The longest time for a client to read the rest of its answers when the relay stops.
const WHEN_STOPPING: Duration = Duration::from_secs(1);

/// The longest time that a refused client may go on sending, so that it can read the reason.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The answer to a head that did not end in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// The answer to a head that is larger than [`super::length::HEAD_MAX`].
const TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

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
    const fn awaiting(&self, awaited: Awaited) -> Duration {
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
    async fn ends(self) -> &'static str {
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

/// A connection on which nothing is read while something is to be written.
pub(super) struct Paced {
    tcp: TcpStream,
    patience: Patience,
    gate: Gate,
    /// The bytes that were read and that actix may not have yet.
    held: Vec<u8>,
    /// The number of bytes that actix got since it last looked.
    taken: usize,
    /// Ends when the client has had enough time to read what is to be sent; none if nothing is to be sent.
    unsent: Option<Pin<Box<dyn Future<Output = &'static str>>>>,
    /// Ends when the client has had enough time for the awaited part.
    late: Option<(Awaited, Pin<Box<Sleep>>)>,
    /// Whether actix asked for bytes and was told to wait.
    refused: bool,
}

impl Paced {
    pub(super) fn new(tcp: TcpStream, patience: Patience, gate: Gate) -> Self {
        Self { tcp, patience, gate, held: Vec::new(), taken: 0, unsent: None, late: None, refused: false }
    }

    /// Gives the requests of this connection access to its gate.
    pub(super) fn connect(&self, data: &mut Extensions) {
        self.gate.connect(data);
    }

    fn may_read(&self) -> bool {
        self.unsent.is_none() && self.gate.is_open()
    }

    /// Notes that bytes of a head came. From the first byte on, the client has `header_timeout` for the whole head.
    fn hear(&mut self, bytes: usize, context: &mut Context<'_>) {
        let Some(awaited @ Awaited::Head(requests)) = self.gate.awaits().filter(|_| bytes > 0) else { return };
        if requests > 0 && self.gate.heard() == 0 {
            self.late = Some((awaited, Box::pin(sleep(self.patience.header_timeout))));
        }
        self.gate.hear(bytes);
        if self.gate.is_refused() {
            self.say(TOO_LARGE, context);
            self.late = Some((awaited, Box::pin(sleep(LAST_WORDS))));
        }
    }

    /// Notes that nothing came. If the client has had enough time for the awaited part, this ends the connection or refuses
    /// the body. It does neither while there are bytes that actix has not looked at.
    fn hear_nothing(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let is_looked_at = mem::take(&mut self.taken) == 0;
        let Some(awaited) = self.gate.awaits() else { return Poll::Pending };
        let mut late = match self.late.take() {
            Some((then, late)) if then == awaited => late,
            _ => Box::pin(sleep(self.patience.awaiting(awaited))),
        };
        if late.as_mut().poll(context).is_pending() || self.has_more() {
            self.late = Some((awaited, late));
            return Poll::Pending;
        }
        if !is_looked_at {
            self.late = Some((awaited, late));
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.give_up(awaited, context)
    }

    /// Gives up the awaited part, whose time is over. For a body, its reader answers the client.
    fn give_up(&mut self, awaited: Awaited, context: &mut Context<'_>) -> Poll<Result<()>> {
        let is_a_head = matches!(awaited, Awaited::Head(_));
        if is_a_head && self.gate.heard() > 0 {
            self.say(TOO_SLOW, context);
        }
        self.gate.give_up();
        if is_a_head {
            return Poll::Ready(Ok(()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// The next bytes: those that were held back, or else those that the client sent.
    fn next(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if self.held.is_empty() {
            return Pin::new(&mut self.tcp).poll_read(context, into);
        }
        let rest = self.held.split_off(self.held.len().min(into.remaining()));
        into.put_slice(&self.held);
        self.held = rest;
        Poll::Ready(Ok(()))
    }

    /// Holds back the bytes that may lie behind the request; returns the portion that is left.
    fn hold_back(&mut self, bytes: &[u8]) -> Portion {
        let portion = self.gate.portion(bytes);
        let (_, behind) = bytes.split_at_checked(portion.bytes).unwrap_or_default();
        self.held = [behind, &self.held].concat();
        self.taken = if portion.may_be_all { READ_AT_ONCE } else { self.taken.saturating_add(portion.bytes) };
        portion
    }

    /// Whether bytes came of which tokio does not know yet. Once it knows, it wakes the reader.
    fn has_more(&self) -> bool {
        let nothing = |error: Error| error.kind() == ErrorKind::WouldBlock;
        !SockRef::from(&self.tcp).peek(&mut [MaybeUninit::uninit()]).is_err_and(nothing)
    }

    /// Whether the machine has room to send more of which tokio does not know yet. Once it knows, it wakes the writer.
    fn takes_more(&self) -> bool {
        let mut socket = [PollFd::new(&self.tcp, PollFlags::OUT)];
        poll(&mut socket, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Answers bytes that never became a request, if the machine takes the answer at once. Nothing else is to be sent then.
    fn say(&mut self, answer: &[u8], context: &mut Context<'_>) {
        let _: Poll<Result<usize>> = Pin::new(&mut self.tcp).poll_write(context, answer);
    }

    /// Throws away the bytes after a head that is too large: closing while the client writes would lose the answer.
    fn throw_away(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let is_over = self.late.as_mut().is_none_or(|(_, over)| over.as_mut().poll(context).is_ready());
        let mut bytes = [0; READ_AT_ONCE];
        let mut part = ReadBuf::new(&mut bytes);
        let read = Pin::new(&mut self.tcp).poll_read(context, &mut part);
        if is_over || matches!(read, Poll::Ready(Err(_))) || (read.is_ready() && part.filled().is_empty()) {
            return Poll::Ready(Ok(()));
        }
        if read.is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if !self.may_read() {
            // The writer of the answer, or the opener of the gate, wakes the reader.
            self.refused = true;
            return Poll::Pending;
        }
        if self.gate.is_refused() {
            return self.throw_away(context);
        }
        if self.taken >= READ_AT_ONCE {
            self.taken = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut bytes = [0; READ_AT_ONCE];
        let most = READ_AT_ONCE.saturating_sub(self.taken).min(into.remaining());
        let mut part = ReadBuf::new(bytes.get_mut(..most).unwrap_or_default());
        let read = self.next(context, &mut part);
        if read.is_pending() {
            return self.hear_nothing(context);
        }
        let given = self.hold_back(part.filled());
        if given.bytes == 0 && !part.filled().is_empty() {
            // Returning no bytes would mean the end of the connection. The task that waits for more has to look at the gate.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.hear(given.of_a_head, context);
        if self.gate.is_refused() {
            return self.throw_away(context);
        }
        into.put_slice(part.filled().get(..given.bytes).unwrap_or_default());
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
        let Poll::Ready(why) = unsent.as_mut().poll(context) else {
            self.unsent = Some(unsent);
            return Poll::Pending;
        };
        if self.takes_more() {
            // The client read while the relay was frozen. It gets the full time for the rest.
            let mut anew: Pin<Box<dyn Future<Output = _>>> = Box::pin(self.patience.clone().ends());
            let _: Poll<_> = anew.as_mut().poll(context);
            self.unsent = Some(anew);
            return Poll::Pending;
        }
        // Without this, the machine would go on trying to send the bytes that it holds.
        drop(self.tcp.set_zero_linger());
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, why)))
    }

    /// actix flushes when all of its bytes are written.
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
