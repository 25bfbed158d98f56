//! Guesses for `profile new`: the meaning of a notification's texts, by their names and shapes. The best guess comes first.

use jiff::Timestamp;

use super::sample::{Leaf, Sample, letters};
use crate::domain::money::{Currency, parse_decimal};

/// Candidates for the fields of a profile.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) event_type: Vec<Leaf>,
    /// The word for the object beside the best guess for the type, if the type says only what was done to it.
    pub(super) object_type: Option<Leaf>,
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

const TYPES: [&str; 12] = [
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
    "txaction",
    "lastevent",
];
/// Types that say only what was done to an object, and the words for the object beside them.
const ACTIONS: [&str; 2] = ["action", "callbacktype"];
const OBJECTS: [&str; 4] = ["resourcetype", "entitytype", "objecttype", "resource"];
const EVENT_IDS: [&str; 8] =
    ["eventid", "webhookid", "notificationid", "messageid", "callbackid", "deliveryid", "uuid", "guid"];
const TIMES: [&str; 14] = [
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
    "txtime",
];
const AMOUNTS: [&str; 9] =
    ["amount", "value", "amountvalue", "total", "totalamount", "grossamount", "amountreceived", "price", "sum"];
const REFERENCES: [&str; 16] = [
    "transactionid",
    "agreementid",
    "merchantreference",
    "reference",
    "externalid",
    "externalreference",
    "merchanttransactionid",
    "transactionreference",
    "orderid",
    "ordercode",
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
        let has_deeper_id = sample.leaves.iter().any(|leaf| leaf.depth > 1 && is_id(leaf) && !is_merchants(leaf));
        event_id.extend(sample.leaves.iter().filter(top_id).filter(|_| has_deeper_id).cloned());
        let is_own = |leaf: &&Leaf| is_id(leaf) && !event_id.contains(leaf) && !is_merchants(leaf);
        let mut ids: Vec<Leaf> = sample.leaves.iter().filter(is_own).cloned().collect();
        ids.sort_by_key(of_another_thing);
        // A number is no word, and a text with a slash is a media type.
        let is_type = |leaf: &Leaf| leaf.text.parse::<f64>().is_err() && !leaf.text.contains('/');
        let mut event_type = named(&TYPES, &is_type);
        event_type.retain(|leaf| !is_merchants(leaf) || leaf.name.contains("event"));
        let at = named(&TIMES, &|leaf| time_format(&leaf.text).is_some());
        let mut reference = references(sample, named(&REFERENCES, &any));
        reference.retain(|leaf| ![&event_type, &event_id, &at].iter().any(|other| other.contains(leaf)));
        Self {
            object_type: event_type.first().and_then(|leaf| object(sample, leaf)),
            event_type,
            ids,
            reference,
            at,
            amount: named(&AMOUNTS, &|leaf| parse_decimal(&leaf.text).is_ok() && is_of_money(leaf)),
            currency: sample.leaves.iter().filter(|leaf| is_currency(leaf)).cloned().collect(),
            status: named(&STATES, &any),
            signature: signature(&sample.headers),
            event_id,
        }
    }
}

/// The shortest text that may be a Transform id among the merchant's own texts, in characters.
const REFERENCE_MIN: usize = 6;

/// Candidates for the Transform id: what has the name of a reference, first among the merchant's own texts, and then the
/// other texts of the merchant's.
fn references(sample: &Sample, mut named: Vec<Leaf>) -> Vec<Leaf> {
    named.sort_by_key(|leaf| !is_merchants(leaf));
    let others = sample.leaves.iter().filter(|leaf| is_merchants(leaf) && leaf.text.chars().count() >= REFERENCE_MIN);
    for leaf in others {
        if !named.contains(leaf) {
            named.push(leaf.clone());
        }
    }
    named
}

/// Whether a text stands where the merchant's own texts come back.
fn is_merchants(leaf: &Leaf) -> bool {
    let place = leaf.place.to_ascii_lowercase();
    ["/metadata/", "/variables/", "/custom_data/"].iter().any(|own| place.contains(own))
}

/// The word for the object beside a type that says only what was done to it.
fn object(sample: &Sample, event_type: &Leaf) -> Option<Leaf> {
    let folder = |leaf: &Leaf| leaf.place.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let beside = |leaf: &&Leaf| OBJECTS.contains(&leaf.name.as_str()) && folder(leaf) == folder(event_type);
    sample.leaves.iter().find(beside).filter(|_| ACTIONS.contains(&event_type.name.as_str())).cloned()
}

/// Whether a number may be an amount. A `value` is one only inside of an amount.
fn is_of_money(leaf: &Leaf) -> bool {
    let mut steps = leaf.place.rsplit('/').skip(1).map(str::to_ascii_lowercase);
    let money = ["amount", "money", "price", "gross", "total"];
    leaf.name != "value"
        || leaf.depth == 1
        || steps.next().is_some_and(|step| money.iter().any(|word| step.contains(word)))
}

/// How likely an id is another thing's than the payment's: 0 for the likeliest ids.
fn of_another_thing(leaf: &Leaf) -> u8 {
    let things = ["transaction", "txid", "payment", "charge", "capture", "refund", "mandate", "pspreference"];
    match leaf.name.as_str() {
        "id" if !leaf.place.contains("/request/") => 0,
        name if things.iter().any(|thing| name.contains(thing)) => 1,
        _ => 2,
    }
}

fn is_id(leaf: &Leaf) -> bool {
    let named = leaf.name == "id" || leaf.name == "pspreference" || leaf.name.ends_with("id");
    let of_another = [
        "customerid",
        "merchantid",
        "accountid",
        "shopid",
        "userid",
        "personid",
        "payerid",
        "planid",
        "portalid",
        "storeid",
        "batchid",
        "aid",
        "paid",
        "void",
        "valid",
    ];
    let linked = leaf.place.contains("/links/") && ["payment", "refund", "mandate"].contains(&leaf.name.as_str());
    named && !of_another.contains(&leaf.name.as_str()) && !REFERENCES.contains(&leaf.name.as_str())
        || ["pspreference", "transactionid", "paymentid"].contains(&leaf.name.as_str()) && !is_merchants(leaf)
        || linked
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
