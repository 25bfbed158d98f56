//! Stream of a client's connection: answers go as fast as the client reads them, and requests are read no faster.
//!
//! actix reads on while the client does not take its answers. Once its buffer is full of requests it polls itself without a
//! pause, for as long as the connection is open (docs/upstream/actix-http-unread-answers.md). So the stream below actix
//! reads nothing while an answer is being made or waits to be sent, and little at a time. Bytes behind a request are held
//! back until the request has its answer.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::dev::Extensions;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::gate::{Awaited, Gate};
use super::head::Portion;
use super::patience::Patience;
use super::refused_head::RefusedHead;
use crate::clock::Clock;

/// The most bytes that are read before actix looks at them. actix answers all requests among them before other connections
/// have their turn, and each request costs memory.
const READ_AT_ONCE: usize = 2 * 1024;
/// The longest time that a refused client may go on sending, so that it can read the reason.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection on which nothing is read while something is to be written.
pub(super) struct Paced {
    tcp: TcpStream,
    patience: Patience,
    gate: Gate,
    clock: Clock,
    /// The bytes that were read and that actix may not have yet.
    held: Vec<u8>,
    /// The rest of the relay's own answer to a head that was refused.
    own: Vec<u8>,
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
    pub(super) fn new(tcp: TcpStream, patience: Patience, gate: Gate, clock: Clock) -> Self {
        let (held, own) = (Vec::new(), Vec::new());
        Self { tcp, patience, gate, clock, held, own, taken: 0, unsent: None, late: None, refused: false }
    }

    /// Gives the requests of this connection access to its gate.
    pub(super) fn connect(&self, data: &mut Extensions) {
        self.gate.connect(data);
    }

    fn may_read(&self) -> bool {
        self.unsent.is_none() && self.gate.is_open()
    }

    /// Notes that bytes of a head came. From the first byte on, the client has `header_timeout` for the whole head.
    fn hear(&mut self, bytes: usize) {
        let Some(awaited @ Awaited::Head(requests)) = self.gate.awaits().filter(|_| bytes > 0) else { return };
        if requests > 0 && self.gate.heard() == 0 {
            self.late = Some((awaited, Box::pin(sleep(self.patience.header_timeout))));
        }
        self.gate.hear(bytes);
        if let Some(fault) = self.gate.refused() {
            self.own = self.answer(fault);
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
        self.gate.give_up();
        if let Some(fault) = self.gate.refused() {
            self.own = self.answer(fault);
        }
        if matches!(awaited, Awaited::Head(_)) {
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

    /// The relay's own answer to a head that was refused. When it is made, all earlier answers are sent.
    fn answer(&self, fault: RefusedHead) -> Vec<u8> {
        fault.answer(self.gate.line(), self.clock.now().wall)
    }

    /// Sends the rest of the relay's own answer.
    fn send_own(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.own.is_empty() {
            let mut own = mem::take(&mut self.own);
            let sent = self.send(&own, context);
            let most = if let Poll::Ready(Ok(most)) = sent { most } else { 0 };
            self.own = own.split_off(most.min(own.len()));
            if ready!(sent)? == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends these bytes, as far as the client reads them in its time.
    fn send(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Poll<Result<usize>> {
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
        if self.gate.refused().is_some() {
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
        self.hear(given.of_a_head);
        if self.gate.refused().is_some() {
            return self.throw_away(context);
        }
        into.put_slice(part.filled().get(..given.bytes).unwrap_or_default());
        read
    }
}

impl AsyncWrite for Paced {
    /// A head that actix refuses gets the relay's own answer instead of actix's, which has no body. actix gives up the
    /// connection once its answer is taken, so it has to wait until the relay's is sent.
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if let Some(fault) = self.gate.refused_by(bytes) {
            self.gate.refuse(fault);
            self.own = self.answer(fault);
        }
        if self.gate.refused().is_none() {
            return self.send(bytes, context);
        }
        ready!(self.send_own(context))?;
        Poll::Ready(Ok(bytes.len()))
    }

    /// actix flushes when all of its bytes are written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.send_own(context))?;
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
