//! Text from PSPs and clients in our messages and logs: quoted, masked and cut.

/// The most characters of a text that are shown.
const SHOWN_MAX: usize = 100;
/// The most characters of a message that the log has.
const LOGGED_MAX: usize = 400;

/// A text in the form that may stand in a message or a log: quoted, [`masked`], and cut if it is long. The sender of a text
/// must not decide how much of it we write down.
#[must_use]
pub fn shown(text: &str) -> String {
    quoted(&masked(text))
}

/// A text for a field of the log, which has quotes of its own: [`masked`], and cut if it is long.
#[must_use]
pub fn brief(text: &str) -> String {
    let text = masked(text);
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// An id or a reference in the form that may stand in a message or a log. As [`shown`], but digits stay: many PSPs number their
/// transactions, and one number in ten has the check digit of a card number.
#[must_use]
pub fn shown_id(id: &str) -> String {
    quoted(&without(id, Cards::Stay))
}

/// A text in quotes, cut if it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// A text in which `[card number]`, `[IBAN]` and `[e-mail]` replace the values themselves. A payer's name cannot be told
/// from any other word: fields that may hold a name must not be quoted at all.
#[must_use]
pub fn masked(text: &str) -> String {
    without(text, Cards::Go)
}

/// A message for the log: `"…"` replaces each text that it quotes, since such a text may be a payer's name. What stands after
/// "must be" are our own words, and stays. All texts of others have to be quoted as [`shown`] does.
#[must_use]
pub fn unquoted(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut signs = message.chars();
    while let Some(sign) = signs.next() {
        if sign != '"' {
            out.push(sign);
            if out.ends_with(" must be ") {
                out.push_str(signs.as_str());
                break;
            }
            continue;
        }
        out.push_str("\"…\"");
        while let Some(quoted) = signs.next().filter(|quoted| *quoted != '"') {
            // The sign after it is quoted as well, also if it is a quotation mark.
            if quoted == '\\' {
                signs.next();
            }
        }
    }
    match out.char_indices().nth(LOGGED_MAX) {
        Some((end, _)) => format!("{}…", out.get(..end).unwrap_or_default()),
        None => out,
    }
}

/// What becomes of digits that could be a card number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cards {
    /// They stay: they stand where an id stands.
    Stay,
    /// They are replaced.
    Go,
}

/// A text without the data of a payer.
fn without(text: &str, cards: Cards) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, ' ');
    while let Some(first) = rest.chars().next() {
        let (length, instead) = payers(rest, before, cards).unwrap_or((first.len_utf8(), ""));
        let Some((here, after)) = rest.split_at_checked(length) else { break };
        out.push_str(if instead.is_empty() { here } else { instead });
        before = here.chars().next_back().unwrap_or(first);
        rest = after;
    }
    out
}

/// The payer data at the beginning of the text: its length in bytes and its replacement.
fn payers(text: &str, before: char, cards: Cards) -> Option<(usize, &'static str)> {
    if !before.is_alphanumeric()
        && let Some(length) = longest(text, |b| b.is_ascii_alphanumeric(), 15..=34, is_iban)
    {
        return Some((length, "[IBAN]"));
    }
    if cards == Cards::Go
        && !before.is_ascii_digit()
        && let Some(length) = longest(text, |b| b.is_ascii_digit(), 13..=19, is_card_number)
    {
        return Some((length, "[card number]"));
    }
    if !in_address(before)
        && let Some(length) = e_mail(text)
    {
        return Some((length, "[e-mail]"));
    }
    None
}

/// The length of the longest beginning of the text that passes the check. It consists of groups of such characters,
/// with one space or dash between groups; the number of characters is in the range.
fn longest(
    text: &str,
    belongs: impl Fn(u8) -> bool,
    count: std::ops::RangeInclusive<usize>,
    check: impl Fn(&[u8]) -> bool,
) -> Option<usize> {
    let mut signs = Vec::new();
    let mut found = None;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, next)| *next);
        if belongs(byte) {
            signs.push(byte);
            if count.contains(&signs.len()) && !next.is_some_and(&belongs) && check(&signs) {
                found = Some(at + 1);
            }
        } else if signs.is_empty() || !matches!(byte, b' ' | b'-') || !next.is_some_and(&belongs) {
            break;
        }
        if signs.len() >= *count.end() {
            break;
        }
    }
    found
}

/// Whether digits are a time since 1970 in milliseconds, microseconds or nanoseconds. Times begin with 1 from 2001 to 2033, and
/// one in ten has the check digit of a card number. Numbers of these lengths that begin with 1 are on no card: in ISO/IEC
/// 7812 the 1 stands for airlines, whose cards (UATP) have 15 digits.
fn is_time(digits: &[u8]) -> bool {
    digits.first() == Some(&b'1') && matches!(digits.len(), 13 | 16 | 19)
}

