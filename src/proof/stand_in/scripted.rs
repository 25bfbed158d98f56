//! Replies of the scripted servers, as data: a status with headers and a body, a reply that waits, or a misbehaviour.

use std::sync::mpsc::{self, Receiver, Sender};

/// The reply to one request.
#[derive(Debug)]
pub enum Scripted {
    /// This status, these headers and this body.
    With(u16, Vec<(&'static str, String)>, String),
    /// This reply, or the usual one if there is none, once the [`Gate`] is opened.
    Held(Receiver<()>, Option<Box<Self>>),
    /// None, until the other side hangs up.
    Hang,
    /// None: the connection is closed.
    Close,
    /// These bytes and no more. Then as [`Self::Hang`].
    Part(Vec<u8>),
    /// These bytes. Then the connection is closed.
    Broken(Vec<u8>),
    /// The first bytes, then the others again and again until the other side hangs up.
    Endless(Vec<u8>, Vec<u8>),
}

impl Scripted {
    /// A reply of this status, with a body that says nothing.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), r#"{"error":"scripted"}"#.to_owned())
    }

    /// The same with one header more.
    #[must_use]
    pub fn header(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::With(status, vec![(name, value.into())], "{}".to_owned())
    }

    /// A reply of status 200 with this body.
    #[must_use]
    pub fn body(body: impl Into<String>) -> Self {
        Self::With(200, Vec::new(), body.into())
    }

    /// A reply of this status that waits until the gate is opened.
    #[must_use]
    pub fn held(status: u16) -> (Self, Gate) {
        let (open, gate) = mpsc::channel();
        (Self::Held(gate, Some(Box::new(Self::status(status)))), Gate(open))
    }

    /// The usual reply, which waits until the gate is opened, and is what is usual then.
    #[must_use]
    pub fn held_back() -> (Self, Gate) {
        let (open, gate) = mpsc::channel();
        (Self::Held(gate, None), Gate(open))
    }

    /// Status 200 and a chunked body without an end.
    #[must_use]
    pub fn endless() -> Self {
        let head = b"HTTP/1.1 200 Scripted\r\ntransfer-encoding: chunked\r\n\r\n";
        Self::Endless(head.to_vec(), format!("14000\r\n{}\r\n", " ".repeat(0x14000)).into_bytes())
    }

    /// Waits for the gate, if there is one. If the gate is dropped unopened, the connection breaks off.
    pub(super) fn opened(self, usual: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Held(gate, then) if gate.recv().is_ok() => then.map_or_else(usual, |reply| *reply),
            Self::Held(..) => Self::Close,
            reply => reply,
        }
    }
}

/// Releases a reply. If it is dropped unopened, the connection breaks off.
#[derive(Debug)]
pub struct Gate(Sender<()>);

impl Gate {
    /// Opens the gate. A connection that has ended is no error.
    pub fn open(self) {
        self.0.send(()).unwrap_or_default();
    }
}

/// The bytes of a whole response. A status that has no body gets none.
pub(super) fn bytes(status: u16, headers: &[(&'static str, String)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} Scripted\r\n{headers}");
    match status {
        204 | 304 => format!("{head}\r\n").into_bytes(),
        _ => format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_reply_waits_and_breaks_off_without_its_gate() {
        let usual = || Scripted::status(404);
        let status = |reply: Scripted| match reply.opened(usual) {
            Scripted::With(status, ..) => status,
            _ => 0,
        };
        let (held, gate) = Scripted::held(202);
        gate.open();
        assert_eq!(status(held), 202);
        let (held, gate) = Scripted::held_back();
        gate.open();
        assert_eq!(status(held), 404);
        let (held, gate) = Scripted::held(202);
        drop(gate);
        assert_eq!(status(held), 0);
    }

    #[test]
    fn a_response_without_content_has_no_length() {
        assert_eq!(bytes(204, &[], "text"), b"HTTP/1.1 204 Scripted\r\n\r\n");
        let text = bytes(302, &[("Location", "/x".to_owned())], "ok");
        assert_eq!(text, b"HTTP/1.1 302 Scripted\r\nLocation: /x\r\ncontent-length: 2\r\n\r\nok");
    }
}
