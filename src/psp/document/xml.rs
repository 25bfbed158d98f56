//! XML as a value, read in one pass. Everything that a document could make large or slow has a bound, which is checked while
//! it is read. Entities that a document declares are never read. The work therefore grows no faster than the document's
//! length.

mod bounds;
mod grammar;
mod namespaces;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde_json::{Map, Value};

pub use self::bounds::{
    ALL_ATTRIBUTES_MAX, ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, NAME_MAX, NAMESPACES_MAX, TEXT_MAX, XmlError,
};
use self::bounds::{Wrong, too_long, too_many};
use self::grammar::{is_blank, is_char, named};
use self::namespaces::{Attribute, Namespaces, attributes};

/// Reads a document as an object with its root element:
///
/// - an element without attributes and children is its text; with `nil="true"` it is null;
/// - any other element is an object: its children by name, its attributes as `@name`, its text (if any) as `#text`;
/// - children of the same name are a list.
///
/// Namespaces are ignored. A document type is skipped, and a file that it names is not read. A document type that declares
/// entities or anything else is refused.
///
/// # Errors
/// The position where the document is not well-formed, or the bound that it exceeds.
pub fn read(text: &str) -> Result<Value, XmlError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut tree = Tree::default();
    if let Some(strange) = text.find(|c| !is_char(c)) {
        return Err(ill_formed(text, u64::try_from(strange).unwrap_or(u64::MAX)));
    }
    loop {
        let event = reader.read_event().map_err(|_| ill_formed(text, reader.error_position()))?;
        let taken = match event {
            Event::Eof => break,
            other => tree.take(&other),
        };
        taken.map_err(|wrong| wrong.unwrap_or_else(|| ill_formed(text, reader.buffer_position())))?;
        tree.begun = true;
    }
    tree.finish().ok_or_else(|| ill_formed(text, reader.buffer_position()))
}

/// The position of the mistake in a document that was read up to this byte.
fn ill_formed(text: &str, at: u64) -> XmlError {
    let before = usize::try_from(at).ok().and_then(|at| text.get(..at)).unwrap_or(text);
    let last = before.rsplit('\n').next().unwrap_or_default();
    XmlError::IllFormed { line: before.matches('\n').count() + 1, column: last.chars().count() + 1 }
}

/// The part of the document that has been read.
#[derive(Debug, Default)]
struct Tree {
    open: Vec<Open>,
    root: Option<(String, Value)>,
    namespaces: Namespaces,
    begun: bool,
    typed: bool,
    elements: usize,
    attributes: usize,
}

/// An element whose end has not been read.
#[derive(Debug)]
struct Open {
    name: String,
    nil: bool,
    object: Map<String, Value>,
    text: String,
    /// The number of namespaces in scope around the element.
    namespaces: usize,
}

impl Tree {
    fn take(&mut self, event: &Event<'_>) -> Result<(), Wrong> {
        match event {
            Event::Start(start) => self.start(start),
            Event::Empty(start) => {
                self.start(start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) if self.open.is_empty() => is_blank(text).then_some(()).ok_or(None),
            Event::Text(text) if text.contains("]]>") => Err(None),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.reference(reference),
            Event::DocType(declared) => self.document_type(declared),
            Event::Decl(_) if self.begun => Err(None),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Wrong> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(too_many("elements", ELEMENTS_MAX));
        }
        if self.open.len() > DEPTH_MAX {
            return Err(Some(XmlError::TooDeep));
        }
        if self.root.is_some() {
            return Err(None);
        }
        let around = self.namespaces.count();
        let attributes = attributes(start)?;
        self.attributes += attributes.len();
        if self.attributes > ALL_ATTRIBUTES_MAX {
            return Err(too_many("attributes", ALL_ATTRIBUTES_MAX));
        }
        let own = self.namespaces.declared(attributes)?;
        let name = named(start.name().into_inner())?;
        self.namespaces.of(name.prefix)?;
        self.namespaces.check_unique(&own)?;
        self.open.push(Open {
            name: name.local.to_owned(),
            nil: own.iter().any(Attribute::is_nil),
            object: own.into_iter().map(|own| (format!("@{}", own.name.local), Value::String(own.value))).collect(),
            text: String::new(),
            namespaces: around,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Wrong> {
        let open = self.open.pop().ok_or(None)?;
        self.namespaces.only(open.namespaces);
        let (name, value) = open.value();
        match self.open.last_mut() {
            Some(parent) => match parent.object.get_mut(&name) {
                Some(Value::Array(list)) => list.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
                None => drop(parent.object.insert(name, value)),
            },
            None => self.root = Some((name, value)),
        }
        Ok(())
    }

    fn text(&mut self, more: &str) -> Result<(), Wrong> {
        let text = &mut self.open.last_mut().ok_or(None)?.text;
        if text.len().saturating_add(more.len()) > TEXT_MAX {
            return Err(too_long("a text", TEXT_MAX));
        }
        text.push_str(more);
        Ok(())
    }

    /// Reads one of the five entities that XML knows, or a character by its number.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Wrong> {
        match reference.resolve_char_ref().map_err(|_| None)? {
            Some(sign) if is_char(sign) => self.text(sign.encode_utf8(&mut [0; 4])),
            Some(_) => Err(None),
            None => self.text(resolve_xml_entity(reference).ok_or(None)?),
        }
    }

    fn document_type(&mut self, declared: &str) -> Result<(), Wrong> {
        if declared.contains('[') {
            return Err(Some(XmlError::Declarations));
        }
        let late = self.typed || self.root.is_some() || !self.open.is_empty();
        self.typed = true;
        if late { Err(None) } else { Ok(()) }
    }

    fn finish(self) -> Option<Value> {
        let root = self.root.filter(|_| self.open.is_empty())?;
        Some(Value::Object(Map::from_iter([root])))
    }
}

impl Open {
    fn value(mut self) -> (String, Value) {
        let text = self.text.trim();
        let value = if self.nil {
            Value::Null
        } else if self.object.is_empty() {
            text.into()
        } else {
            if !text.is_empty() {
                self.object.insert("#text".to_owned(), text.into());
            }
            Value::Object(self.object)
        };
        (self.name, value)
    }
}

#[cfg(test)]
mod tests;
