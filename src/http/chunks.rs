//! The end of a body in chunks (RFC 9112, 7.1). **Pure.**
//!
//! The sizes of the chunks give the end, here as in actix. Both have to agree. Otherwise a part of the next request would
//! be read with this one.

use super::length::HEAD_MAX;

/// The most bytes of chunk extensions and trailers in a body. They are neither data nor lines that every chunk needs, and
/// nobody reads them.
pub(super) const BESIDE_MAX: usize = HEAD_MAX;

/// The progress of a body in chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    next: Next,
    /// The bytes of the current chunk's data that are yet to come.
    left: u64,
    /// The number of bytes that came and are neither data nor needed.
    beside: usize,
}

/// The part of the body that comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Next {
    /// The first digit of a chunk's size.
    #[default]
    Size,
    /// Another digit of the size, or what follows the digits.
    Digit,
    /// Another space behind the size, or what follows the spaces.
    Space,
    /// More of an extension, or the end of its line.
    Extension,
    /// The line feed behind the size.
    SizeFeed,
    /// The data.
    Data,
    /// The carriage return behind the data.
    DataReturn,
    /// The line feed behind the data.
    DataFeed,
    /// A trailer, or the empty line at the end.
    Line,
    /// More of a trailer, or the end of its line.
    Trailer,
    /// The line feed behind a trailer.
    TrailerFeed,
    /// The last line feed.
    LastFeed,
    /// The next request.
    Nothing,
    /// Any bytes: the body is not in chunks, and actix refuses it.
    Anything,
}

impl Chunks {
    /// Reads on to the end of the body and returns how many of these bytes come before it. None if the end is not among
    /// these bytes.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        while self.next != Next::Nothing {
            let (byte, behind) = rest.split_first()?;
            rest = match self.next {
                Next::Anything => return None,
                Next::Data => self.skip(rest),
                _ => {
                    self.next = self.after(*byte);
                    behind
                }
            };
        }
        Some(bytes.len().saturating_sub(rest.len()))
    }

    /// Whether the body has more than [`BESIDE_MAX`] bytes that are neither data nor needed.
    pub(super) const fn is_too_much(&self) -> bool {
        self.beside > BESIDE_MAX
    }

    /// Whether these bytes cannot be a body in chunks.
    pub(super) fn is_malformed(&self) -> bool {
        self.next == Next::Anything
    }

    /// Skips the current chunk's data; returns the bytes behind it.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left = self.left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
        if self.left == 0 {
            self.next = Next::DataReturn;
        }
        bytes.get(most..).unwrap_or_default()
    }

    fn after(&mut self, byte: u8) -> Next {
        let next = match (self.next, byte) {
            (Next::Size | Next::Digit, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (Next::Digit | Next::Space, b' ' | b'\t') => Next::Space,
            (Next::Digit | Next::Space, b';') => Next::Extension,
            (Next::Digit | Next::Space | Next::Extension, b'\r') => Next::SizeFeed,
            (Next::Extension, b'\t' | b' '..=b'~' | 0x80..) => Next::Extension,
            (Next::SizeFeed, b'\n') if self.left == 0 => Next::Line,
            (Next::SizeFeed, b'\n') => Next::Data,
            (Next::DataReturn, b'\r') => Next::DataFeed,
            (Next::DataFeed, b'\n') => Next::Size,
            (Next::Line, b'\r') => Next::LastFeed,
            (Next::Trailer, b'\r') => Next::TrailerFeed,
            (Next::Line | Next::Trailer, _) => Next::Trailer,
            (Next::TrailerFeed, b'\n') => Next::Line,
            (Next::LastFeed, b'\n') => Next::Nothing,
            _ => Next::Anything,
        };
        if matches!(next, Next::Space | Next::Extension | Next::Trailer | Next::TrailerFeed) {
            self.beside = self.beside.saturating_add(1);
        }
        next
    }

    /// Adds a digit to the size. Leading zeros say nothing, and there may be any number of them: they count as not needed.
    fn digit(&mut self, byte: u8) -> Next {
        if self.next == Next::Digit && self.left == 0 {
            self.beside = self.beside.saturating_add(1);
        }
        let value = char::from(byte).to_digit(16).map(u64::from).unwrap_or_default();
        let before = if self.next == Next::Size { Some(0) } else { self.left.checked_mul(16) };
        self.left = before.unwrap_or_default().saturating_add(value);
        if before.is_some() { Next::Digit } else { Next::Anything }
    }
}

#[cfg(test)]
mod tests {
    use actix_http::ServiceConfig;
    use actix_http::h1::{Codec, Message};
    use actix_web::web::BytesMut;
    use proptest::prelude::*;
    use tokio_util::codec::Decoder;

    use super::*;

