//! Other people's text in our messages.

/// How much of a text is shown.
const SHOWN_MAX: usize = 100;

/// A text as it may stand in a message or a log: quoted, and cut where it is long. Whoever sends us text does not decide
/// how much of it we write down.
#[must_use]
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown("a\"b"), r#""a\"b""#);
        assert_eq!(shown(&"ä".repeat(5000)).chars().count(), 103);
    }
}
