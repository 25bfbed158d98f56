//! The text of a profile skeleton: its keys with guesses as values, and TODO remarks.

use super::guess::{Guess, time_format};
use super::sample::{Leaf, Sample};
use crate::domain::text::shown;
use crate::psp::document::content::Format;

/// Writes a profile that loads and claims no money. TODO marks each guess.
pub(super) fn composed(name: &str, sample: &Sample, guess: &Guess) -> String {
    let mut text = head(name, guess);
    text.push_str(&form(sample, guess));
    text.push_str(&signature(sample, guess));
    text.push_str(&defaults(guess));
    text.push_str(&event(sample, guess));
    let rest = rest(sample, &text);
    text + &rest
}

fn head(name: &str, guess: &Guess) -> String {
    let amount = guess.amount.first();
    let unit = if amount.is_some_and(|leaf| leaf.text.contains('.')) { "major" } else { "minor" };
    let seen = amount.map_or_else(
        || "No name in the sample suggests an amount.".to_owned(),
        |leaf| format!("The sample has {} at {}.", shown(&leaf.text), leaf.place),
    );
    format!(
        r#"#:schema ./profile.schema.json
# The line above is for editors: `transform-relay profile schema > profile.schema.json`.
#
# A skeleton made from one notification, by names and shapes alone. Each TODO is a guess: look it up in the PSP's
# documents. Then: `transform-relay profile test {name} --dir . --body SAMPLE`. docs/PROFILES.md explains every key.
name = "{name}"
title = "{name}" # TODO: how people name the PSP
amounts = "{unit}" # TODO: "minor" are cents, "major" are euros. {seen}

[about]
setup = [] # TODO: what to set up at the PSP, one step each
reference = "" # TODO: which field carries the Transform id, and how it gets there
"#
    )
}

/// A key with its guesses: the first is the value, the others are remarks.
fn key(name: &str, leaves: &[Leaf], what: &str) -> String {
    let Some((first, others)) = leaves.split_first() else {
        return format!("# TODO: {what}; no name in the sample suggests it.\n#{name} = [\"/…\"]\n");
    };
    let here = if first.text.is_empty() {
        "; no name in the sample suggests it".to_owned()
    } else {
        format!(". Here {}", shown(&first.text))
    };
    let mut text = format!("# TODO: {what}{here}.\n{name} = [{}]\n", quoted(&first.place));
    for other in others {
        text.push_str(&format!("#{name} = [{}] # {}\n", quoted(&other.place), shown(&other.text)));
    }
    text
}

/// A TOML text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, "?"))
}

fn form(sample: &Sample, guess: &Guess) -> String {
    let mut text = "\n[[notification]]\nname = \"event\"\n".to_owned();
    match sample.format {
        Format::Json => {}
        Format::Form => text.push_str("content = { format = \"form\" } # charset = \"…\" if it is not UTF-8\n"),
        Format::Xml => text.push_str("content = { format = \"xml\" }\n"),
    }
    if let Some(batch) = &sample.batch {
        text.push_str(&format!(
            "# TODO: several messages in one notification; pointers start at one of them.\nbatch = {}\n",
            quoted(batch)
        ));
    }
    let needed = [fallback("/TODO-type")];
    let types = if guess.event_type.is_empty() { &needed[..] } else { guess.event_type.as_slice() };
    let written = key("type", types, "the text that says what has happened; several places are joined by a space");
    text.push_str(&match &guess.object_type {
        Some(object) => written.replacen("\ntype = [", &format!("\ntype = [{}, ", quoted(&object.place)), 1),
        None => written,
    });
    let what = "the text that all repetitions share and no other notification has; without this key, the whole body";
    text.push_str(&key("dedupe", &guess.event_id, what));
    text.push_str(if guess.at.is_empty() {
        "without_time = \"receipt\" # TODO: no time was found, and the time of receipt counts; or \"dead-letter\"\n"
    } else {
        "without_time = \"dead-letter\" # TODO: each message should have its time; or \"receipt\": that of receipt counts\n"
    });
    text
}

/// A stand-in for a needed place that nothing in the sample suggests.
fn fallback(place: &str) -> Leaf {
    Leaf { place: place.to_owned(), name: String::new(), depth: 1, text: String::new() }
}

/// The places of the sample that no guess uses, without their texts, because these may be about a person.
fn rest(sample: &Sample, text: &str) -> String {
    let unused = sample.leaves.iter().filter(|leaf| !text.contains(&quoted(&leaf.place)));
    let lines: String = unused.map(|leaf| format!("# {}\n", quoted(&leaf.place))).collect();
    if lines.is_empty() { lines } else { format!("\n# What else stands in the sample:\n{lines}") }
}

