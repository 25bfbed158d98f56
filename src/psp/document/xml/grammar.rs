//! The characters and names of XML 1.0 (fifth edition, 2.2 and 2.3), with one colon as its namespaces have it.

use super::bounds::{NAME_MAX, Wrong, too_long};

/// A name and the prefix before its colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// The prefix that stands for a namespace.
    pub(super) prefix: Option<&'a str>,
    /// The name within the namespace.
    pub(super) local: &'a str,
}

/// The parts of a name.
pub(super) fn named(text: &str) -> Result<Name<'_>, Wrong> {
    if text.len() > NAME_MAX {
        return Err(too_long("a name", NAME_MAX));
    }
    let (prefix, local) = text.split_once(':').map_or((None, text), |(prefix, local)| (Some(prefix), local));
    if prefix.is_none_or(is_name) && is_name(local) { Ok(Name { prefix, local }) } else { Err(None) }
}

fn is_name(text: &str) -> bool {
    text.starts_with(begins_name) && text.chars().all(|c| begins_name(c) || continues_name(c))
}

const fn begins_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

const fn continues_name(c: char) -> bool {
    matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether a document may have this character.
pub(super) const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

/// Whether the text consists of white space only.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}