/// The check digit of card numbers (ISO/IEC 7812, Luhn).
fn is_card_number(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().map(|(place, digit)| {
        let value = u32::from(digit.wrapping_sub(b'0'));
        let doubled = value * 2;
        if place % 2 == 0 { value } else { doubled / 10 + doubled % 10 }
    });
    digits.first() != Some(&b'0') && !is_time(digits) && sum.sum::<u32>() % 10 == 0
}

/// Country, two check digits, account number; the whole as a number is 1 modulo 97 (ISO 13616).
fn is_iban(signs: &[u8]) -> bool {
    let Some((head, account)) = signs.split_at_checked(4) else { return false };
    let form = head.iter().take(2).all(u8::is_ascii_alphabetic) && head.iter().skip(2).all(u8::is_ascii_digit);
    let rest = account.iter().chain(head).fold(0, |rest, sign| {
        let value = char::from(*sign).to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    form && rest == 1
}

fn in_address(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-')
}

/// The length of the e-mail address at the beginning of the text.
fn e_mail(text: &str) -> Option<usize> {
    let (name, rest) = text.split_at_checked(text.find(|c| !in_address(c))?)?;
    let host = rest.strip_prefix('@')?;
    let length = host.find(|c| !in_address(c)).unwrap_or(host.len());
    (!name.is_empty() && length > 0).then_some(name.len() + 1 + length)
}

/// Whether a text can be the name of a source or an operator: such a name stands in paths, keys and logs as it is.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(belongs)
}

#[cfg(test)]
mod tests {
    use super::{masked, shown, shown_id, unquoted};

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown("a\"b"), r#""a\"b""#);
        assert_eq!(shown(&"ä".repeat(5000)).chars().count(), 103);
        assert_eq!(shown("line\nbreak"), r#""line\nbreak""#);
    }

    #[test]
    fn a_payers_data_is_not_shown() {
        for (text, instead) in [
            ("4111111111111111", "[card number]"),
            ("paid by 4111 1111 1111 1111 12/29", "paid by [card number] 12/29"),
            ("4111-1111-1111-1111 737", "[card number] 737"),
            ("99 378282246310005x", "99 [card number]x"),
            ("x4111111111111111y6304000000000000000", "x[card number]y[card number]"),
            ("DE89370400440532013000", "[IBAN]"),
            ("de89 3704 0044 0532 0130 00 was refused", "[IBAN] was refused"),
            ("IBAN:NO9386011117947, GB29NWBK60161331926819", "IBAN:[IBAN], [IBAN]"),
            ("of jo.doe+x@example.org.", "of [e-mail]"),
            ("jürgen@bücher.example", "[e-mail]"),
        ] {
            assert_eq!(masked(text), instead);
        }
        // The text is masked before it is cut: no part of a number remains at the edge.
        assert!(!shown(&format!("{}4111111111111111", "x".repeat(90))).contains("4111"));
    }

    #[test]
    fn an_id_is_shown_that_has_the_check_digit_of_a_card_number() {
        for id in ["8835511210681144", "ord-4111111111111111", "4111 1111 1111 1111"] {
            assert!(shown(id).contains("[card number]"), "{id}");
            assert_eq!(shown_id(id), format!("{id:?}"));
        }
        assert_eq!(shown_id("jo.doe@example.org"), "\"[e-mail]\"");
        assert_eq!(shown_id("DE89370400440532013000"), "\"[IBAN]\"");
        assert_eq!(shown_id(&"7".repeat(5000)).chars().count(), 103);
    }

    #[test]
    fn a_message_for_the_log_has_none_of_the_texts_that_it_quotes() {
        for text in ["Jo Doe", "Jo\" Doe", "Jo\\\" Doe\\", "Jo must be Doe", "\", but must be Doe", "Jo\n\u{1f}Doe"] {
            let said = unquoted(&format!("status: is {}, but must be one of \"look\", Paid", shown(text)));
            assert_eq!(said, "status: is \"…\", but must be one of \"look\", Paid", "{text:?}");
            assert_eq!(unquoted(&format!("{} belongs to {}", shown(text), shown(text))), "\"…\" belongs to \"…\"");
        }
        assert_eq!(unquoted(&shown(&"Doe ".repeat(50))), "\"…\"…");
        assert_eq!(unquoted("amount: \"Jo"), "amount: \"…\"");
        assert_eq!(unquoted(&"x".repeat(5000)).chars().count(), 401);
    }

    #[test]
    fn what_only_resembles_it_is_shown() {
        for text in [
            "",
            "4111111111111112",
            "20190321713212125000",
            "2026-03-02T10:00:00+01:00",
            "DE88370400440532013000",
            "pi_3OtherIntent",
            "user@",
            "@host",
            "a @ b",
            "0000000000000000",
            "1775124000007",
            "1775124000000009",
            "1775124000000000007",
            "411111111111111100000",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
