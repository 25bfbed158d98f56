//! The customer's payment data that a record shows. They belong to an attempt: data of other attempts, and of former means of
//! payment, are not mixed into them.

use std::collections::BTreeMap;

use super::attempt::Attempt;
use super::ids::Kind;
use super::stamp::Stamped;
use super::standing::{Standing, attempts};

/// The payment data of the attempt that the record shows, with the registered ones if they belong to it. An attempt that does
/// not stand, and has no data, leaves the registered ones.
pub(super) fn shown(standing: &Standing<'_>) -> BTreeMap<String, String> {
    let registered = &standing.record.registered;
    let attempt = standing.shown();
    let mut bearer = match attempt {
        Some(attempt) if !is_with_registered(standing, attempt) => BTreeMap::new(),
        _ if is_of_another(standing) => BTreeMap::new(),
        _ => registered.bearer.clone(),
    };
    let is_newer = |fact: &Stamped<String>| registered.bearer_at.is_none_or(|at| fact.stamp.at > at);
    for (name, fact) in attempt.into_iter().flat_map(|attempt| &attempt.bearer) {
        if is_newer(fact) || !bearer.contains_key(name) {
            bearer.insert(name.clone(), fact.value.clone());
        }
    }
    let corrected = corrections(standing, attempt);
    bearer.extend(corrected.filter(|(_, fact)| is_newer(fact)).map(|(name, fact)| (name.clone(), fact.value.clone())));
    bearer
}

/// Whether the registered payment data show with those of this attempt.
fn is_with_registered(standing: &Standing<'_>, attempt: &Attempt) -> bool {
    let says_nothing = !attempt.stands() && attempt.bearer.is_empty();
    says_nothing || is_of(standing, attempt)
}

/// Whether the registered payment data are of another transaction than the registered one, by what events told of both ids. Nothing
/// told of an id that had a typo.
fn is_of_another(standing: &Standing<'_>) -> bool {
    let registered = &standing.record.registered;
    let Some((of, own)) = registered.bearer_of.as_ref().zip(registered.psp_id.as_ref()) else { return false };
    attempts(standing.record, standing.seen).any(|attempt| attempt.is_under(of) && !attempt.is_under(own))
}

/// What events that name no means of payment have corrected of the agreement's, since it is there.
fn corrections<'a>(
    standing: &Standing<'a>,
    shown: Option<&'a Attempt>,
) -> impl Iterator<Item = (&'a String, &'a Stamped<String>)> {
    let begin = shown.and_then(|attempt| attempt.name.as_ref()).map(|name| name.stamp.at);
    let is_agreement = standing.record.key.kind == Kind::Agreement;
    let anonymous = attempts(standing.record, standing.seen).filter(move |one| is_agreement && one.is_anonymous());
    anonymous.flat_map(|attempt| &attempt.bearer).filter(move |(name, fact)| {
        let own = shown.and_then(|attempt| attempt.bearer.get(*name));
        begin.is_none_or(|begin| begin <= fact.stamp.at) && own.is_none_or(|own| own.stamp < fact.stamp)
    })
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
