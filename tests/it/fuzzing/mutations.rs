//! Mutations of a body: of its bytes, and of the values in its JSON.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// One byte becomes another.
    Replace(Index, u8),
    /// These bytes are inserted.
    Insert(Index, Vec<u8>),
    /// This many bytes are removed.
    Remove(Index, usize),
    /// This many bytes are repeated.
    Repeat(Index, usize),
    /// A value of the JSON is replaced by this value.
    Value(Index, Value),
    /// A value of the JSON is replaced by another of its values.
    Swap(Index, Index),
    /// A value of the JSON is replaced by a list with many copies of it.
    Many(Index, usize),
}

fn strange_values() -> impl Strategy<Value = Value> {
    let fixed = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(""),
        json!([]),
        json!({}),
        json!("x"),
        json!(1e300),
        json!(u64::MAX),
        json!("1e28"),
        json!("-79228162514264337593543950335"),
        json!("0.0000000000000000000000000001"),
        json!("9999-12-31T23:59:59Z"),
        json!("-009999-01-02T00:00:00Z"),
        json!(253_402_207_200_i64),
        json!("€\u{0}\u{202e}"),
        json!({"$serde_json::private::Number": "1"}),
        json!("4111 1111 1111 1111"),
        json!("EUR"),
        json!("XXX"),
    ];
    prop_oneof![
        4 => prop::sample::select(fixed.to_vec()),
        1 => any::<i64>().prop_map(Value::from),
        1 => "\\PC{0,40}".prop_map(Value::from),
        1 => "[0-9eE+.-]{1,12}".prop_map(|text| serde_json::from_str(&text).unwrap_or(Value::Null)),
        1 => (0..3000_usize).prop_map(|length| Value::from("ä".repeat(length))),
    ]
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let at = any::<Index>;
    let bytes = prop::collection::vec(any::<u8>(), 1..8);
    let change = prop_oneof![
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        1 => (at(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (at(), 1..60_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (at(), 1..60_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        4 => (at(), strange_values()).prop_map(|(at, value)| Change::Value(at, value)),
        2 => (at(), at()).prop_map(|(at, other)| Change::Swap(at, other)),
        1 => (at(), 0..200_usize).prop_map(|(at, count)| Change::Many(at, count)),
    ];
    prop::collection::vec(change, 0..5)
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, one)| pointers(one, format!("{at}/{index}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, one)| {
            pointers(one, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
    found.push(at);
}

pub(crate) fn changed(body: &[u8], changes: &[Change]) -> Vec<u8> {
    changes.iter().fold(body.to_vec(), change_bytes)
}

fn change_bytes(mut body: Vec<u8>, change: &Change) -> Vec<u8> {
    let bound = |at: &Index, body: &[u8]| at.index(body.len() + 1);
    match change {
        Change::Replace(at, byte) if !body.is_empty() => {
            let at = at.index(body.len());
            body[at] = *byte;
        }
        Change::Insert(at, bytes) => {
            let at = bound(at, &body);
            body.splice(at..at, bytes.iter().copied());
        }
        Change::Remove(at, count) => {
            let at = bound(at, &body);
            body.drain(at..(at + count).min(body.len()));
        }
        Change::Repeat(at, count) => {
            let at = bound(at, &body);
            let part = body[at..(at + count).min(body.len())].to_vec();
            body.splice(at..at, part);
        }
        Change::Value(at, _) | Change::Swap(at, _) | Change::Many(at, _) => {
            if let Ok(mut json) = serde_json::from_slice::<Value>(&body) {
                let mut found = Vec::new();
                pointers(&json, String::new(), &mut found);
                let instead = match change {
                    Change::Value(_, value) => value.clone(),
                    Change::Swap(_, other) => json.pointer(&found[other.index(found.len())]).unwrap().clone(),
                    Change::Many(at, count) => {
                        let one = json.pointer(&found[at.index(found.len())]).unwrap();
                        vec![one.clone(); *count].into()
                    }
                    _ => Value::Null,
                };
                *json.pointer_mut(&found[at.index(found.len())]).unwrap() = instead;
                body = json.to_string().into_bytes();
            }
        }
        Change::Replace(..) => {}
    }
    body
}
