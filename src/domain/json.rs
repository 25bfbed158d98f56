//! JSON from any sender as a value, with bounds on the number of values and no forged numbers.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::nearest::nearest;
use super::text::shown;

/// The field name under which serde_json keeps the digits of a number on its way to a [`Value`]. An object with a field of
/// this name would become a number that nobody wrote.
const NUMBER: &str = "$serde_json::private::Number";
/// The most bytes that one character of a name takes as JSON: `\u0024`.
const ESCAPED_MAX: usize = 6;

/// The number of values that JSON may have, whatever its size.
const VALUES_ALWAYS: usize = 20_000;
/// One more value is allowed for this many bytes. A value costs up to some hundred bytes of memory and a microsecond, but
/// takes only a few bytes to write. Notifications have more bytes for each value, even batches of thousands of messages.
const BYTES_PER_VALUE: usize = 16;

/// Reads JSON. Numbers keep every digit. serde_json limits the nesting to 128.
///
/// # Errors
/// The bytes are not JSON (the error names the position), they have too many values for their size, or a field has the
/// name of a number.
pub fn read(bytes: &[u8]) -> Result<Value, String> {
    let (values, most) = (values(bytes), VALUES_ALWAYS.saturating_add(bytes.len() / BYTES_PER_VALUE));
    if values > most {
        return Err(format!("it has about {values} values; at most {most} values are read of {} bytes", bytes.len()));
    }
    let value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if has_forged_number(bytes) {
        return Err(format!("a field has the name {NUMBER:?}, which is not read"));
    }
    Ok(value)
}

/// The way to a field that stands twice in its object: its name, after the names of the fields around it. `None` if there is none.
/// [`read`] keeps the last of such fields. The bytes are JSON that it takes.
#[must_use]
pub fn twice(bytes: &[u8]) -> Option<Vec<String>> {
    let mut way = Vec::new();
    let found = Names(&mut way).deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    found.err().map(|_| way)
}

/// A message of serde's about a wrong type, field or choice in the words of our other messages.
#[must_use]
pub fn in_our_words(message: &str) -> String {
    // The last one is serde's: a value in front of it may have the same words.
    let parts = |beginning: &str| message.strip_prefix(beginning)?.rsplit_once(", expected ");
    if let Some((found, right)) = parts("invalid type: ") {
        return format!("is {}, but must be {}", in_words(found), in_words(right)).replace('`', "");
    }
    if let Some((found, right)) = parts("unknown variant ") {
        let found = found.trim_start_matches('`').trim_end_matches('`');
        return format!("is {}, but must be {}", shown(found), right.replace('`', "\""));
    }
    match parts("unknown field ") {
        Some((found, known)) if let Some(meant) = meant(found, known) => {
            format!("there is no such field; did you mean {meant}?")
        }
        Some((_, known)) => format!("there is no such field; known here: {known}").replace('`', "\""),
        None => message.to_owned(),
    }
}

/// The known field that was probably meant. serde puts each name into backticks.
fn meant<'a>(found: &str, known: &'a str) -> Option<&'a str> {
    nearest(found.trim_matches('`'), known.split('`').skip(1).step_by(2))
}

/// A type or a value of serde's in words of JSON.
fn in_words(found: &str) -> &str {
    match found {
        "number" | "floating point number" => "a number",
        "null" => "null",
        "map" | "a map" => "an object",
        "sequence" | "a sequence" => "a list",
        "a string" | "a borrowed string" | "string or map" => "a text",
        "a boolean" => "true or false",
        _ => ["string ", "integer ", "boolean ", "floating point "]
            .iter()
            .find_map(|kind| found.strip_prefix(kind))
            .unwrap_or(found),
    }
}

/// Reads the names of fields alone, and ends at one that its object has already. The names on the way there are left.
struct Names<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Names(self.0))?.is_some() {}
        Ok(())
    }

    /// A number of many digits comes as an object, too: its only field has the name [`NUMBER`].
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = object.next_key::<String>()? {
            self.0.push(name.clone());
            if !names.insert(name) {
                return Err(A::Error::custom("a field is there twice"));
            }
            object.next_value_seed(Names(self.0))?;
            self.0.pop();
        }
        Ok(())
    }
}

/// An upper bound of the number of values: one, and one more for each `{`, `[` and comma outside of texts.
fn values(json: &[u8]) -> usize {
    let (mut rest, mut values) = (json, 1_usize);
    let count = |bytes: &[u8]| bytes.iter().filter(|byte| matches!(byte, b'{' | b'[' | b',')).count();
    while let Some((between, after)) = split_at_quote(rest) {
        values = values.saturating_add(count(between));
        rest = split_at_quote(after).map_or(&[], |(_, after)| after);
    }
    values.saturating_add(count(rest))
}

