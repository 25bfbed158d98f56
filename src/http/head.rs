//! The awaited head: what came of it, and where it ends. **Pure.**

use super::lines::Lines;
use super::request_line::RequestLine;

/// The most bytes of empty lines before a head that do not count as part of it. Old clients send an empty line behind a
/// body (RFC 9112, 2.2).
const BLANK_MAX: usize = 16;

/// A portion of the bytes that came: the bytes that actix may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portion {
    /// The number of bytes.
    pub(super) bytes: usize,
    /// The number of them that belong to the awaited head.
    pub(super) of_a_head: usize,
    /// Whether the request may end there. Then actix has to look before it gets more.
    pub(super) may_be_all: bool,
}

/// The progress of the head of which actix has a part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    /// The bytes that came of it.
    pub(super) heard: usize,
    /// The bytes of empty lines that came before it and are no part of it.
    blank: usize,
    /// Its beginning.
    pub(super) line: RequestLine,
    lines: Lines,
}

impl Head {
    /// Reads on to the end of the head.
    pub(super) fn portion(&mut self, bytes: &[u8]) -> Portion {
        let blank = self.lines.blank(bytes).min(BLANK_MAX.saturating_sub(self.blank));
        let end = self.lines.empty(bytes);
        self.blank = self.blank.saturating_add(blank);
        let most = end.unwrap_or(bytes.len());
        self.line.read(bytes.get(..most).unwrap_or_default());
        Portion { bytes: most, of_a_head: most.saturating_sub(blank), may_be_all: end.is_some() }
    }
}