fn signature(sample: &Sample, guess: &Guess) -> String {
    let (header, value) = guess.signature.clone().unwrap_or_else(|| ("x-signature".to_owned(), String::new()));
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let part = parts.iter().find(|part| part.split_once('=').is_some_and(|(_, rest)| is_digest(rest)));
    let prefix = part.and_then(|part| part.split_once('=')).map(|(name, _)| format!("{name}="));
    let digest = prefix.as_ref().and_then(|prefix| part?.strip_prefix(prefix.as_str())).unwrap_or(&value);
    let encoding = if digest.bytes().all(|b| b.is_ascii_hexdigit()) { "hex" } else { "base64" };
    let mut found = format!("header = {}", quoted(&header));
    if let Some(prefix) = &prefix {
        if parts.len() > 1 {
            found.push_str(", split = \",\"");
        }
        found.push_str(&format!(", prefix = {}", quoted(prefix)));
    }
    let seen = match (value.is_empty(), sample.headers.is_empty()) {
        (false, _) => "The guess comes from the header that was given.",
        (true, true) => "No --header was given.",
        (true, false) => "No name of a --header that was given suggests a signature.",
    };
    format!(
        "
# TODO: how the PSP signs. {seen} `profile test` shows what was signed and what was expected.
[[notification.signature]]
algorithm = \"hmac-sha256\"
key = \"text\" # or \"hex\", \"base64\": how the secret's text becomes the key
signed = [\"body\"] # with a signed time: [\"signed-at\", \"body\"], separator = \".\", and a time
encoding = \"{encoding}\"
found = {{ {found} }}
"
    )
}

fn is_digest(text: &str) -> bool {
    text.len() >= 27 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b))
}

fn defaults(guess: &Guess) -> String {
    let mut text = "\n[notification.defaults]\n".to_owned();
    let needed = [fallback("/TODO-id")];
    let ids = if guess.ids.is_empty() && guess.reference.is_empty() { &needed[..] } else { guess.ids.as_slice() };
    text.push_str(&key("ids", ids, "the PSP's own id of the payment, refund or agreement"));
    text.push_str(&key("reference", &guess.reference, "where the Transform id comes back"));
    text.push_str(&key("at", &guess.at, "the time at which it happened; see without_time"));
    if let Some(format) =
        guess.at.first().and_then(|leaf| time_format(&leaf.text)).filter(|format| *format != "rfc3339")
    {
        text.push_str(&format!("time_format = \"{format}\"\n"));
    }
    text.push_str(&key("currency", &guess.currency, "the currency of the amounts"));
    text
}

