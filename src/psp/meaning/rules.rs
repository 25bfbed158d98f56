//! Rules of a form: the choice of those that read a message, and the object around which they read it.

use super::read::names;
use crate::domain::text::masked;
use crate::psp::document::place::{Place, Scope};
use crate::psp::profile::{Condition, EventRule, Form, When};

/// The type of a message, as far as it is already known.
pub(crate) fn event_type(form: &Form, scope: &Scope<'_>) -> String {
    let parts = form.event_type.iter().map(|part| scope.first(part.as_slice()).unwrap_or_default());
    let text = parts.collect::<Vec<_>>().join(" ");
    if form.any_case { text.trim().to_lowercase() } else { text.trim().to_owned() }
}

pub(crate) fn type_names(form: &Form) -> String {
    let places: Vec<Place> = form.event_type.iter().flat_map(|part| part.as_slice()).cloned().collect();
    names(&places)
}

/// A message with the object that it is about, if its form names one.
pub(crate) fn about<'a>(form: &Form, scope: Scope<'a>) -> Scope<'a> {
    let there = |place: &Place| scope.value(place).filter(|value| value.is_object());
    let object = (!form.object.is_empty()).then(|| form.object.iter().find_map(there).unwrap_or(scope.message));
    Scope { element: object, ..scope }
}

/// A type as it may be logged: a text that is not a type may hold anything.
pub(super) fn printable(event_type: &str) -> String {
    masked(event_type).chars().take(TYPE_MAX).collect()
}

/// The longest type, in bytes: a longer text is not a type.
pub(crate) const TYPE_MAX: usize = 128;

/// The rules that read a message: the first that fits, and further ones while each lets the next one read too.
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

/// The scope of a rule's conditions. In a rule with `each`, `./` is an element of that list.
pub(crate) fn around<'a>(rule: &EventRule, scope: &Scope<'a>) -> Scope<'a> {
    Scope { element: scope.element.filter(|_| rule.each.is_none()), ..*scope }
}

/// The first place whose text does not meet its condition.
pub(crate) fn broken<'w>(requires: &'w When, scope: &Scope<'_>) -> Option<&'w Place> {
    let mut places = requires.iter();
    let broken = places.find(|(place, condition)| !condition.holds(&scope.text(place).unwrap_or_default()));
    broken.map(|(place, _)| place)
}

/// Whether the conditions are met.
pub(super) fn holds(when: &When, scope: &Scope<'_>) -> bool {
    unmet(when, scope).next().is_none()
}

/// The conditions that are not met, each with the text at its place. Conditions on an element are checked once there is one.
pub(crate) fn unmet<'w>(when: &'w When, scope: &Scope<'_>) -> impl Iterator<Item = (&'w Place, &'w Condition, String)> {
    let counts = |place: &Place| scope.element.is_some() || !matches!(place.root(), Place::Element(_));
    when.iter()
        .filter(move |(place, _)| counts(place))
        .map(|(place, condition)| (place, condition, scope.text(place).unwrap_or_default()))
        .filter(|(_, condition, text)| !condition.holds(text))
}
