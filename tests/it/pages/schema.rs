//! JSON Schema of profiles: it is up to date, fits every built-in profile, and catches typical mistakes.

use jsonschema::Validator;
use serde_json::Value;
use transform_relay::psp::profile::catalogue::BUILT_IN;
use transform_relay::psp::profile::{Profile, schema};

use super::docs;
use crate::support::golden::{DOCS, must_be};

#[test]
fn the_schema_is_up_to_date() {
    must_be(&docs("profile.schema.json"), &format!("{:#}\n", schema()), DOCS);
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn wrong(validator: &Validator, profile: &str) -> Vec<String> {
    let value: Value = toml::from_str(profile).unwrap_or_else(|error| panic!("{error}:\n{profile}"));
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schema_accepts_every_profile_that_is_built_in() {
    let validator = validator();
    for (name, text) in BUILT_IN {
        assert_eq!(wrong(&validator, text), Vec::<String>::new(), "{name}");
    }
}

const GOOD: &str = r#"
name = "shop"
title = "Shop"
amounts = "minor"
[[notification]]
name = "event"
type = ["/type"]
dedupe = ["/id"]
[[notification.signature]]
algorithm = "hmac-sha256"
signed = ["body"]
encoding = "hex"
found = { header = "signature" }
[notification.defaults]
ids = ["/payment/id"]
[[notification.event]]
type = "paid"
kind = "payment"
status = { from = ["/state"], map = { done = "Succeeded" } }
when = { "/live" = "true" }
item = [{ id = ["/id"], amount = ["/amount"] }]
"#;

/// Mistakes that both reading and the schema refuse: an editor can mark them while the author types.
#[test]
fn the_schema_rejects_typical_mistakes() {
    let validator = validator();
    assert_eq!(wrong(&validator, GOOD), Vec::<String>::new());
    Profile::read(GOOD).unwrap();
    for (right, mistake) in [
        ("title = \"Shop\"", ""),
        ("amounts = \"minor\"", "amounts = \"cents\""),
        ("dedupe =", "dedup ="),
        ("dedupe = [\"/id\"]", "dedupe = \"/id\""),
        ("[\"/payment/id\"]", "[\"payment/id\"]"),
        ("algorithm = \"hmac-sha256\"", "algorithm = \"sha-256\""),
        ("encoding = \"hex\"", ""),
        ("signed = [\"body\"]", "signed = [\"bodies\"]"),
        ("header = \"signature\"", "heading = \"signature\""),
        ("kind = \"payment\"", "kind = \"Payment\""),
        ("done = \"Succeeded\"", "done = \"succeeded\""),
        ("\"/live\" = \"true\"", "\"/live\" = true"),
        ("\"/live\" = \"true\"", "\"/live\" = { is = \"true\" }"),
        ("item = [{ id = [\"/id\"],", "item = [{"),
        ("[[notification.event]]", "[[event]]"),
        ("type = \"paid\"", ""),
    ] {
        let text = GOOD.replace(right, mistake);
        assert_ne!(text, GOOD, "{right}");
        assert!(!wrong(&validator, &text).is_empty(), "the schema takes {mistake:?} instead of {right:?}");
        assert!(Profile::read(&text).is_err(), "the relay takes {mistake:?} instead of {right:?}");
    }
}
