//! Words of a page in Markdown: sections, lists, codes, places and conditions.

use std::fmt::Display;

use crate::psp::document::place::Place;
use crate::psp::profile::{Condition, Not, Starts, When};

/// Adds a section, unless there is nothing to say.
pub(super) fn section(text: &mut String, heading: &str, said: &str) {
    if !said.trim().is_empty() {
        text.push_str(&format!("\n## {heading}\n\n{}\n", said.trim()));
    }
}

/// Numbered steps.
pub(super) fn numbered(steps: &[String]) -> String {
    let lines = steps.iter().enumerate().map(|(index, step)| format!("{}. {}", index + 1, step.trim()));
    lines.collect::<Vec<_>>().join("\n")
}

/// A bulleted list.
pub(super) fn bulleted(points: &[String]) -> String {
    points.iter().map(|point| format!("- {}", point.trim())).collect::<Vec<_>>().join("\n")
}

/// A word of the PSP's. The empty word stands for an absent value.
fn word(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { code(text) }
}

/// A text as code, with control characters escaped.
pub(super) fn code(text: &str) -> String {
    let mut written = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() => written.extend(c.escape_default()),
            c => written.push(c),
        }
    }
    format!("`{written}`")
}

/// Text inside a table, where a `|` would end the cell.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Texts as code.
pub(super) fn codes(texts: &[impl Display]) -> String {
    texts.iter().map(|text| word(&text.to_string())).collect::<Vec<_>>().join(", ")
}

/// Places as a profile names them, as code.
pub(super) fn places(places: &[Place], with: &str) -> String {
    places.iter().map(|place| code(&place.to_string())).collect::<Vec<_>>().join(with)
}

/// Conditions that must all be met.
pub(super) fn conditions(when: &When) -> String {
    when.iter().map(|(place, condition)| conditioned(place, condition)).collect::<Vec<_>>().join(" and ")
}

fn conditioned(place: &Place, condition: &Condition) -> String {
    let place = code(&place.to_string());
    let nothing = |texts: &[String]| texts.len() == 1 && texts.first().is_some_and(String::is_empty);
    let any = |texts: &[String]| texts.iter().map(|text| word(text)).collect::<Vec<_>>().join(" or ");
    match condition {
        Condition::Is(texts) if nothing(texts.as_slice()) => format!("{place} is absent"),
        Condition::Is(texts) => format!("{place} is {}", any(texts.as_slice())),
        Condition::Not(Not { not }) if nothing(not.as_slice()) => format!("{place} is there"),
        Condition::Not(Not { not }) => format!("{place} is not {}", any(not.as_slice())),
        Condition::Starts(Starts { starts }) => format!("{place} starts with {}", any(starts.as_slice())),
    }
}
