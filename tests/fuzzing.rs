//! The entry points of `fuzz/` with mutated fixtures: what every test run can afford of fuzzing.

#![cfg(test)]

#[path = "../fuzz/entries.rs"]
mod entries;

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use transform_relay::psp::catalogue::BUILT_IN;

/// A body as a PSP documents it, and the place of its profile in the catalogue.
struct Seed {
    profile: u8,
    body: Vec<u8>,
}

static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    // The catalogue is in the order of names.
    let mut names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    for (place, profile) in (0..).zip(names) {
        for folder in [profile.to_owned(), format!("{profile}/vectors"), format!("{profile}/fetched")] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
            for entry in folder.read_dir().into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ["json", "form", "xml"].iter().any(|known| ending == *known)) {
                    seeds.push(Seed { profile: place, body: std::fs::read(path).unwrap() });
                }
            }
        }
    }
    seeds.sort_by(|a, b| a.body.cmp(&b.body));
    assert!(seeds.len() > 200);
    seeds
});

#[derive(Debug, Clone)]
enum Change {
    /// One byte becomes another.
    Replace(Index, u8),
    /// These bytes come in.
    Insert(Index, Vec<u8>),
    /// As many bytes go.
    Remove(Index, usize),
    /// As many bytes come once more.
    Repeat(Index, usize),
    /// A value of the JSON becomes another.
    Value(Index, Value),
    /// A value of the JSON becomes one of its other values.
    Swap(Index, Index),
    /// A value of the JSON becomes a list with many of it.
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

fn changes() -> impl Strategy<Value = Vec<Change>> {
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

fn changed(body: &[u8], changes: &[Change]) -> Vec<u8> {
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

fn header_lines() -> impl Strategy<Value = String> {
    let names = [
        "stripe-signature",
        "digitalriver-signature",
        "plenigo-signature",
        "hmacsignature",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "authorization",
    ];
    let value = prop_oneof![
        "(t=[0-9]{0,12},?)?(v[01]=[0-9a-fA-F]{0,70},?){0,3}",
        "1700000000,[ ]?[A-Za-z0-9+/=]{0,50}",
        "(v1,[A-Za-z0-9+/=]{0,50} ?){0,20}",
        "1[67][0-9]{8}",
        "[ -~]{0,60}",
    ];
    let line = (prop::sample::select(names.to_vec()), value).prop_map(|(name, value)| format!("{name}: {value}\n"));
    prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat())
}

/// A seed and its changes, as an input of the entries.
fn bodies() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (any::<Index>(), changes()).prop_map(|(at, changes)| {
        let seed = at.get(&SEEDS);
        (seed.profile, changed(&seed.body, &changes))
    })
}

/// A built-in profile with lines gone, doubled or moved, and texts in place of others: many of these still load.
fn profile_texts() -> impl Strategy<Value = String> {
    let change = (0..4_u8, any::<Index>(), any::<Index>());
    (any::<Index>(), prop::collection::vec(change, 0..4)).prop_map(|(which, changes)| {
        let mut lines: Vec<String> = which.get(BUILT_IN).1.lines().map(str::to_owned).collect();
        for (kind, at, other) in changes {
            let (at, other) = (at.index(lines.len()), other.index(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other].clone()),
                2 => lines.swap(at, other),
                _ => {
                    let text = lines[other].split('"').nth(1).unwrap_or("/data/*/id").to_owned();
                    let mut parts: Vec<_> = lines[at].split('"').map(str::to_owned).collect();
                    if let Some(part) = parts.get_mut(1) {
                        *part = text;
                    }
                    lines[at] = parts.join("\"");
                }
            }
        }
        lines.join("\n")
    })
}

fn few(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(few(1000))]

    #[test]
    fn nothing_verifies_that_nobody_signed(headers in header_lines(), (profile, body) in bodies()) {
        entries::verify(&[&[profile][..], headers.as_bytes(), b"\n", &body].concat());
    }

    #[test]
    fn whatever_is_signed_is_read((profile, body) in bodies()) {
        entries::normalise(&[&[profile][..], &body].concat());
    }

    #[test]
    fn any_text_is_a_profile_or_a_mistake(text in profile_texts(), noise in changes(), (_, body) in bodies()) {
        entries::profile(&[text.as_bytes(), b"\0", &body].concat());
        let text: Vec<u8> = changed(text.as_bytes(), &noise).into_iter().filter(|byte| *byte != 0).collect();
        entries::profile(&[&text[..], b"\0", &body].concat());
    }
}

#[test]
fn bytes_without_any_form_are_read_too() {
    for data in
        [&b""[..], b"\0", b"\xff", b"\x04{}", b"\x04\n{}", b"\x00{\"notificationItems\":[{}]}", b"name = 1", b"\0\0"]
    {
        entries::verify(data);
        entries::normalise(data);
        entries::profile(data);
    }
}
