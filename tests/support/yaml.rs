//! YAML as a strict parser reads it: a key that stands twice in a mapping is an error.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

/// The only document of a text, in the terms of JSON.
pub(crate) fn loaded(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    let [document] = documents.as_slice() else { return Err(format!("{} documents", documents.len())) };
    Ok(json(document))
}

fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(is)) => (*is).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(values) => values.iter().map(json).collect(),
        Yaml::Mapping(fields) => {
            fields.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), json(value))).collect()
        }
        other => panic!("{other:?}"),
    }
}
