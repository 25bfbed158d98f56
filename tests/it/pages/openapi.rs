//! docs/openapi.yaml: it is the document that the relay answers with, loads in a strict parser, and its examples fit.

use std::fs;

use jiff::civil::Date;
use saphyr::{Mapping, Scalar, ScalarStyle, Yaml, YamlEmitter};
use serde_json::{Map, Value, json};
use transform_relay::http::openapi;

use super::{docs, sentences};
use crate::support::golden::{DOCS, must_be};
use crate::yaml::loaded;

const MADE_BY: &str = "# Made by `UPDATE_DOCS=1 cargo test --test it pages`.\n";

#[test]
fn the_description_of_the_routes_is_up_to_date_and_a_strict_parser_reads_it() {
    let mut text = String::new();
    let mut emitter = YamlEmitter::new(&mut text);
    emitter.multiline(true);
    emitter.dump(&yaml(&openapi())).unwrap();
    let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
    must_be(&docs("openapi.yaml"), &format!("{MADE_BY}{}", lines.collect::<String>()), DOCS);
    let page = fs::read_to_string(docs("openapi.yaml")).unwrap();
    assert_eq!(loaded(&page).unwrap(), openapi());
    let twice = page.replacen("info:\n", "openapi: \"3.1.0\"\ninfo:\n", 1);
    assert!(loaded(&twice).unwrap_err().contains("duplicated key"));
}

fn yaml(value: &Value) -> Yaml<'static> {
    let scalar = |scalar| Yaml::Value(scalar);
    // Without quotes, a parser of YAML 1.1 reads a day as a date.
    let is_a_day = |text: &str| text.parse::<Date>().is_ok();
    let text = |text: &str| match is_a_day(text) {
        true => Yaml::Representation(text.to_owned().into(), ScalarStyle::DoubleQuoted, None),
        false => scalar(Scalar::String(text.to_owned().into())),
    };
    match value {
        Value::Null => scalar(Scalar::Null),
        Value::Bool(is) => scalar(Scalar::Boolean(*is)),
        Value::Number(number) => scalar(match number.as_i64() {
            Some(whole) => Scalar::Integer(whole),
            None => Scalar::FloatingPoint(number.as_f64().unwrap().into()),
        }),
        Value::String(value) => text(value),
        Value::Array(values) => Yaml::Sequence(values.iter().map(yaml).collect()),
        Value::Object(fields) => {
            Yaml::Mapping(fields.iter().map(|(name, value)| (text(name), yaml(value))).collect::<Mapping<'static>>())
        }
    }
}

#[test]
fn every_example_fits_its_schema() {
    let document = openapi();
    let mut bodies = Vec::new();
    find(&document, &mut bodies);
    let mut seen = 0;
    for body in bodies {
        let mut schema = body["schema"].clone();
        schema.as_object_mut().unwrap().insert("components".to_owned(), document["components"].clone());
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let examples = body.get("examples").and_then(Value::as_object);
        let several = examples.into_iter().flat_map(Map::values).map(|example| &example["value"]);
        for example in body.get("example").into_iter().chain(several) {
            let wrong: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
            assert_eq!(wrong, Vec::<String>::new(), "{example}");
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} examples");
    assert!(jsonschema::draft202012::is_valid(&json!({"type": "string"}), &json!("a")));
}

/// The schema of a line only informs, so that no tool would find it wrong.
#[test]
fn the_lines_of_the_page_about_migration_fit_their_schema() {
    let schema = json!({"$ref": "#/components/schemas/ImportLine", "components": openapi()["components"]});
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let page = fs::read_to_string(docs("MIGRATION.md")).unwrap();
    let (_, lines) = page.split_once("```json\n").unwrap();
    let lines: Vec<Value> =
        lines.split("```").next().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    for mut line in lines {
        let wrong: Vec<_> = validator.iter_errors(&line).map(|error| error.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{line}");
        line["paymnts"] = json!([]);
        assert!(!validator.is_valid(&line), "{line}");
    }
    assert!(!validator.is_valid(&json!({"status": "Succeeded", "id": "tx-1"})), "it has no kind");
}

/// The parts that have a schema, and may have examples beside it: bodies and parameters.
fn find<'a>(part: &'a Value, found: &mut Vec<&'a Value>) {
    match part {
        Value::Object(fields) => {
            if fields.get("schema").is_some_and(Value::is_object) {
                found.push(part);
            }
            fields.values().for_each(|part| find(part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| find(part, found)),
        _ => {}
    }
}

#[test]
fn no_sentence_of_the_description_has_more_than_25_words() {
    let mut texts = Vec::new();
    said(&openapi(), &mut texts);
    assert!(texts.len() > 200, "{}", texts.len());
    let long: Vec<_> = texts.iter().flat_map(|text| sentences::too_long(text)).collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

/// All descriptions and summaries.
fn said(part: &Value, texts: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if ["description", "summary"].contains(&name.as_str()) => {
                        texts.push(text.clone())
                    }
                    other => said(other, texts),
                }
            }
        }
        Value::Array(parts) => parts.iter().for_each(|part| said(part, texts)),
        _ => {}
    }
}
