//! The line with which a request begins, as far as the refusal of a head needs it: its method, and the first step of its
//! path. **Pure.**
//!
//! actix refuses a head without saying what it has read of it. So this reader knows by itself, from a few bytes, and takes
//! lines that actix does not take.

use super::contract::is_transforms;

/// The most bytes of a word that are kept. Each letter of `api` may be percent-encoded.
const WORD_MAX: usize = "%61%70%69".len();

/// The progress of the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RequestLine {
    next: Next,
    word: Word,
    is_head: bool,
    is_transforms: bool,
}

/// The part of the line that comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Next {
    /// More of the method. Empty lines before it do not count.
    #[default]
    Method,
    /// The first byte of the target.
    Target,
    /// More of the scheme of a target that is a whole URL.
    Scheme,
    /// The second slash behind the scheme.
    SchemeSlash,
    /// More of the host and port of such a target.
    Host,
    /// Another slash before the first step of the path, or that step.
    Slash,
    /// More of the first step of the path.
    Step,
    /// Nothing that matters.
    Nothing,
}

/// The beginning of a word, and its whole length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Word {
    bytes: [u8; WORD_MAX],
    length: usize,
}

impl Word {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// The word; none if it is longer than the words that matter.
    fn whole(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }
}

impl RequestLine {
    /// Whether the method is HEAD. Its answer has no body.
    pub(super) const fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether the path is one of Transform's.
    pub(super) const fn is_transforms(&self) -> bool {
        self.is_transforms
    }

    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.next == Next::Nothing {
                return;
            }
            self.next = self.after(*byte);
        }
    }

    fn after(&mut self, byte: u8) -> Next {
        match (self.next, byte) {
            (Next::Method, b'\r' | b'\n') if self.word.length == 0 => Next::Method,
            (Next::Method, b' ' | b'\t') => {
                self.is_head = self.word.whole() == Some(b"HEAD");
                self.word = Word::default();
                Next::Target
            }
            (Next::Target, b' ' | b'\t') => Next::Target,
            (Next::Target | Next::Host | Next::Slash, b'/') => Next::Slash,
            (Next::Scheme, b'/') if self.word.whole().is_some_and(is_http) => Next::SchemeSlash,
            (Next::SchemeSlash, b'/') => {
                self.word = Word::default();
                Next::Host
            }
            (Next::Step, b'/' | b'?' | b'#' | b' ' | b'\t' | b'\r' | b'\n') => {
                let step = self.word.whole().unwrap_or_default();
                self.is_transforms = is_transforms(&percent_encoding::percent_decode(step).decode_utf8_lossy());
                Next::Nothing
            }
            (_, b'\n') | (Next::Scheme | Next::Host | Next::Slash, b' ' | b'\t' | b'?' | b'#') => Next::Nothing,
            (Next::SchemeSlash, _) => Next::Nothing,
            (Next::Host, _) => Next::Host,
            (Next::Target | Next::Slash, _) => {
                self.word.push(byte);
                if self.next == Next::Slash { Next::Step } else { Next::Scheme }
            }
            (next, _) => {
                self.word.push(byte);
                next
            }
        }
    }
}

fn is_http(scheme: &[u8]) -> bool {
    [&b"http:"[..], b"https:"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of these bytes, which come in pieces of the given size.
    fn read(text: &[u8], size: usize) -> RequestLine {
        let mut line = RequestLine::default();
        text.chunks(size).for_each(|piece| line.read(piece));
        line
    }

    #[test]
    fn the_method_and_the_path_are_known_wherever_the_line_is_cut() {
        for (text, is_head, is_transforms) in [
            (&b"GET /api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\n\r\n"[..], false, true),
            (b"\r\n\nHEAD /api/Payment/tx-1 HTTP/1.1\r\n", true, true),
            (b"HEAD http://r:8080/api/Payment/tx-1 HTTP/1.1\r\n", true, true),
            (b"GET HTTPS://user:pass@r//API/x HTTP/1.1\r\n", false, true),
            (b"GET /%61p%69/x HTTP/1.1\r\n", false, true),
            (b"GET //api/", false, true),
            (b"GET /api?", false, true),
            (b"GET /api\n", false, true),
            (b"GET  \t/api/a b\xff\0 HTTP/1.1\r\n", false, true),
            (b"G\0T /api/x HTTP/2.0\r\n", false, true),
            (b"GET /api", false, false),
            (b"GET /api\0/x HTTP/1.1\r\n", false, false),
            (b"GET /apis/x HTTP/1.1\r\n", false, false),
            (b"GET /apiapiapi/api/x HTTP/1.1\r\n", false, false),
            (b"GET /healthz/api/x HTTP/1.1\r\n", false, false),
            (b"GET api/x HTTP/1.1\r\n", false, false),
            (b"GET x://api/api/x HTTP/1.1\r\n", false, false),
            (b"GET http:/api/x HTTP/1.1\r\n", false, false),
            (b"GET http://api/x HTTP/1.1\r\n", false, false),
            (b"GET http://r?/api/x HTTP/1.1\r\n", false, false),
            (b"HEAD\r\n /api/x HTTP/1.1\r\n", false, false),
            (b"head /x HTTP/1.1\r\nx: /api/x\r\n", false, false),
            (b"HEAD", false, false),
            (b"HEADHEADHEAD / HTTP/1.1\r\n", false, false),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false, false),
            (b"", false, false),
        ] {
            for size in [1, 2, 7, usize::MAX] {
                let line = read(text, size);
                let shown = String::from_utf8_lossy(text);
                assert_eq!((line.is_head(), line.is_transforms()), (is_head, is_transforms), "{shown:?} by {size}");
            }
        }
    }
}
