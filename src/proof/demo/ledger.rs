//! The ledger of the PSPs' truth. The story keeps it as it happens, apart from the relay, for the comparison at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::proof::stand_in::Key;

/// The truth, record by record: the fields that Transform must hold.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<Key, BTreeMap<&'static str, Value>>);

/// The outcome of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// The number of records that the PSPs or Transform know.
    pub(super) records: usize,
    /// The number of those in which Transform holds the truth.
    pub(super) agree: usize,
    /// Each difference, for people.
    pub(super) differences: Vec<String>,
}

impl Ledger {
    /// Notes that the PSP's truth about a field of a record has changed.
    pub(super) fn knows(&mut self, code: u8, id: &str, field: &'static str, value: Value) {
        self.0.entry((code, id.to_owned())).or_default().insert(field, value);
    }

    /// Compares Transform's records with the truth.
    pub(super) fn compare(&self, held: &BTreeMap<Key, Value>) -> Comparison {
        let records: BTreeSet<&Key> = self.0.keys().chain(held.keys()).collect();
        let wrong: Vec<_> = records.iter().map(|key| self.differences(key, held.get(*key))).collect();
        let agree = wrong.iter().filter(|differences| differences.is_empty()).count();
        Comparison { records: records.len(), agree, differences: wrong.concat() }
    }

    fn differences(&self, key: &Key, held: Option<&Value>) -> Vec<String> {
        let id = &key.1;
        let (Some(truth), Some(body)) = (self.0.get(key), held) else {
            let whose = if held.is_none() { "Transform" } else { "a PSP" };
            return vec![format!("{id}: {whose} never heard of it")];
        };
        let differ = truth.iter().map(|(field, expected)| (field, field_of(body, field), expected));
        differ
            .filter(|(_, found, expected)| found != *expected)
            .map(|(field, found, expected)| format!("{id}: {field} is {found} at Transform, {expected} at the PSP"))
            .collect()
    }
}

/// A field of a body that was read. `paid` and `chargedBack` are the amounts of its lists, joined by ` + `. An absent list is
/// the empty text, and any other absent field is null.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_agrees_or_is_told_of() {
        let mut ledger = Ledger::default();
        for (id, paid) in [("a", "1"), ("b", "2"), ("c", "3")] {
            ledger.knows(2, id, "status", json!("Succeeded"));
            ledger.knows(2, id, "paid", json!(paid));
        }
        let paid = |amount: u8| json!({"status": "Succeeded", "payments": [{"amount": amount}]});
        let held = [("a", paid(1)), ("b", paid(9)), ("d", paid(4))].map(|(id, body)| ((2, id.to_owned()), body));
        let agreement = ledger.compare(&held.into());
        assert_eq!((agreement.agree, agreement.records), (1, 4));
        let expected = [
            "b: paid is \"9\" at Transform, \"2\" at the PSP",
            "c: Transform never heard of it",
            "d: a PSP never heard of it",
        ];
        assert_eq!(agreement.differences, expected);
    }
}
