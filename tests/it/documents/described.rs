//! The description of the routes against the code: it has every route, every field of a registration and every word.

use std::collections::BTreeSet;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;
use transform_relay::domain::ids::Kind;
use transform_relay::domain::registration::{Registration, has_field};
use transform_relay::http::openapi;
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::store::{FindingKind, Outcome};

const ROUTES: &str = include_str!("../../../src/http/routes.rs");
const NOTIFICATION: &str = include_str!("../../../src/http/notification.rs");
const API: &str = include_str!("../../../src/http/api.rs");
const SOURCE_PATH: &str = include_str!("../../../src/http/source_path.rs");
const METHODS: [&str; 6] = ["get", "head", "put", "post", "patch", "delete"];

#[test]
fn the_description_has_every_route_and_no_other() {
    let (mut built, described) = (routes(ROUTES), described());
    assert!(built.len() > 20, "the routes were not understood: {built:?}");
    let scope = SOURCE_PATH.split("SCOPE: &str = \"").nth(1).and_then(|text| text.split('"').next());
    let notifications = format!("{}/{{source}}", scope.expect("a scope has a path"));
    built.extend(handled(NOTIFICATION).map(|method| format!("{method} {notifications}")));
    for kind in Kind::ALL.map(Kind::name).into_iter().chain(["transactions"]) {
        built.extend(handled(API).map(|method| format!("{method} /api/{kind}/{{id}}")));
    }
    let only = |these: &BTreeSet<String>, those| these.difference(those).cloned().collect::<Vec<_>>();
    assert_eq!(only(&built, &described), Vec::<String>::new(), "these are not described");
    assert_eq!(only(&described, &built), Vec::<String>::new(), "these are described and not built");
}

#[test]
fn every_field_of_a_registration_is_described_for_the_kinds_that_have_it() {
    let error = serde_json::from_str::<Registration>(r#"{"?": 1}"#).unwrap_err().to_string();
    let fields: BTreeSet<_> = error.split('`').skip(3).step_by(2).collect();
    assert!(fields.contains("currency"), "{error}");
    let document = openapi();
    for kind in Kind::ALL {
        let name = kind.name();
        let name = format!("/components/schemas/{}{}Registration", name[..1].to_uppercase(), &name[1..]);
        let properties = document.pointer(&name).unwrap_or_else(|| panic!("{name}"))["properties"].as_object().unwrap();
        let described: BTreeSet<_> = properties.keys().map(String::as_str).collect();
        let had = fields.iter().copied().filter(|field| has_field(kind, field)).collect();
        assert_eq!(described, had, "{kind}");
    }
}

/// The words of an enum by its schema.
fn words<T: JsonSchema>() -> Vec<String> {
    let schema = schema_for!(T).to_value();
    let words = schema["oneOf"].as_array().unwrap().iter().map(|word| word["const"].as_str().unwrap().to_owned());
    words.collect()
}

/// These words are written by name.
#[test]
fn the_words_of_replies_are_the_described_ones() {
    assert_eq!(words::<Outcome>(), Outcome::ALL.map(Outcome::name));
    assert_eq!(words::<FindingKind>(), FindingKind::ALL.map(FindingKind::name));
}

/// A PSP may want statuses of its own.
#[test]
fn every_status_of_a_profile_is_described() {
    let document = openapi();
    let described = document["paths"]["/notifications/{source}"]["post"]["responses"].as_object().unwrap();
    for entry in Catalogue::built_in().unwrap().iter() {
        let answer = &entry.profile.answer;
        for status in [answer.status, answer.unverified] {
            assert!(described.contains_key(&status.to_string()), "{} answers {status}", entry.profile.name);
        }
    }
}

/// `METHOD /path`, in lower case, of every route that actix serves; a choice of names gives one route for each name.
fn routes(code: &str) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    // A resource begins with its path, but for the function that makes one.
    for service in code.split("resource(").filter_map(|text| text.trim_start().strip_prefix('"')) {
        let path = service.split('"').next().expect("a path ends");
        for method in METHODS {
            if service.contains(&format!("web::{method}()")) {
                // A slash at the end makes no other route.
                let path = path.trim_end_matches("{end:/?}");
                routes.extend(expanded(path).into_iter().map(|path| format!("{method} {path}")));
            }
        }
    }
    routes
}

/// The methods that a handler tells apart itself.
fn handled(handler: &str) -> impl Iterator<Item = &str> {
    METHODS.into_iter().filter(|method| handler.contains(&format!("Method::{}", method.to_uppercase())))
}

fn expanded(path: &str) -> Vec<String> {
    let mut paths = vec![String::new()];
    for segment in path.trim_start_matches('/').split('/') {
        let choice = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')?.split_once(':'));
        let names = choice.map_or(segment, |(_, pattern)| pattern.trim_start_matches("(?i)"));
        let longer = |path: &String| names.split('|').map(|name| format!("{path}/{name}")).collect::<Vec<_>>();
        paths = paths.iter().flat_map(longer).collect();
    }
    paths.into_iter().map(|path| path.to_lowercase()).collect()
}

/// `METHOD /path`, in lower case, of every operation in the description.
fn described() -> BTreeSet<String> {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        methods.map(move |method| format!("{method} {}", path.to_lowercase()))
    });
    operations.collect()
}

/// A client generator makes a function of each operation.
#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = openapi();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

/// Two generators name schemas: one for bodies that the relay reads, one for bodies that it writes.
#[test]
fn no_reference_leads_nowhere() {
    let document = openapi();
    let text = document.to_string();
    let references: BTreeSet<_> = text.split("\"#/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() > 40, "{references:?}");
    let lost: Vec<_> = references.iter().filter(|at| document.pointer(&format!("/{at}")).is_none()).collect();
    assert_eq!(lost, Vec::<&&str>::new());
    assert_eq!(document["openapi"], Value::from("3.1.0"));
}