/// Whether JSON has a field with the name of a number, in any spelling.
fn has_forged_number(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some((_, after)) = split_at_quote(rest) {
        let Some((text, after)) = split_at_quote(after) else { return false };
        let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
        if next == Some(&b':') && is_number_name(text) {
            return true;
        }
        rest = after;
    }
    false
}

/// The bytes before the next unescaped quote, and the bytes after it.
fn split_at_quote(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let end = bytes.iter().position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    })?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn is_number_name(text: &[u8]) -> bool {
    if text == NUMBER.as_bytes() {
        return true;
    }
    let may_be = text.contains(&b'\\') && text.len() <= ESCAPED_MAX * NUMBER.len();
    let quoted = || [b"\"", text, b"\""].concat();
    may_be && serde_json::from_slice::<String>(&quoted()).is_ok_and(|name| name == NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCAPED: &str = r"\u0024serde_json::private::Nu\u006Dber";

    #[test]
    fn numbers_keep_every_digit() {
        let value = read(br#"[12.90, 20190321713212125000, -0, "\"", "\\", {"a":"b"}]"#).unwrap();
        assert_eq!(value.to_string(), r#"[12.90,20190321713212125000,-0,"\"","\\",{"a":"b"}]"#);
    }

    #[test]
    fn an_object_is_no_number_whatever_its_field_is_called() {
        for name in [NUMBER, ESCAPED] {
            for number in ["100", "1e400", "-1"] {
                let forged = format!("{{ \"{name}\" : \"{number}\" }}");
                // serde_json alone reads a number that nobody wrote.
                assert!(serde_json::from_str::<Value>(&forged).unwrap().is_number(), "{forged}");
                for json in [forged.clone(), format!("[{{\"a\\\\\":{forged}}}]"), format!("[\"\\\\\\\"\",{forged}]")] {
                    assert!(read(json.as_bytes()).unwrap_err().contains("has the name"), "{json}");
                }
            }
            let as_text = format!("{{\"a\":\"{name}\",\"b\":[\"{name}\"]}}");
            assert!(read(as_text.as_bytes()).is_ok());
            let later = format!("{{\"a\":1,\"{name}\":\"1\"}}");
            assert!(read(later.as_bytes()).is_err(), "refused wherever it stands");
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_found_wherever_it_stands() {
        for (json, way) in [
            (r#"{"a":1,"b":2,"a":1}"#, "a"),
            (r#"{"a":null,"\u0061":true}"#, "a"),
            (r#"[0,{"x":[{"a":{}},{"b":[],"c":-1e400,"b":""}]}]"#, "x b"),
            (r#"{"x":{"y":{"z":1,"z":2}},"x":1}"#, "x y z"),
            (r#"{"":1,"":2}"#, ""),
        ] {
            assert!(read(json.as_bytes()).is_ok());
            assert_eq!(twice(json.as_bytes()).unwrap().join(" "), way, "{json}");
        }
        let nested = "[".repeat(127) + &"]".repeat(127);
        for json in [
            r#"{"a":{"a":1},"b":{"a":1.5,"c":-7},"A":[{"a":1},{"a":20190321713212125000}]}"#,
            "1",
            "\"a\"",
            "[]",
            &nested,
        ] {
            assert_eq!(twice(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn the_number_of_values_has_a_bound() {
        let list = |value: &str, times: usize| format!("[{}]", vec![value; times].join(","));
        // The values are the list itself and those in it.
        for (value, values) in [("0", 1), ("{\"\":0}", 2), ("[]", 2), ("{\"a\":{\"b\":[]}}", 4)] {
            let most = (VALUES_ALWAYS - 1) / values;
            assert!(read(list(value, most).as_bytes()).is_ok(), "{value}");
            let mebibyte = list(value, (1 << 20) / (value.len() + 1));
            assert!(read(mebibyte.as_bytes()).unwrap_err().contains("values are read"), "{value}");
            // The bound refuses it before the JSON parser reads it.
            assert!(
                read(&mebibyte.as_bytes()[..mebibyte.len() - 1]).unwrap_err().contains("values are read"),
                "{value}"
            );
        }
        let text = serde_json::to_string(&list("{\"\":0}", 150_000)).unwrap();
        assert!(read(text.as_bytes()).is_ok(), "what stands in a text is no value");
        let message = r#"{"id":"re_0","amount":{"value":1,"currency":"EUR"},"state":"succeeded"}"#;
        assert!(read(list(message, 10_000).as_bytes()).is_ok(), "a large batch of short messages");
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(127).as_bytes()).is_ok());
        for depth in [128, 15_000] {
            assert!(read(nested(depth).as_bytes()).unwrap_err().contains("recursion limit"));
        }
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(read(objects(15_000).as_bytes()).unwrap_err().contains("recursion limit"));
        for endless in [nested(500_000), objects(500_000)] {
            assert!(read(endless.as_bytes()).is_err());
        }
    }
}
