//! One connection of a scripted server: requests come in, and replies of every kind go out.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::http::Request;
use super::scripted::{Scripted, bytes};

/// The bytes of a connection: plain TCP, or TLS over it.
pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// How often an endless reply repeats itself. More would only keep the machine busy.
const ENDLESS: usize = 2000;

/// A connection to the other side.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    socket: Arc<TcpStream>,
}

/// The end of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The reply was written, and the next request may come.
    Whole,
    /// The connection is over, with or without bytes of the reply.
    BrokenOff,
    /// The connection is over: the other side hung up on an unfinished reply.
    HungUp,
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>, socket: Arc<TcpStream>) -> Self {
        Self { stream: BufReader::new(stream), socket }
    }

    /// The next request. `None` if no further one comes.
    pub(super) fn read(&mut self) -> Option<Request> {
        Request::read(&mut self.stream)
    }

    /// Sends a reply. For an unfinished one, this returns when the other side hangs up.
    pub fn send(&mut self, reply: Scripted) -> Sent {
        match reply {
            Scripted::With(status, headers, body) => match self.write(&bytes(status, &headers, &body)) {
                Ok(()) => Sent::Whole,
                Err(_) => Sent::BrokenOff,
            },
            Scripted::Hang => self.left(&[], &[]),
            Scripted::Part(part) => self.left(&part, &[]),
            Scripted::Endless(first, again) => self.left(&first, &again),
            Scripted::Broken(part) => {
                drop(self.write(&part));
                Sent::BrokenOff
            }
            Scripted::Close | Scripted::Held(..) => Sent::BrokenOff,
        }
    }

    /// Waits a while for the other side to close the connection. Returns whether it did.
    #[must_use]
    pub fn closed(&self, patience: Duration) -> bool {
        if self.socket.set_read_timeout(Some(patience)).is_err() {
            return true;
        }
        let closed = loop {
            match self.socket.peek(&mut [0]) {
                Ok(count) => break count == 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        };
        drop(self.socket.set_read_timeout(None));
        closed
    }

    /// Replies as no server should, and leaves it to the other side to hang up.
    fn left(&mut self, first: &[u8], again: &[u8]) -> Sent {
        drop(self.write(first));
        let _all_written = again.is_empty() || (0..ENDLESS).all(|_| self.write(again).is_ok());
        // Returns when the other side hangs up.
        drop(self.stream.read(&mut [0]));
        Sent::HungUp
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }
}
