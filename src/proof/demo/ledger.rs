//! The ledger of the PSPs' truth. The story keeps it as it happens, apart from the relay, for the comparison at the end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The truth, record by record: the fields that Transform must hold.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<(u8, String), BTreeMap<&'static str, Value>>);

impl Ledger {
    /// Notes that the PSP's truth about a field of a record has changed.
    pub(super) fn knows(&mut self, code: u8, id: &str, field: &'static str, value: Value) {
        self.0.entry((code, id.to_owned())).or_default().insert(field, value);
    }

    /// The differences between Transform's records and the truth. Empty if there are none.
    pub(super) fn compare(&self, held: &BTreeMap<(u8, String), Value>) -> Vec<String> {
        let mut differences = Vec::new();
        for ((code, id), truth) in &self.0 {
            let Some(body) = held.get(&(*code, id.clone())) else {
                differences.push(format!("{id}: Transform never heard of it"));
                continue;
            };
            for (field, expected) in truth {
                let found = field_of(body, field);
                if found != *expected {
                    differences.push(format!("{id}: {field} is {found} at Transform, {expected} at the PSP"));
                }
            }
        }
        differences
    }
}

/// A field of a fetched body. `paid` and `chargedBack` are the amounts of its lists, joined by ` + `. An absent list is the
/// empty text, and any other absent field is null.
fn field_of(body: &Value, field: &str) -> Value {
    let amounts = |list: &str| {
        let amounts = body[list].as_array().into_iter().flatten().map(|item| item["amount"].to_string());
        amounts.collect::<Vec<_>>().join(" + ")
    };
    match field {
        "paid" => json!(amounts("payments")),
        "chargedBack" => json!(amounts("chargebacks")),
        _ => body[field].clone(),
    }
}
