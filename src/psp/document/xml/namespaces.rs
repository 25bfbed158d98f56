//! XML namespaces: the attributes of one element, and the namespaces in scope there. They decide whether two attributes have
//! the same name. The value that is read has no namespaces.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::bounds::{ATTRIBUTES_MAX, NAME_MAX, NAMESPACES_MAX, TEXT_MAX, Wrong, too_long, too_many};
use super::grammar::{Name, is_char, named};

/// The namespace of the prefix `xml`, in every document.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// An attribute with its value.
#[derive(Debug)]
pub(super) struct Attribute<'a> {
    pub(super) name: Name<'a>,
    pub(super) value: String,
}

impl Attribute<'_> {
    /// Whether the attribute says that its element has no value.
    pub(super) fn is_nil(&self) -> bool {
        self.name.prefix.is_none() && self.name.local == "nil" && self.value == "true"
    }
}

/// The attributes of an element, including declarations of namespaces.
pub(super) fn attributes<'a>(start: &'a BytesStart<'_>) -> Result<Vec<Attribute<'a>>, Wrong> {
    if !is_spaced(start.attributes_raw()) {
        return Err(None);
    }
    let mut all = Vec::new();
    // Duplicates are found later, once the prefixes are known.
    for found in start.attributes().with_checks(false) {
        let found = found.map_err(|_| None)?;
        if all.len() >= ATTRIBUTES_MAX {
            return Err(too_many("attributes of one element", ATTRIBUTES_MAX));
        }
        if found.value.len() > TEXT_MAX {
            return Err(too_long("the value of an attribute", TEXT_MAX));
        }
        let value = found.normalized_value(XmlVersion::Implicit1_0).map_err(|_| None)?;
        if found.value.contains('<') || !value.chars().all(is_char) {
            return Err(None);
        }
        all.push(Attribute { name: named(found.key.into_inner())?, value: value.into_owned() });
    }
    Ok(all)
}

/// Whether white space follows every value but the last.
fn is_spaced(attributes: &str) -> bool {
    let mut quote = None;
    let mut ended = false;
    for byte in attributes.bytes() {
        if ended && !byte.is_ascii_whitespace() {
            return false;
        }
        ended = quote == Some(byte);
        quote = match quote {
            None => Some(byte).filter(|byte| matches!(byte, b'"' | b'\'')),
            Some(_) if ended => None,
            open => open,
        };
    }
    true
}

/// The namespaces that an element and its ancestors declare: prefix (none for the default) and URI.
#[derive(Debug, Default)]
pub(super) struct Namespaces(Vec<(Option<String>, String)>);

impl Namespaces {
    /// The number of namespaces in scope.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Keeps only the first `count` namespaces in scope.
    pub(super) fn only(&mut self, count: usize) {
        self.0.truncate(count);
    }

    /// Takes the declarations out of an element's attributes.
    pub(super) fn declared<'a>(&mut self, attributes: Vec<Attribute<'a>>) -> Result<Vec<Attribute<'a>>, Wrong> {
        let around = self.count();
        let mut own = Vec::new();
        for attribute in attributes {
            match (attribute.name.prefix, attribute.name.local) {
                (None, "xmlns") => self.declare(around, None, attribute.value)?,
                (Some("xmlns"), prefix) => self.declare(around, Some(prefix), attribute.value)?,
                _ => own.push(attribute),
            }
        }
        Ok(own)
    }

    fn declare(&mut self, around: usize, prefix: Option<&str>, uri: String) -> Result<(), Wrong> {
        if self.count() >= NAMESPACES_MAX {
            return Err(too_many("namespaces in one place", NAMESPACES_MAX));
        }
        if uri.len() > NAME_MAX {
            return Err(too_long("the name of a namespace", NAME_MAX));
        }
        let twice = self.0.iter().skip(around).any(|(known, _)| known.as_deref() == prefix);
        if twice || prefix == Some("xmlns") || ((prefix == Some("xml")) != (uri == XML)) {
            return Err(None);
        }
        self.0.push((prefix.map(str::to_owned), uri));
        Ok(())
    }

    /// The namespace that a prefix stands for.
    pub(super) fn of(&self, prefix: Option<&str>) -> Result<&str, Wrong> {
        let declared = self.0.iter().rev().find(|(known, _)| known.as_deref() == prefix);
        match (declared, prefix) {
            (Some((_, uri)), _) => Ok(uri),
            (None, None) => Ok(""),
            (None, Some("xml")) => Ok(XML),
            (None, Some(_)) => Err(None),
        }
    }

    /// Refuses two attributes of the same name. An attribute without a prefix is in no namespace.
    pub(super) fn check_unique(&self, own: &[Attribute<'_>]) -> Result<(), Wrong> {
        let mut names: Vec<(&str, &str)> = Vec::with_capacity(own.len());
        for attribute in own {
            let uri = if attribute.name.prefix.is_some() { self.of(attribute.name.prefix)? } else { "" };
            names.push((attribute.name.local, uri));
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) { Err(None) } else { Ok(()) }
    }
}
