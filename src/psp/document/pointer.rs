//! JSON Pointers (RFC 6901): into a message, an element of a list, or a fetched response.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A JSON Pointer (RFC 6901), checked. As a step, `-` is the last element of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let escapes_are_good =
            text.match_indices('~').all(|(at, _)| matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1')));
        if text.starts_with('/') && escapes_are_good {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not a JSON Pointer: one starts with / and writes ~ as ~0 and a / in a name as ~1"))
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pointer {
    /// The value at the pointer.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        // Nearly no name has a character that is escaped, and none needs a text of its own then.
        if self.0.contains('~') {
            return steps(&self.0).try_fold(value, |value, step| step_into(value, &step));
        }
        self.0.split('/').skip(1).try_fold(value, step_into)
    }

    /// Puts a value at the pointer, and makes missing objects on the way.
    ///
    /// # Errors
    /// A value on the way is not an object.
    pub fn put(&self, into: &mut Value, value: Value) -> Result<(), String> {
        let mut at = into;
        for step in steps(&self.0) {
            let object = match at {
                Value::Object(object) => object,
                _ => return Err(format!("{}: a value on the way is not an object", self.0)),
            };
            at = object.entry(step).or_insert_with(|| Value::Object(serde_json::Map::new()));
        }
        *at = value;
        Ok(())
    }
}

/// The value one step further.
fn step_into<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match (value, step) {
        (Value::Array(list), "-") => list.last(),
        // An index has neither a sign nor leading zeros.
        (Value::Array(_), index) if index.starts_with('0') && index.len() > 1 || index.starts_with('+') => None,
        (Value::Array(list), index) => list.get(index.parse::<usize>().ok()?),
        (other, name) => other.get(name),
    }
}

/// The root of a pointer in [`Each`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `/a`: the message.
    Message,
    /// `./a`: the current element.
    Element,
    /// `fetched:/a`: the fetched response.
    Fetched,
}

/// A JSON Pointer in which `*` stands for every element of a list. A value that is not a list counts as its own only
/// element, because XML does not tell a list of one from one value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Each {
    /// The root from which the pointer leads.
    pub root: Root,
    steps: Vec<String>,
}

impl TryFrom<String> for Each {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (root, pointer) = match (text.strip_prefix("fetched:"), text.strip_prefix('.')) {
            (Some(pointer), _) => (Root::Fetched, pointer),
            (None, Some(pointer)) => (Root::Element, pointer),
            (None, None) => (Root::Message, text.as_str()),
        };
        Pointer::try_from(pointer.to_owned())?;
        Ok(Self { root, steps: steps(pointer).collect() })
    }
}

impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            Root::Message => "",
            Root::Element => ".",
            Root::Fetched => "fetched:",
        })?;
        self.steps.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

impl Each {
    /// All values at the pointer; none if a step is missing.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        self.steps.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| match (value, step.as_str()) {
                    (Value::Array(list), "*") => list.iter().collect::<Vec<_>>(),
                    (Value::Array(list), index) => {
                        index.parse().ok().and_then(|index: usize| list.get(index)).into_iter().collect()
                    }
                    (Value::Null, "*") => Vec::new(),
                    (other, "*") => vec![other],
                    (other, name) => other.get(name).into_iter().collect(),
                })
                .collect()
        })
    }

    /// Whether the list that the pointer names first is there, be it empty.
    #[must_use]
    pub fn is_listed(&self, value: &Value) -> bool {
        let mut names = self.steps.iter().take_while(|step| *step != "*");
        let list = names.try_fold(value, |value, name| match value {
            Value::Array(list) => list.get(name.parse::<usize>().ok()?),
            other => other.get(name),
        });
        list.is_some_and(|list| !list.is_null())
    }

    /// As [`Self::find`], for changing the values.
    pub fn find_mut<'v>(&self, value: &'v mut Value) -> Vec<&'v mut Value> {
        self.steps.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| match (value, step.as_str()) {
                    (Value::Array(list), "*") => list.iter_mut().collect::<Vec<_>>(),
                    (Value::Array(list), index) => {
                        index.parse().ok().and_then(|index: usize| list.get_mut(index)).into_iter().collect()
                    }
                    (Value::Null, "*") => Vec::new(),
                    (other, "*") => vec![other],
                    (other, name) => other.get_mut(name).into_iter().collect(),
                })
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_every_element() {
        let value = json!({"charges": [{"captures": [{"id": 1}, {"id": 2}]}, {}, {"captures": [{"id": 3}]}]});
        let each = Each::try_from("/charges/*/captures/*".to_owned()).unwrap();
        let ids: Vec<_> = each.find(&value).into_iter().map(|found| found["id"].clone()).collect();
        assert_eq!(ids, [json!(1), json!(2), json!(3)]);
        for text in ["/charges/*/captures/*", "./a~1b/*", "fetched:/a~0b"] {
            assert_eq!(Each::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        let one = Each::try_from("/list/item/*".to_owned()).unwrap();
        assert_eq!(one.find(&json!({"list": {"item": {"id": 1}}})).len(), 1, "one that is not written as a list");
        assert!(one.find(&json!({"list": {"item": null}})).is_empty());
    }

    #[test]
    fn a_dash_is_the_last_element() {
        let value = json!({"operations": [{"id": 1}, {"id": 2}], "a-b": 3, "-": 4});
        let find = |text: &str| Pointer::try_from(text.to_owned()).unwrap().find(&value).cloned();
        assert_eq!(find("/operations/-/id"), Some(json!(2)));
        assert_eq!(find("/operations/0/id"), Some(json!(1)));
        assert_eq!((find("/a-b"), find("/-"), find("/a-b/-")), (Some(json!(3)), Some(json!(4)), None));
    }

    proptest! {
        /// serde_json's own pointers, which have no last element.
        #[test]
        fn a_pointer_leads_where_rfc_6901_says(steps in prop::collection::vec("[a~/0-2+]{0,2}", 1..4)) {
            let value = json!({"a": [{"a": 1, "~": [2], "/": {"": 3}}, [4, 5]], "": {"0": 6, "a/": 7}, "~0": 8, "01": [9], "+1": 10});
            let escaped = steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")));
            let text: String = escaped.collect();
            let pointer = Pointer::try_from(text.clone()).unwrap();
            prop_assert_eq!(pointer.find(&value), value.pointer(&text));
        }
    }
}
