//! What Transform reads at the end of a play, against what it must read.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::play::Read;

/// Times of the relay's own, which differ from order to order.
const OWN_TIMES: [&str; 2] = ["lastUpdated", "receivedAt"];

/// The first difference between what is expected of some records and what is read of them.
pub(super) fn wrong(expected: &BTreeMap<String, Map<String, Value>>, read: &BTreeMap<String, Read>) -> Option<String> {
    expected.iter().find_map(|(id, fields)| {
        let read = &read[id];
        let field = |(name, value): (&String, &Value)| match name.as_str() {
            "httpStatus" => difference(name, value, Some(&read.status.into())),
            "told" => difference(name, value, Some(&read.told.into())),
            _ => difference(name, value, read.body.get(name)),
        };
        fields.iter().find_map(field).map(|difference| format!("{id}: {difference}"))
    })
}

/// The first difference between the bodies that two orders end in.
pub(super) fn apart(one: &BTreeMap<String, Read>, other: &BTreeMap<String, Read>) -> Option<String> {
    one.iter().find_map(|(id, read)| {
        let (one, other) = (timeless(&read.body), timeless(&other[id].body));
        (one != other).then(|| format!("{id}: {other} instead of {one}"))
    })
}

/// A body without the relay's own times.
fn timeless(body: &Value) -> Value {
    match body {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !OWN_TIMES.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), timeless(value))).collect())
        }
        other => other.clone(),
    }
}

/// The difference of a field, if it does not have the expected value.
fn difference(field: &str, expected: &Value, read: Option<&Value>) -> Option<String> {
    let read = read.unwrap_or(&Value::Null);
    match (expected, read) {
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().find_map(|(name, value)| difference(&format!("{field}.{name}"), value, read.get(name)))
        }
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => items_differ(field, items, found),
        _ => (!is_equal(expected, read)).then(|| format!("{field}: expected {expected}, read {read}")),
    }
}

/// The difference of lists of the same length. The order of the items does not matter.
fn items_differ(field: &str, expected: &[Value], read: &[Value]) -> Option<String> {
    let mut left: Vec<&Value> = read.iter().collect();
    expected.iter().find_map(|item| {
        match left.iter().position(|found| difference(field, item, Some(found)).is_none()) {
            Some(at) => {
                left.remove(at);
                None
            }
            None => Some(format!("{field}: expected {item} among {}", Value::from(read))),
        }
    })
}

/// Whether a value is the expected one. Amounts are equal as decimals. Null stands for all that is absent: also 0, and an
/// empty list.
fn is_equal(expected: &Value, read: &Value) -> bool {
    let is_zero = |value: &Value| amount(value).is_some_and(|amount| amount.is_zero());
    match expected {
        Value::Null => match read {
            Value::Array(items) => items.is_empty(),
            other => other.is_null() || is_zero(other),
        },
        Value::Number(_) => amount(expected).is_some() && amount(expected) == amount(read),
        Value::Array(items) => items.is_empty() && read.is_null(),
        other => other == read,
    }
}

fn amount(value: &Value) -> Option<Decimal> {
    let Value::Number(number) = value else { return None };
    number.to_string().parse().ok()
}

#[test]
fn null_is_all_that_is_absent_and_amounts_are_decimals() {
    let text = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let differs = |expected: &str, read: &str| difference("field", &text(expected), Some(&text(read))).is_some();
    for (expected, read) in [("null", "0"), ("null", "[]"), ("[]", "null"), ("70", "70.00"), ("0.10", "0.1")] {
        assert!(!differs(expected, read), "{expected} is {read}");
    }
    for (expected, read) in [("null", "1"), ("null", "[0]"), ("70", "70.01"), ("\"70\"", "70"), ("[1]", "null")] {
        assert!(differs(expected, read), "{expected} is not {read}");
    }
}

#[test]
fn of_the_items_of_a_list_the_named_fields_and_the_number_count() {
    let text = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let said = |expected: &str, read: &str| difference("list", &text(expected), Some(&text(read)));
    let read = r#"[{"id":"a","amount":1.0},{"id":"b","amount":2}]"#;
    assert_eq!(said(r#"[{"amount":2},{"amount":1}]"#, read), None);
    assert!(said(r#"[{"amount":1},{"amount":1}]"#, read).is_some());
    assert!(said(r#"[{"amount":1}]"#, read).is_some());
    assert!(said(r#"[{"amount":1,"fee":3},{}]"#, read).is_some());
}
