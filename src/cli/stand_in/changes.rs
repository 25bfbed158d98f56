//! What Transform reads, in words: what differs from the last read of a record, or the error that it got. Pure.

use serde_json::Value;

use crate::cli::relay_client::Answer;

/// The fields with payer data. Only their names are told.
const PAYER: &str = "bearer";
/// The longest text of a value, in characters.
const TEXT_MAX: usize = 200;

/// What the answer to a read tells that the answer to the last read did not.
pub(super) fn told(last: Option<&Answer>, read: &Answer) -> String {
    let was_good = last.filter(|last| last.is_good());
    match (read.is_good(), was_good) {
        (false, _) if last == Some(read) => format!("the same error, HTTP {}", read.status),
        (false, _) => format!("an error, HTTP {}: {}", read.status, listed(&fields(read))),
        (true, None) => format!("read first: {}", listed(&fields(read))),
        (true, Some(last)) => match changed(&fields(last), &fields(read)) {
            none if none.is_empty() => "nothing changed".to_owned(),
            some => some.join(", "),
        },
    }
}

/// A field by its path, and its value.
type Field = (String, Value);

fn listed(fields: &[Field]) -> String {
    let each = fields.iter().map(|(name, value)| match name.as_str() {
        "" => text(value),
        name if is_payer(name) => name.to_owned(),
        name => format!("{name}: {}", text(value)),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The fields that differ: those of the new body in its order, then those that are gone.
fn changed(before: &[Field], now: &[Field]) -> Vec<String> {
    let of =
        |fields: &[Field], wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let differs = |(name, value): &Field| match of(before, name) {
        Some(old) if old == *value => None,
        _ if is_payer(name) => Some(format!("{name}: changed")),
        Some(old) => Some(format!("{name}: {} → {}", text(&old), text(value))),
        None => Some(format!("{name}: none → {}", text(value))),
    };
    let gone = |(name, value): &Field| match of(now, name) {
        Some(_) => None,
        None if is_payer(name) => Some(format!("{name}: gone")),
        None => Some(format!("{name}: {} → none", text(value))),
    };
    now.iter().filter_map(differs).chain(before.iter().filter_map(gone)).collect()
}

/// All values of an answer that have no parts, by their paths. A body that is no JSON is a text.
fn fields(answer: &Answer) -> Vec<Field> {
    let body = serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::from(answer.body.as_str()));
    let mut found = Vec::new();
    add(&mut found, String::new(), &body);
    found
}

fn add(found: &mut Vec<Field>, path: String, value: &Value) {
    match value {
        Value::Object(parts) => {
            let dot = if path.is_empty() { "" } else { "." };
            parts.iter().for_each(|(name, part)| add(found, format!("{path}{dot}{name}"), part));
        }
        Value::Array(parts) => {
            parts.iter().enumerate().for_each(|(index, part)| add(found, format!("{path}[{index}]"), part));
        }
        value => found.push((path, value.clone())),
    }
}

fn is_payer(path: &str) -> bool {
    path.split(['.', '[']).next() == Some(PAYER)
}

/// A value in one line. Characters that a terminal would obey are escaped.
fn text(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut line = String::new();
    for (at, letter) in text.chars().enumerate() {
        match letter {
            _ if at >= TEXT_MAX => return line + "…",
            letter if letter.is_control() => line.extend(letter.escape_default()),
            letter => line.push(letter),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Answer {
        Answer { status: 200, body: body.to_string() }
    }

    #[test]
    fn what_differs_is_told_field_by_field() {
        let before = read(json!({"status": "Pending", "requestedAmount": 89.25, "payments": [], "dueDate": "x",
            "bearer": {"brand": "visa"}, "lastUpdated": "1"}));
        let now = read(json!({"status": "Succeeded", "requestedAmount": 89.25, "payments": [{"amount": 89.25}],
            "bearer": {"brand": "mc", "last4": "1"}, "lastUpdated": "1"}));
        let words = "status: Pending → Succeeded, payments[0].amount: none → 89.25, bearer.brand: changed, \
                     bearer.last4: changed, dueDate: x → none";
        assert_eq!(told(Some(&before), &now), words);
        assert_eq!(told(Some(&now), &now), "nothing changed");
    }

    #[test]
    fn a_first_read_lists_the_fields_and_only_names_payer_data() {
        let first = read(json!({"status": "Active", "bearer": {"iban": "DE89"}, "payments": [{"amount": 1.10}]}));
        assert_eq!(told(None, &first), "read first: status: Active, bearer.iban, payments[0].amount: 1.1");
    }

    #[test]
    fn an_error_is_told_as_one() {
        let record = read(json!({"status": "Pending"}));
        let error = Answer { status: 422, ..read(json!({"errorCode": "BearerExpired", "status": "Failed"})) };
        let words = "an error, HTTP 422: errorCode: BearerExpired, status: Failed";
        assert_eq!(told(None, &error), words);
        assert_eq!(told(Some(&record), &error), words);
        assert_eq!(told(Some(&error), &error), "the same error, HTTP 422");
        assert_eq!(told(Some(&error), &record), "read first: status: Pending");
        let no_json = Answer { status: 502, body: "no\nrelay".to_owned() };
        assert_eq!(told(None, &no_json), "an error, HTTP 502: no\\nrelay");
    }

    #[test]
    fn a_value_is_one_short_line() {
        assert_eq!(text(&json!("a\r\n\u{1b}[31m")), "a\\r\\n\\u{1b}[31m");
        assert_eq!(text(&json!("x".repeat(999))).chars().count(), TEXT_MAX + 1);
    }
}
