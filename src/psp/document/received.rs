//! A received notification: headers, raw bytes and time of receipt.

use jiff::Timestamp;

/// The headers and raw bytes of a notification and its time of receipt. It is not verified.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Header names in lower case, values as text. Values that are not visible text are left out.
    pub headers: &'a [(String, String)],
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// The time of receipt.
    pub at: Timestamp,
}

impl<'a> Received<'a> {
    /// All values of a header, line by line. The name's case does not matter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first value of a header. The name's case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
