//! XML as a value.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// More nodes than this are no notification.
const NODES_MAX: u32 = 100_000;
/// No notification is nested deeper; reading it must not need more stack than there is.
const DEPTH_MAX: usize = 64;

/// Reads a document as an object with its root element:
///
/// - an element without attributes and children is its text, one with `nil="true"` is null;
/// - any other is an object: its children by name, its attributes as `@name`, its text, if there is any, as `#text`;
/// - children of the same name are a list.
///
/// Namespaces do not count. A document type is passed over; entities that it declares, and files that it names, are
/// not read.
///
/// # Errors
/// Where it is not well-formed, or that it is too large or too deep.
pub fn read(text: &str) -> Result<Value, String> {
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
    let root = document.root_element();
    let mut whole = Map::new();
    whole.insert(root.tag_name().name().to_owned(), element(root, 0)?);
    Ok(Value::Object(whole))
}

fn element(node: Node<'_, '_>, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("nested deeper than {DEPTH_MAX}"));
    }
    if node.attribute("nil") == Some("true") {
        return Ok(Value::Null);
    }
    let text: String = node.children().filter(Node::is_text).filter_map(|child| child.text()).collect();
    let mut object = Map::new();
    for attribute in node.attributes() {
        object.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    let children: Vec<_> = node.children().filter(Node::is_element).collect();
    if children.is_empty() && object.is_empty() {
        return Ok(Value::String(text.trim().to_owned()));
    }
    for child in children {
        let value = element(child, depth + 1)?;
        let name = child.tag_name().name();
        match object.get_mut(name) {
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(object.insert(name.to_owned(), value)),
        }
    }
    if !text.trim().is_empty() {
        object.insert("#text".to_owned(), text.trim().into());
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_attributes_and_lists() {
        let xml = r#"<?xml version="1.0"?><!DOCTYPE n PUBLIC "-//X//EN" "http://nowhere.example/x.dtd">
            <n v="1"><id> 7 </id><at type="datetime">2026</at><none nil="true"/><x>a</x><x>b</x><e/></n>"#;
        let value = read(xml).unwrap();
        let expected = json!({"n": {
            "@v": "1", "id": "7", "at": {"@type": "datetime", "#text": "2026"}, "none": null, "x": ["a", "b"], "e": "",
        }});
        assert_eq!(value, expected);
    }

    #[test]
    fn bombs_and_depth_are_refused() {
        let laughs: String = (1..30).map(|n| format!("<!ENTITY a{n} \"&a{};&a{};\">", n - 1, n - 1)).collect();
        let bomb = format!("<!DOCTYPE x [<!ENTITY a0 \"ha\">{laughs}]><x>&a29;</x>");
        assert!(read(&bomb).is_err());
        let file = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><x>&f;</x>";
        assert!(read(file).is_err(), "{:?}", read(file));
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert!(read(&deep).unwrap_err().contains("deeper"));
        assert!(read("<a><b></a>").is_err());
        assert!(read("").is_err());
    }
}
