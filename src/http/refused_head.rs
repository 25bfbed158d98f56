//! Refused heads: the answer to bytes that never became a request. It comes from the connection, since no handler and no
//! middleware sees such bytes.
//!
//! The answer repeats nothing of the head, which may hold a secret or a payer's data.

use actix_web::http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::contract;
use super::length::HEAD_MAX;
use super::problem::{PROBLEM, Problem};
use super::request_line::RequestLine;

/// The beginning of an answer of actix's own to a head that it refuses. Behind it are the digits of the status.
const VERSIONS: [&[u8]; 2] = [b"HTTP/1.1 ", b"HTTP/1.0 "];

/// The text for a head that cannot be read.
pub(super) const NO_HTTP: &str = "the head cannot be read: it needs version 1.1 or 1.0 of HTTP, one Host, fields of a name \
     and a value, a target without spaces, and no more than one length (RFC 9112)";

/// The fault of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedHead {
    /// It cannot be read.
    NoHttp,
    /// It has more fields than actix takes.
    Fields,
    /// It is larger than [`HEAD_MAX`].
    Large,
    /// It did not end in time.
    Late,
}

impl RefusedHead {
    /// The fault for which actix gives this answer, which has no body.
    pub(super) fn of_actix(answer: &[u8]) -> Option<Self> {
        match VERSIONS.iter().find_map(|version| answer.strip_prefix(*version))?.split_at_checked(3)?.0 {
            b"400" => Some(Self::NoHttp),
            b"431" => Some(Self::Fields),
            _ => None,
        }
    }

    /// The kind and the reason for the log.
    pub(super) const fn why(self) -> (&'static str, &'static str) {
        match self {
            Self::NoHttp => (
                "no HTTP",
                "this is not the head of a request (RFC 9112); a client that speaks TLS needs a proxy in front",
            ),
            Self::Fields => ("too large a head", "the head of a request has more than 96 fields"),
            Self::Large => ("too large a head", "the head of a request is larger than 32 KiB"),
            Self::Late => ("half a request", "no whole head of a request came within server.header_timeout"),
        }
    }

    /// The refusal.
    fn problem(self) -> Problem {
        match self {
            Self::NoHttp => Problem::new(400, NO_HTTP),
            Self::Fields => Problem::new(431, "the head has more than 96 fields"),
            Self::Large => Problem::new(431, format!("the head is larger than {HEAD_MAX} bytes")),
            Self::Late => Problem::new(408, "the head took too long"),
        }
    }

    /// The whole answer to a head with this line. The connection ends with it.
    pub(super) fn answer(self, line: RequestLine, now: Timestamp) -> Vec<u8> {
        let problem = self.problem();
        let (kind, body) = match contract::error_object(problem.status(), problem.detail()) {
            Ok(body) if line.is_transforms() => ("application/json", body),
            _ => (PROBLEM, serde_json::to_string(&problem.details()).unwrap_or_default()),
        };
        let status = problem.status();
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        let length = body.len();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-length: {length}\r\ncontent-type: {kind}\r\nconnection: close\r\n\
             date: {date}\r\n\r\n"
        );
        if line.is_head() { head.into_bytes() } else { [head, body].concat().into_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_actix_shows_its_fault_and_no_other_answer_does() {
        for (answer, fault) in [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Some(RefusedHead::NoHttp)),
            ("HTTP/1.0 431 Request Header Fields Too Large\r\n\r\n", Some(RefusedHead::Fields)),
            ("HTTP/1.1 500 Internal Server Error\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n400", None),
            ("HTTP/1.1 40", None),
            ("400", None),
        ] {
            assert_eq!(RefusedHead::of_actix(answer.as_bytes()), fault, "{answer:?}");
        }
    }

    #[test]
    fn an_answer_fits_into_a_packet_and_says_when_it_was_given() {
        let mut line = RequestLine::default();
        line.read(b"GET /api/Payment/secret HTTP/1.1\r\n");
        for fault in [RefusedHead::NoHttp, RefusedHead::Fields, RefusedHead::Large, RefusedHead::Late] {
            for line in [line, RequestLine::default()] {
                let answer = String::from_utf8(fault.answer(line, Timestamp::UNIX_EPOCH)).unwrap();
                assert!(answer.len() < 536 && !answer.contains("secret"), "{answer}");
                assert!(answer.contains("\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), "{answer}");
            }
        }
    }
}