fn event(sample: &Sample, guess: &Guess) -> String {
    let object = guess.object_type.as_ref().map(|leaf| format!("{} ", leaf.text)).unwrap_or_default();
    let event_type = guess.event_type.first().map_or("TODO", |leaf| leaf.text.as_str());
    let event_type = format!("{object}{event_type}");
    let mut text = format!(
        "
# TODO: one for each type of event that concerns a record. This one claims nothing but that a payment is under way.
[[notification.event]]
type = {}
kind = \"payment\" # or \"preauth\", \"refund\", \"agreement\"
status = \"Pending\" # Initiated, Pending, Succeeded, Failed, Cancelled, Expired; agreements: Active, Inactive
",
        quoted(&event_type)
    );
    for status in &guess.status {
        let (place, word) = (quoted(&status.place), quoted(&status.text));
        text.push_str(&format!("#when = {{ {place} = {word} }}\n"));
        text.push_str(&format!("#status = {{ from = [{place}], map = {{ {word} = \"Pending\" }} }}\n"));
    }
    for list in &sample.lists {
        text.push_str(&format!("#each = {} # an event for each element; ./ points into it\n", quoted(list)));
    }
    let id = guess.ids.first().map_or("/…", |leaf| leaf.place.as_str());
    text.push_str(
        "# The money of a payment, under the PSP's id of the booking; booked when the status is Succeeded.\n",
    );
    text.push_str("#[[notification.event.item]]\n");
    text.push_str(&format!("#id = [{}]\n", quoted(id)));
    if guess.amount.is_empty() {
        text.push_str("#amount = [\"/…\"] # no name in the sample suggests it\n");
    }
    for amount in &guess.amount {
        text.push_str(&format!("#amount = [{}] # {}\n", quoted(&amount.place), shown(&amount.text)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psp::profile::Profile;

    fn written(extension: &str, body: &str, headers: &[(&str, &str)]) -> (String, Profile) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sample = Sample::read(extension, body.as_bytes(), headers).unwrap();
        let text = composed("shop", &sample, &Guess::of(&sample));
        let profile = Profile::read(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        (text, profile)
    }

    #[test]
    fn a_skeleton_loads_and_guesses_by_names_and_shapes() {
        let body = r#"{"id":"evt_1","type":"payment.paid","created":1700000000,"data":{"payment":{"id":"pay_7",
            "amount":"12.50","currency":"EUR","status":"paid","metadata":{"transactionId":"tx-1"},
            "payer":{"email":"jo@example.org"},"refunds":[{"id":"r"}]}}}"#;
        let signed = format!("t=1700000000,v1={}", "ab".repeat(32));
        let (text, profile) = written("json", body, &[("x-shop-signature", &signed)]);
        for line in [
            "amounts = \"major\" #",
            "type = [\"/type\"]",
            "dedupe = [\"/id\"]",
            "ids = [\"/data/payment/id\"]",
            "reference = [\"/data/payment/metadata/transactionId\"]",
            "at = [\"/created\"]",
            "time_format = \"unix\"",
            "currency = [\"/data/payment/currency\"]",
            "found = { header = \"x-shop-signature\", split = \",\", prefix = \"v1=\" }",
            "encoding = \"hex\"",
            "type = \"payment.paid\"",
            "#when = { \"/data/payment/status\" = \"paid\" }",
            "#amount = [\"/data/payment/amount\"] # \"12.50\"",
            "#each = \"/data/payment/refunds/*\"",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line)), "{line} in\n{text}");
        }
        assert!(!text.contains("jo@example.org"));
        assert_eq!(profile.name, "shop");
    }

    #[test]
    fn what_no_guess_uses_is_listed_without_what_stands_there() {
        let body = r#"{"what":"paid","payer":{"mail":"jo@example.org"}}"#;
        let (text, _) = written("json", body, &[("X-Trace", "7")]);
        assert!(text.ends_with("# What else stands in the sample:\n# \"/what\"\n# \"/payer/mail\"\n"), "{text}");
        assert!(text.contains("No name of a --header that was given suggests a signature."), "{text}");
        assert!(!text.contains("Here \"no name"), "{text}");
        let (text, _) = written("json", body, &[("Shop-Sign", "v1=0a1b")]);
        assert!(text.contains("found = { header = \"Shop-Sign\""), "{text}");
    }

    /// What a name or a shape alone suggests wrongly.
    #[test]
    fn what_stands_elsewhere_is_not_taken_for_it() {
        let body = r#"{"events":[{"id":"EV1","created_at":"2026-03-12T06:00:00Z","action":"confirmed",
            "resource_type":"payments","links":{"payment":"PM1"}}]}"#;
        let (text, profile) = written("json", body, &[]);
        for line in [
            "type = [\"/resource_type\", \"/action\"]",
            "type = \"payments confirmed\"",
            "dedupe = [\"/id\"]",
            "ids = [\"/links/payment\"]",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert_eq!(profile.forms[0].event_type.len(), 2);
        let body = r#"{"id":7,"metadata":{"type":"card","last4":"4242"},"variables":{"transactionId":"tx-1"},
            "state":"new","risk":{"value":3},"_links":{"self":{"type":"application/json"}},"links":[{"rel":"self"}]}"#;
        let (text, _) = written("json", body, &[]);
        for line in [
            "type = [\"/TODO-type\"]",
            "ids = [\"/id\"]",
            "reference = [\"/variables/transactionId\"]",
            "#dedupe = [\"/…\"]",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(
            !text.contains("#each") && !text.contains("\"/risk/value\"] #") && !text.contains("#reference"),
            "{text}"
        );
        let (text, _) = written("form", "portalid=2&aid=3&txid=4&txaction=paid&txtime=1700000000&price=1.00", &[]);
        for line in ["type = [\"/txaction\"]", "ids = [\"/txid\"]", "at = [\"/txtime\"]", "time_format = \"unix\""] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn batches_forms_xml_and_bare_samples_load_too() {
        let (text, _) = written(
            "",
            r#"{"live":"false","notificationItems":[{"Item":{"eventCode":"X","pspReference":"P1"}}]}"#,
            &[],
        );
        assert!(
            text.contains("batch = \"/notificationItems/*/Item\"\n") && text.contains("ids = [\"/pspReference\"]"),
            "{text}"
        );
        let (text, _) = written("form", "txaction=paid&txid=7&reference=tx%2D1&price=12.00&currency=EUR", &[]);
        assert!(text.contains("format = \"form\"") && text.contains("reference = [\"/reference\"]"), "{text}");
        let (text, _) = written("", "<n><kind>paid</kind><payment><id>7</id></payment></n>", &[]);
        assert!(text.contains("format = \"xml\"") && text.contains("type = [\"/n/kind\"]"), "{text}");
        let (text, _) = written("", r#"{"a \"quoted\" name": "x", "line\nbreak": "y"}"#, &[]);
        assert!(text.contains("/TODO-type") && text.contains("/TODO-id"), "{text}");
        assert!(Sample::read("json", b"{}", Vec::new()).is_err());
        assert!(Sample::read("json", b"<a/>", Vec::new()).is_err());
    }
}