    /// The result of reading a body in chunks.
    #[derive(Debug, PartialEq, Eq)]
    enum Read {
        /// The body ends behind this number of bytes.
        Ended(usize),
        /// The end has not come: more bytes are awaited.
        Open,
        /// The bytes are no body in chunks.
        Refused,
    }

    /// Reads these bytes in pieces of the given size.
    fn read(text: &[u8], size: usize) -> Read {
        let (mut chunks, mut at) = (Chunks::default(), 0);
        for piece in text.chunks(size) {
            if let Some(end) = chunks.end(piece) {
                return Read::Ended(at + end);
            }
            at += piece.len();
        }
        if chunks.is_malformed() { Read::Refused } else { Read::Open }
    }

    /// Reads these bytes as actix does.
    fn decoded(text: &[u8]) -> Read {
        let decode = async {
            let head = b"POST / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut bytes = BytesMut::from(&[head, text].concat()[..]);
            let mut codec = Codec::new(ServiceConfig::default());
            loop {
                match codec.decode(&mut bytes) {
                    Ok(Some(Message::Chunk(None))) => return Read::Ended(text.len() - bytes.len()),
                    Ok(Some(_)) => {}
                    Ok(None) => return Read::Open,
                    Err(_) => return Read::Refused,
                }
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, decode)
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_its_trailers() {
        for (text, expected) in [
            ("2\r\n{}\r\n0\r\n\r\nGET", Read::Ended(12)),
            ("0\r\nx: y\r\n\r\n", Read::Ended(11)),
            ("4\r\n\n\n\n\n\r\n0\r\n\r\n", Read::Ended(14)),
            ("6\r\na\r\n\r\nb\r\n0\r\n\r\n", Read::Ended(16)),
            ("5\r\n0\r\n\r\n\r\n0;x=y\r\n\r\n", Read::Ended(19)),
            ("000a \t;x\r\n0123456789\r\n00\r\n\r\n0", Read::Ended(28)),
            ("0\r\nx\n\r\n\n\r\n", Read::Open),
            ("fffffffffffffffe\r\n0\r\n\r\n", Read::Open),
            ("10000000000000000\r\n", Read::Refused),
            ("1\n", Read::Refused),
            ("1\r\n12\r\n", Read::Refused),
            ("1;\n\r\n", Read::Refused),
            ("\r\n0\r\n\r\n", Read::Refused),
            ("0\r\n\rx", Read::Refused),
        ] {
            assert_eq!(read(text.as_bytes(), usize::MAX), expected, "{text:?}");
            assert_eq!(decoded(text.as_bytes()), expected, "actix: {text:?}");
        }
    }

    #[test]
    fn what_is_beside_the_data_has_a_bound_and_data_has_none() {
        let is_too_much = |text: &str| {
            let mut chunks = Chunks::default();
            chunks.end(text.as_bytes());
            chunks.is_too_much()
        };
        let all = BESIDE_MAX;
        for (begins, byte) in [("1", " "), ("1;", "x"), ("0\r\n", "x"), ("0", "0")] {
            let counted = usize::from(begins == "1;");
            let text = |times: usize| format!("{begins}{}", byte.repeat(times - counted));
            assert!(!is_too_much(&text(all)), "{begins:?} {byte:?}");
            assert!(is_too_much(&text(all + 1)), "{begins:?} {byte:?}");
        }
        assert!(!is_too_much(&"1;x=y\r\na\r\n".repeat(all / 4)));
        assert!(is_too_much(&"1;x=y\r\na\r\n".repeat(all / 4 + 1)));
        assert!(!is_too_much(&"1\r\na\r\n".repeat(100 * all)));
        assert!(!is_too_much(&format!("{:x}\r\n{}\r\n", 100 * all, "\r\n".repeat(50 * all))));
    }

    proptest! {
        /// For any bytes, cut anywhere, this reader and actix agree: on the end, on a refusal, and on waiting for more.
        #[test]
        fn chunks_end_where_actix_says(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "0\r\n\r\n", "1\r\nx\r\n", "3;a=b\r\n\r\n\r\r\n", "2\r\n\r\n\r\n", "0\r\n", "00", "0", "1", "4", "a", "F", "g",
                    "ffffffffffffffff", "\r\n", "\r", "\n", " ", "\t", ";", "x: y\r\n", "x\n\r\n", "\u{e9}", "\u{7f}", "\0", "-",
                ]),
                0..12,
            ),
            size in 1_usize..20,
        ) {
            let text = parts.concat();
            let expected = decoded(text.as_bytes());
            prop_assert_eq!(&read(text.as_bytes(), usize::MAX), &expected, "{:?}", text);
            prop_assert_eq!(&read(text.as_bytes(), size), &expected, "{:?} by {}", text, size);
        }
    }
}
