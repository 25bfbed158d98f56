//! Guesses for `profile new`: the meaning of a notification's texts, by their names and shapes. The best guess comes first.

use jiff::Timestamp;

use super::sample::{Leaf, Sample, letters};
use crate::domain::money::{Currency, parse_decimal};

/// Candidates for the fields of a profile.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) event_type: Vec<Leaf>,
    /// The id of the notification itself.
    pub(super) event_id: Vec<Leaf>,
    /// Ids of the object that the notification is about.
    pub(super) ids: Vec<Leaf>,
    pub(super) reference: Vec<Leaf>,
    pub(super) at: Vec<Leaf>,
    pub(super) amount: Vec<Leaf>,
    pub(super) currency: Vec<Leaf>,
    pub(super) status: Vec<Leaf>,
    /// The header with the signature.
    pub(super) signature: Option<(String, String)>,
}

const TYPES: [&str; 10] = [
    "type",
    "eventtype",
    "event",
    "eventcode",
    "eventname",
    "topic",
    "callbacktype",
    "notificationtype",
    "action",
    "kind",
];
const EVENT_IDS: [&str; 8] =
    ["eventid", "webhookid", "notificationid", "messageid", "callbackid", "deliveryid", "uuid", "guid"];
const TIMES: [&str; 13] = [
    "timestamp",
    "occurredat",
    "eventdate",
    "eventtime",
    "createdat",
    "created",
    "createtime",
    "createddate",
    "changeddate",
    "updatedat",
    "date",
    "time",
    "datetime",
];
const AMOUNTS: [&str; 9] =
    ["amount", "value", "amountvalue", "total", "totalamount", "grossamount", "amountreceived", "price", "sum"];
const REFERENCES: [&str; 14] = [
    "transactionid",
    "agreementid",
    "merchantreference",
    "reference",
    "externalid",
    "externalreference",
    "merchanttransactionid",
    "orderid",
    "ordernumber",
    "upstreamid",
    "customid",
    "invoiceid",
    "myreference",
    "handle",
];
const STATES: [&str; 6] = ["status", "state", "result", "success", "outcome", "paymentstatus"];

impl Guess {
    pub(super) fn of(sample: &Sample) -> Self {
        let named = |names: &[&str], fits: &dyn Fn(&Leaf) -> bool| {
            let place = |leaf: &&Leaf| names.iter().position(|name| *name == leaf.name).map(|at| (leaf.depth, at));
            let mut found: Vec<&Leaf> =
                sample.leaves.iter().filter(|leaf| place(leaf).is_some() && fits(leaf)).collect();
            found.sort_by_key(place);
            found.into_iter().cloned().collect::<Vec<_>>()
        };
        let any = |_: &Leaf| true;
        let mut event_id = named(&EVENT_IDS, &any);
        let top_id = |leaf: &&Leaf| leaf.name == "id" && leaf.depth == 1;
        let has_deeper_id = sample.leaves.iter().any(|leaf| leaf.depth > 1 && is_id(leaf));
        event_id.extend(sample.leaves.iter().filter(top_id).filter(|_| has_deeper_id).cloned());
        let reference = references(sample, named(&REFERENCES, &any));
        let is_own = |leaf: &&Leaf| is_id(leaf) && !event_id.contains(leaf) && !is_metadata(leaf);
        let mut ids: Vec<Leaf> = sample.leaves.iter().filter(is_own).cloned().collect();
        ids.sort_by_key(|leaf| leaf.name != "id");
        Self {
            event_type: named(&TYPES, &|leaf| leaf.text.parse::<f64>().is_err()),
            ids,
            reference,
            at: named(&TIMES, &|leaf| time_format(&leaf.text).is_some()),
            amount: named(&AMOUNTS, &|leaf| parse_decimal(&leaf.text).is_ok()),
            currency: sample.leaves.iter().filter(|leaf| is_currency(leaf)).cloned().collect(),
            status: named(&STATES, &any),
            signature: signature(&sample.headers),
            event_id,
        }
    }
}

/// Candidates for the Transform id: the merchant's own texts come back in metadata fields, or as the merchant's reference.
fn references(sample: &Sample, named: Vec<Leaf>) -> Vec<Leaf> {
    let mut found: Vec<Leaf> = sample.leaves.iter().filter(|leaf| is_metadata(leaf)).cloned().collect();
    for leaf in named {
        if !found.contains(&leaf) {
            found.push(leaf);
        }
    }
    found
}

fn is_metadata(leaf: &Leaf) -> bool {
    leaf.place.to_ascii_lowercase().contains("/metadata/")
}

fn is_id(leaf: &Leaf) -> bool {
    let named = leaf.name == "id" || leaf.name == "pspreference" || leaf.name.ends_with("id");
    let of_another = ["customerid", "merchantid", "accountid", "shopid", "userid", "personid", "paid", "void", "valid"];
    named && !of_another.contains(&leaf.name.as_str()) && !REFERENCES.contains(&leaf.name.as_str())
        || ["pspreference", "transactionid", "paymentid"].contains(&leaf.name.as_str()) && !is_metadata(leaf)
}

fn is_currency(leaf: &Leaf) -> bool {
    leaf.name.contains("currency") && leaf.text.parse::<Currency>().is_ok()
}

/// The profile's word for the format of a time, if the text is a time.
pub(super) fn time_format(text: &str) -> Option<&'static str> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match (digits, text.len()) {
        (true, 10) => Some("unix"),
        (true, 13) => Some("unix-ms"),
        _ if text.parse::<Timestamp>().is_ok() => Some("rfc3339"),
        _ if text.len() >= 10 && text.parse::<jiff::civil::DateTime>().is_ok() => Some("utc"),
        _ => None,
    }
}

/// The first header whose name suggests a signature.
fn signature(headers: &[(String, String)]) -> Option<(String, String)> {
    let named = |name: &str| {
        let name = letters(name);
        let words = ["signature", "hmac", "checksum", "digest", "sha256"];
        words.iter().any(|word| name.contains(word)) || name.ends_with("sig") || name.ends_with("sign")
    };
    headers.iter().find(|(name, _)| named(name)).cloned()
}
