//! JSON as a value, from anybody.

use serde_json::Value;

/// The name of the field in which serde_json keeps the digits of a number on its way to a [`Value`]. An object with a field
/// of this name would become a number, which nobody wrote.
const NUMBER: &str = "$serde_json::private::Number";
/// How many bytes a sign of a name may take as JSON: `\u0024`.
const ESCAPED_MAX: usize = 6;

/// Reads JSON. Numbers keep every digit; how deep it may be nested, serde_json limits to 128.
///
/// # Errors
/// Where it is no JSON, or that a field has a name that is not read.
pub fn read(bytes: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if has_forged_number(bytes) {
        return Err(format!("a field has the name {NUMBER:?}, which is not read"));
    }
    Ok(value)
}

/// Whether what is JSON has a field of that name, however it is written.
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

/// What stands before the next quote that is not escaped, and behind it.
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
                // serde_json by itself reads a number that nobody wrote.
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
    fn nesting_has_a_bound() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(127).as_bytes()).is_ok());
        for depth in [128, 500_000] {
            assert!(read(nested(depth).as_bytes()).unwrap_err().contains("recursion limit"));
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(500_000), "}".repeat(500_000));
        assert!(read(objects.as_bytes()).unwrap_err().contains("recursion limit"));
    }
}
