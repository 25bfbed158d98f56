//! Which rules read a message, and around which object they read it.

use super::read::names;
use crate::domain::text::masked;
use crate::psp::document::place::{Place, Scope};
use crate::psp::profile::{Condition, EventRule, Form, When};

/// The type of a message, as far as it is known yet.
pub(crate) fn event_type(form: &Form, scope: &Scope<'_>) -> String {
    let parts = form.event_type.iter().map(|part| scope.first(part.as_slice()).unwrap_or_default());
    parts.collect::<Vec<_>>().join(" ").trim().to_owned()
}

pub(crate) fn type_names(form: &Form) -> String {
    let places: Vec<Place> = form.event_type.iter().flat_map(|part| part.as_slice()).cloned().collect();
    names(&places)
}

/// A message with the thing that it is about, if its form says where that stands.
pub(crate) fn about<'a>(form: &Form, scope: Scope<'a>) -> Scope<'a> {
    let there = |place: &Place| scope.value(place).filter(|value| value.is_object());
    let object = (!form.object.is_empty()).then(|| form.object.iter().find_map(there).unwrap_or(scope.message));
    Scope { element: object, ..scope }
}

/// A type is logged; what is none may be anything.
pub(super) fn printable(event_type: &str) -> String {
    masked(event_type).chars().take(TYPE_MAX).collect()
}

/// A type is a word or two; what is longer, in bytes, is something else.
pub(crate) const TYPE_MAX: usize = 128;

/// The rules that read a message: the first that fits, and those after it as long as each lets the next one read on.
pub(crate) fn readers<'f>(form: &'f Form, scope: &Scope<'_>) -> Vec<&'f EventRule> {
    let mut readers = Vec::new();
    for rule in &form.rules {
        if rule.is_of(scope.event_type) && holds(&rule.when, &around(rule, scope)) {
            readers.push(rule);
            if rule.ignore || !rule.goes_on {
                break;
            }
        }
    }
    readers
}

/// Where the conditions of a rule look: `./` in those of one with `each` is one of its elements.
pub(crate) fn around<'a>(rule: &EventRule, scope: &Scope<'a>) -> Scope<'a> {
    Scope { element: scope.element.filter(|_| rule.each.is_none()), ..*scope }
}

/// The first place that does not say what it must.
pub(crate) fn broken<'w>(requires: &'w When, scope: &Scope<'_>) -> Option<&'w Place> {
    let mut places = requires.iter();
    let broken = places.find(|(place, condition)| !condition.holds(&scope.text(place).unwrap_or_default()));
    broken.map(|(place, _)| place)
}

/// Whether conditions are met.
pub(super) fn holds(when: &When, scope: &Scope<'_>) -> bool {
    unmet(when, scope).next().is_none()
}

/// The conditions that are not met, each with the text that stands there. Those on an element count once there is one.
pub(crate) fn unmet<'w>(when: &'w When, scope: &Scope<'_>) -> impl Iterator<Item = (&'w Place, &'w Condition, String)> {
    let counts = |place: &Place| scope.element.is_some() || !matches!(place.root(), Place::Element(_));
    when.iter()
        .filter(move |(place, _)| counts(place))
        .map(|(place, condition)| (place, condition, scope.text(place).unwrap_or_default()))
        .filter(|(_, condition, text)| !condition.holds(text))
}
