//! The customer's payment data that a record shows. They belong to an attempt: data of other attempts, and of former means of
//! payment, are not mixed into them.

use std::collections::BTreeMap;

use super::attempt::Attempt;
use super::stamp::Stamped;
use super::standing::{Standing, attempts};

/// The payment data of the attempt that the record shows, with the registered ones if they belong to it. An attempt that does
/// not stand, and has no data, leaves the registered ones.
pub(super) fn shown(standing: &Standing<'_>) -> BTreeMap<String, String> {
    let registered = &standing.record.registered;
    let Some(attempt) = standing.shown() else { return registered.bearer.clone() };
    let says_nothing = !attempt.stands() && attempt.bearer.is_empty();
    let is_registered = says_nothing || is_of(standing, attempt);
    let mut bearer = if is_registered { registered.bearer.clone() } else { BTreeMap::new() };
    let is_newer = |fact: &Stamped<String>| registered.bearer_at.is_none_or(|at| fact.stamp.at > at);
    for (name, fact) in &attempt.bearer {
        if is_newer(fact) || !bearer.contains_key(name) {
            bearer.insert(name.clone(), fact.value.clone());
        }
    }
    bearer
}

/// Whether the registered payment data belong to this attempt: to the registered one, else to the one that was first, or was
/// there when they were amended.
fn is_of(standing: &Standing<'_>, attempt: &Attempt) -> bool {
    let registered = &standing.record.registered;
    if let Some(psp_id) = &registered.psp_id {
        return attempt.is_under(psp_id);
    }
    let begin = |attempt: &Attempt| attempt.name.as_ref().map(|name| (name.stamp.rank, name.stamp.at));
    let Some(own) = begin(attempt) else { return true };
    let is_first = attempts(standing.record, standing.seen).filter_map(begin).all(|other| own <= other);
    is_first || registered.bearer_at.is_some_and(|at| own.1 <= at)
}
