//! The end of a request's head: an empty line. **Pure.**

/// The part of a head that came last, as far as the search for its empty line needs it. A line may end without a carriage
/// return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Lines {
    /// Nothing of a head yet. Empty lines before it do not count.
    #[default]
    Nothing,
    /// The middle of a line.
    Middle,
    /// The end of a line.
    End,
    /// A carriage return right behind the end of a line.
    Return,
}

impl Lines {
    /// The number of the next bytes that are empty lines before a head.
    pub(super) fn blank(self, bytes: &[u8]) -> usize {
        if self != Self::Nothing {
            return 0;
        }
        bytes.iter().take_while(|byte| [b'\r', b'\n'].contains(byte)).count()
    }

    /// Reads on to the end of the first empty line and returns the number of bytes up to there. None if these bytes hold no
    /// such line.
    pub(super) fn empty(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' && matches!(self, Self::End | Self::Return);
            *self = match (*self, byte) {
                (Self::Nothing, b'\r' | b'\n') => Self::Nothing,
                (Self::End, b'\r') => Self::Return,
                (_, b'\n') => Self::End,
                _ => Self::Middle,
            };
            if ends {
                return Some(at.saturating_add(1));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use actix_http::ServiceConfig;
    use actix_http::error::ParseError;
    use actix_http::h1::Codec;
    use actix_web::web::BytesMut;
    use proptest::prelude::*;
    use tokio_util::codec::Decoder;

    use super::*;

    fn ends(text: &str) -> Vec<usize> {
        let (mut lines, mut ends, mut at) = (Lines::default(), Vec::new(), 0);
        while let Some(end) = lines.empty(&text.as_bytes()[at..]) {
            at += end;
            ends.push(at);
        }
        ends
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nhost: r\r\n\r\nGET", vec![27]),
            ("GET / HTTP/1.1\nhost: r\n\nGET", vec![24]),
            ("GET / HTTP/1.1\r\nhost: r\n\r\n", vec![26]),
            ("\r\n\n\r\nG\r\n\r\n", vec![10]),
            ("\r\n\r\n\r\n", vec![]),
            ("G\r\n\rx\r\n", vec![]),
            ("G\r\r\n\r\n", vec![6]),
        ] {
            assert_eq!(ends(text), expected, "{text:?}");
        }
    }

    #[test]
    fn empty_lines_before_a_head_are_no_part_of_it() {
        for (text, expected) in [("\r\n\n\r\nG\r\n", 5), ("\r\n", 2), ("G\r\n\r\n", 0), ("", 0)] {
            assert_eq!(Lines::default().blank(text.as_bytes()), expected, "{text:?}");
        }
        let mut begun = Lines::default();
        begun.empty(b"\r\nGET / HTTP/1.1");
        assert_eq!(begun.blank(b"\r\n"), 0);
    }

    /// A head that is cut anywhere is read as it is in one piece.
    fn in_two(text: &[u8], cut: usize) -> Option<usize> {
        let (one, two) = text.split_at(cut.min(text.len()));
        let mut lines = Lines::default();
        lines.empty(one).or_else(|| lines.empty(two).map(|end| end + one.len()))
    }

    /// The length of a head as actix reads it, in bytes; none if actix waits for more.
    fn decoded(text: &str) -> Result<Option<usize>, ParseError> {
        let decode = async {
            let mut bytes = BytesMut::from(text.as_bytes());
            let head = Codec::new(ServiceConfig::default()).decode(&mut bytes)?;
            Ok(head.map(|_| text.len() - bytes.len()))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, decode)
    }

    proptest! {
        /// For actix a head never ends beyond the empty line, and actix never waits for more behind it. So no part of the
        /// next request is read with a head, and actix never waits for bytes that are held back.
        #[test]
        fn a_head_ends_where_actix_says(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "GET / HTTP/1.1", "POST /x HTTP/1.0", "GET", " ", "/", "HTTP/1.", "\r\n", "\r\n", "\n", "\r", "host: r", "a:b", "a", ":",
                    "content-length: 3", "transfer-encoding: chunked", "\r\n\r\n", "upgrade: websocket", "\t", "\u{e9}", "\0",
                ]),
                0..14,
            ),
            begins in any::<bool>(),
            cut in 0_usize..60,
        ) {
            let text = if begins { "GET / HTTP/1.1\r\nhost: r\r\n" } else { "" }.to_owned() + &parts.concat();
            let end = Lines::default().empty(text.as_bytes());
            prop_assert_eq!(in_two(text.as_bytes(), cut), end);
            if let Ok(head) = decoded(&text) {
                prop_assert_eq!(head, end, "{:?}", text);
            }
        }
    }
}
