//! The lines of an import: NDJSON is read piece by piece, and no more of it is held than a piece. **Pure**, but for the reader.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};

/// The longest line, in bytes. A record with a thousand bookings is shorter.
pub const LINE_MAX: usize = 512 * 1024;
/// The most lines that are imported as one piece of work: other work waits behind it.
const LINES_MAX: usize = 200;
/// The number of bytes after which a piece ends.
const BYTES_MAX: usize = 1024 * 1024;

/// A line with its number, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The number.
    pub number: u64,
    /// The text.
    pub text: Text,
}

/// The text of a line, if it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Text {
    /// The text.
    Read(String),
    /// The line is longer than [`LINE_MAX`].
    TooLong,
    /// The line is no UTF-8.
    NoText,
}

/// Reads lines in pieces.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads the lines of this reader.
    pub const fn of(from: R) -> Self {
        Self { from, number: 0 }
    }

    /// The next lines, without the blank ones; none at the end.
    ///
    /// # Errors
    /// The reader fails.
    pub fn next_piece(&mut self) -> io::Result<Vec<Line>> {
        let (mut piece, mut bytes) = (Vec::new(), 0_usize);
        while piece.len() < LINES_MAX && bytes < BYTES_MAX {
            let Some(text) = self.next_line()? else { break };
            if let Text::Read(text) = &text {
                if text.trim().is_empty() {
                    continue;
                }
                bytes = bytes.saturating_add(text.len());
            }
            piece.push(Line { number: self.number, text });
        }
        Ok(piece)
    }

    fn next_line(&mut self) -> io::Result<Option<Text>> {
        let mut bytes = Vec::new();
        let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX).saturating_add(1);
        if (&mut self.from).take(most).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        if bytes.len() > LINE_MAX && bytes.last() != Some(&b'\n') {
            self.skip_line()?;
            return Ok(Some(Text::TooLong));
        }
        if self.number == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        Ok(Some(String::from_utf8(bytes).map_or(Text::NoText, Text::Read)))
    }

    /// Skips the rest of a line.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.from.fill_buf()?;
            let (length, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(place) => (place.saturating_add(1), true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.from.consume(length);
            if is_end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, Text)> {
        let mut lines = Lines::of(io::BufReader::with_capacity(7, bytes));
        let mut all = Vec::new();
        loop {
            let piece = lines.next_piece().unwrap();
            assert!(piece.len() <= LINES_MAX);
            if piece.is_empty() {
                return all;
            }
            all.extend(piece.into_iter().map(|line| (line.number, line.text)));
        }
    }

    #[test]
    fn blank_lines_count_and_are_not_read() {
        let read = |text: &str| Text::Read(text.to_owned());
        let found = all(b"\xEF\xBB\xBF{}\r\n\n  \n{\"a\":1}");
        assert_eq!(found, [(1, read("{}\r\n")), (4, read("{\"a\":1}"))]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_that_cannot_be_read_has_its_number_and_those_behind_it_are_read() {
        let long = "x".repeat(LINE_MAX + 20);
        let bytes = [b"{}\n", long.as_bytes(), b"\n\xFF\n{}\n"].concat();
        let found: Vec<_> =
            all(&bytes).into_iter().map(|(number, text)| (number, matches!(text, Text::Read(_)))).collect();
        assert_eq!(found, [(1, true), (2, false), (3, false), (4, true)]);
        let longest = [&long.as_bytes()[..LINE_MAX], b"\n"].concat();
        assert!(matches!(all(&longest)[..], [(1, Text::Read(_))]));
    }

    #[test]
    fn many_lines_come_in_pieces() {
        assert_eq!(all("{}\n".repeat(1001).as_bytes()).last(), Some(&(1001, Text::Read("{}\n".to_owned()))));
    }
}
