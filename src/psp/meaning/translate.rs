//! Translation of a message by one rule into events.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::read::{self, Reader, id, ids, names, texts, words};
use super::rules::holds;
use crate::domain::due::utc_date;
use crate::domain::event::Movement;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Loose, Release, Statement, Why};
use crate::domain::money::LARGEST_AMOUNT;
use crate::domain::status::{ChargebackReason, PspError, Status};
use crate::domain::text::shown;
use crate::domain::total::Total;
use crate::psp::document::place::{Place, Scope};
use crate::psp::profile::{
    BookingFrom, ChargebackRule, Direction, ErrorRule, EventRule, Fixed, Form, ItemRule, Mapped, MovementRule, Profile,
    ReleaseRule, ReleasedRule, StatementRule, StatusFrom, TotalRule, WithoutTime,
};

/// The translation of a message by one rule.
pub(super) struct Translation<'a> {
    pub(super) profile: &'a Profile,
    pub(super) form: &'a Form,
    pub(super) rule: &'a EventRule,
    pub(super) key: &'a str,
    /// The hash of the message's signed text, if the message can be led to another record.
    pub(super) loose_text: Option<&'a str>,
}

impl Translation<'_> {
    /// The events that the rule makes of a message: one, or one for each element.
    pub(super) fn events(&self, scope: Scope<'_>) -> Result<Vec<Event>, String> {
        let Some(each) = &self.rule.each else { return Ok(vec![self.event(scope)?]) };
        let scopes = scope.each(each);
        let chooses = self.rule.goes_on || self.rule.when.keys().any(|place| matches!(place.root(), Place::Element(_)));
        if scopes.is_empty() && !chooses {
            return Err("the list that the rule of this type reads has no elements".to_owned());
        }
        let chosen = scopes.into_iter().filter(|scope| holds(&self.rule.when, scope));
        chosen.map(|scope| self.event(scope)).collect()
    }

    fn event(&self, scope: Scope<'_>) -> Result<Event, String> {
        let (rule, defaults) = (self.rule, &self.form.defaults);
        let currency = read::currency(&scope, rule.currency.as_ref().unwrap_or(&defaults.currency))?;
        let reader = Reader {
            profile: self.profile,
            amounts: defaults.amounts.unwrap_or(self.profile.amounts),
            exponent: read::exponent(&scope, &rule.exponent)?,
            unsigned_amounts: rule.unsigned_amounts,
            time_format: defaults.time_format,
            currency,
            scope,
        };
        let at = self.time(&reader)?;
        let facts = self.facts(&reader, at)?;
        let own = rule.ids.as_ref().unwrap_or(&defaults.ids);
        let shared = rule.shared_ids.as_ref().unwrap_or(&defaults.shared_ids);
        let originals = rule.originals.as_ref().unwrap_or(&defaults.originals);
        let payments = rule.payment_ids.as_ref().unwrap_or(&defaults.payment_ids);
        let reference = rule.reference.as_ref().unwrap_or(&defaults.reference);
        let event = Event {
            event_type: scope.event_type.to_owned(),
            kinds: rule.kind.as_slice().to_vec(),
            psp_ids: ids(&scope, own)?,
            shared_ids: ids(&scope, shared)?,
            originals: ids(&scope, originals)?,
            payment_ids: ids(&scope, payments)?,
            customers: ids(&scope, &rule.customers)?,
            references: texts(&scope, reference).into_iter().filter_map(|text| text.parse().ok()).collect(),
            loose: self.loose(&scope, [own, shared, originals, payments, reference, &rule.customers]),
            at,
            key: event_key(self.key, &facts),
            late: rule.late,
            gives_way: rule.gives_way,
            yields_to_success: rule.yields_to_success,
            never_revives: rule.never_revives,
            companion: rule.companion,
            currency,
            facts,
        };
        if event.leading_ids().next().is_none()
            && event.references.is_empty()
            && event.payment_ids.is_empty()
            && event.customers.is_empty()
        {
            return Err(format!("no id at {}", names(own)));
        }
        Ok(event)
    }

    /// The time of the event. What is done without one, the profile says.
    fn time(&self, reader: &Reader<'_>) -> Result<Timestamp, String> {
        let places = self.form.time_of(self.rule);
        match (reader.instant(places)?, self.form.without_time) {
            (Some(at), _) => Ok(at),
            (None, Some(WithoutTime::DeadLetter)) => Err(format!("time at {}: missing", names(places))),
            (None, Some(WithoutTime::Receipt) | None) => Ok(reader.scope.received.at),
        }
    }

    /// The unsigned ids and references that lead to a record. A text that also stands at a signed place counts as signed.
    fn loose(&self, scope: &Scope<'_>, leads: [&Vec<Place>; 6]) -> Option<Loose> {
        let text = self.loose_text?.to_owned();
        let (signed, unsigned): (Vec<&Place>, Vec<&Place>) =
            leads.into_iter().flatten().partition(|place| self.form.signs(place));
        let mut unsigned: BTreeSet<String> = unsigned.into_iter().filter_map(|place| scope.text(place)).collect();
        for place in signed {
            scope.text(place).map(|text| unsigned.remove(&text));
        }
        Some(Loose { text, unsigned })
    }

    fn facts(&self, reader: &Reader<'_>, at: Timestamp) -> Result<Facts, String> {
        let rule = self.rule;
        let status = rule.status.as_ref().map(|from| status(from, &reader.scope)).transpose()?;
        let optional = |places: &Option<Vec<Place>>| {
            places.as_ref().map(|places| reader.amount(places)).transpose().map(Option::flatten)
        };
        let mut items = Vec::new();
        for item in &rule.items {
            items.extend(booked_items(item, reader, status, at)?);
        }
        let totals = rule.totals.iter().map(|from| total(from, reader)).collect::<Result<Vec<_>, _>>()?;
        let bearer =
            rule.bearer.iter().filter_map(|(name, places)| Some((name.clone(), words(&reader.scope, places)?)));
        Ok(Facts {
            status,
            error: rule
                .error
                .as_ref()
                .filter(|_| status.is_some_and(Status::is_over))
                .and_then(|from| failure(from, &reader.scope)),
            authorized: optional(&rule.authorized)?,
            release: rule.release.as_ref().map(|from| release(from, reader)).transpose()?,
            expires_at: rule.expires_at.as_ref().map(|places| reader.instant(places)).transpose()?.flatten(),
            chargebacks: rule
                .chargeback
                .as_ref()
                .map(|from| chargeback(from, reader, at))
                .transpose()?
                .into_iter()
                .collect(),
            statement: rule.statement.as_ref().map(|from| statement(from, reader)).transpose()?,
            totals: totals.into_iter().flatten().collect(),
            refunded: optional(&rule.refunded)?,
            remainder: rule.remainder,
            as_cancellation: rule.as_cancellation,
            tolerance: tolerance(rule, reader, &items),
            items,
            amended: rule.amends,
            bearer: bearer.collect(),
        })
    }
}

/// The reason, if the message has the PSP's code for it.
fn why(
    reason: Option<&Mapped<ChargebackReason>>,
    (code, message): (&[Place], &[Place]),
    scope: &Scope<'_>,
) -> Option<Why> {
    let reason = reason.and_then(|reason| reason.map.get(&scope.first(&reason.from)?).copied());
    let psp_code = words(scope, code);
    (reason.is_some() || psp_code.is_some()).then(|| Why {
        reason: reason.unwrap_or_default(),
        psp_code,
        psp_message: words(scope, message),
    })
}

fn statement(rule: &StatementRule, reader: &Reader<'_>) -> Result<Statement, String> {
    let scope = &reader.scope;
    let missing = || format!("amount at {}: missing", names(&rule.missing));
    Ok(Statement {
        account: id(scope, &rule.account)?.ok_or_else(|| format!("no id of an account at {}", names(&rule.account)))?,
        asked: reader.needed_amount(&rule.asked)?,
        missing: reader.signed_amount(&rule.missing)?.ok_or_else(missing)?,
        returned: rule.returned,
        why: why(rule.reason.as_ref(), (&rule.psp_code, &rule.psp_message), scope).filter(|_| rule.returned),
    })
}

/// The fee of a chargeback, unless it cannot be given in the chargeback's currency. A fee is a detail: the message does not
/// become a dead letter for it.
fn fee(rule: &ChargebackRule, reader: &Reader<'_>) -> Result<Option<Decimal>, String> {
    let own = read::currency(&reader.scope, &rule.fee_currency)?.or(reader.currency);
    if own != reader.currency || reader.scope.first(&rule.fee).is_some_and(|text| text.starts_with('-')) {
        return Ok(None);
    }
    reader.amount(&rule.fee)
}

/// The dedupe key with a trace of the facts. Two messages with one key and different content are two events, in the same
/// order everywhere.
fn event_key(key: &str, facts: &Facts) -> String {
    let said = serde_json::to_vec(facts).unwrap_or_default();
    let mut trace = hex::encode(Sha256::digest(said));
    trace.truncate(16);
    format!("{key}#{trace}")
}

fn status(from: &StatusFrom, scope: &Scope<'_>) -> Result<Status, String> {
    match from {
        Fixed::Fixed(status) => Ok(*status),
        Fixed::Mapped(mapped) => mapped_to(mapped, scope, "status"),
    }
}

fn mapped_to<T: Copy>(mapped: &Mapped<T>, scope: &Scope<'_>, what: &str) -> Result<T, String> {
    let text = scope.first(&mapped.from).unwrap_or_default();
    let found = mapped.map.get(&text).copied();
    found.ok_or_else(|| format!("{what} at {}: {} is not known", names(&mapped.from), shown(&text)))
}

/// The failure, if the message names one.
fn failure(from: &ErrorRule, scope: &Scope<'_>) -> Option<PspError> {
    let error = PspError {
        code: from.code.as_ref().and_then(|code| code.map.get(&scope.first(&code.from)?).copied()),
        psp_code: words(scope, &from.psp_code),
        message: words(scope, &from.message),
    };
    let named = error.code.is_some() || error.psp_code.is_some() || error.message.is_some();
    (named && holds(&from.when, scope)).then_some(error)
}

fn booked_items(
    rule: &ItemRule,
    reader: &Reader<'_>,
    status: Option<Status>,
    at: Timestamp,
) -> Result<Vec<Item>, String> {
    let scopes = rule.each.as_ref().map_or_else(|| vec![reader.scope], |each| reader.scope.each(each));
    let chosen = scopes.into_iter().filter(|scope| holds(&rule.when, scope));
    chosen.map(|scope| item(rule, &Reader { scope, ..*reader }, status, at)).collect()
}

fn item(rule: &ItemRule, reader: &Reader<'_>, status: Option<Status>, at: Timestamp) -> Result<Item, String> {
    let booking = match (&rule.booking, status) {
        (Some(from), _) => booking(from, &reader.scope)?,
        (None, Some(Status::Succeeded)) => Booking::Booked,
        (None, Some(status)) if status.is_over() => Booking::Reversed,
        (None, _) => Booking::Open,
    };
    Ok(Item {
        id: id(&reader.scope, &rule.id)?.ok_or_else(|| format!("no id of a booking at {}", names(&rule.id)))?,
        amount: amount_of(rule, reader, booking)?,
        booking,
        date: utc_date(reader.instant(&rule.at)?.unwrap_or(at)),
        description: words(&reader.scope, &rule.description),
    })
}

fn amount_of(rule: &ItemRule, reader: &Reader<'_>, booking: Booking) -> Result<Decimal, String> {
    let surcharge = reader.amount(&rule.surcharge)?.unwrap_or_default();
    let amount = if booking == Booking::Booked {
        reader.needed_amount(&rule.amount)?
    } else {
        reader.amount(&rule.amount)?.unwrap_or_default()
    };
    Ok(amount + surcharge)
}

/// What may be missing of a payment that the bookings of a message complete: less than this.
fn tolerance(rule: &EventRule, reader: &Reader<'_>, items: &[Item]) -> Option<Decimal> {
    if items.iter().all(|item| item.booking != Booking::Booked) {
        return None;
    }
    let completes = |item: &ItemRule| !item.completes.is_empty() && holds(&item.completes, &reader.scope);
    if rule.items.iter().any(completes) { Some(LARGEST_AMOUNT) } else { reader.smallest() }
}

fn booking(from: &BookingFrom, scope: &Scope<'_>) -> Result<Booking, String> {
    match from {
        Fixed::Fixed(booking) => Ok(*booking),
        Fixed::Mapped(mapped) => mapped_to(mapped, scope, "state"),
    }
}

/// A running total; none if the message has no such amount.
fn total(rule: &TotalRule, reader: &Reader<'_>) -> Result<Option<Total>, String> {
    let Some(amount) = reader.amount(&rule.amount)? else { return Ok(None) };
    let released = rule.released.as_ref().map(|released| rest(released, reader)).transpose()?.flatten();
    let id = id(&reader.scope, &rule.id)?.ok_or_else(|| format!("no id of a total at {}", names(&rule.id)))?;
    let amount = amount - released.filter(|rest| *rest <= amount).unwrap_or_default();
    Ok(Some(Total { of: rule.of, id, amount }))
}

/// What a partial capture released of a reservation.
fn rest(rule: &ReleasedRule, reader: &Reader<'_>) -> Result<Option<Decimal>, String> {
    let (reserved, captured) = (reader.amount(&rule.reserved)?, reader.amount(&rule.captured)?);
    Ok(reserved.zip(captured).map(|(reserved, captured)| (reserved - captured).max(Decimal::ZERO)))
}

fn release(rule: &ReleaseRule, reader: &Reader<'_>) -> Result<Release, String> {
    let id = id(&reader.scope, &rule.id)?.ok_or_else(|| format!("no id of a release at {}", names(&rule.id)))?;
    Ok(Release { id, amount: reader.amount(&rule.amount)? })
}

fn chargeback(rule: &ChargebackRule, reader: &Reader<'_>, at: Timestamp) -> Result<Chargeback, String> {
    let scope = &reader.scope;
    let booking = booking(&rule.booking, scope)?;
    Ok(Chargeback {
        id: id(scope, &rule.id)?.ok_or_else(|| format!("no id of a dispute at {}", names(&rule.id)))?,
        disputed: if booking == Booking::Booked && !rule.amount_elsewhere {
            Some(reader.needed_amount(&rule.amount)?)
        } else {
            reader.amount(&rule.amount)?
        },
        fee: fee(rule, reader)?,
        booking,
        date: utc_date(reader.instant(&rule.at)?.unwrap_or(at)),
        why: why(rule.reason.as_ref(), (&rule.psp_code, &rule.psp_message), scope),
        movements: movements(&rule.movements, reader, at)?,
        of: id(scope, &rule.of)?,
    })
}

/// The movements that a message lists; none if it has no such list.
fn movements(rules: &[MovementRule], reader: &Reader<'_>, at: Timestamp) -> Result<Option<Vec<Movement>>, String> {
    let mut listed: Option<Vec<Movement>> = None;
    for rule in rules {
        let scopes = match &rule.each {
            Some(each) if !reader.scope.has(each) => continue,
            Some(each) => reader.scope.each(each),
            None => vec![reader.scope],
        };
        let mut chosen = scopes.into_iter().filter(|scope| holds(&rule.when, scope)).peekable();
        if rule.each.is_none() && chosen.peek().is_none() {
            continue;
        }
        let listed = listed.get_or_insert_default();
        for scope in chosen {
            listed.push(movement(rule, &Reader { scope, ..*reader }, at)?);
        }
    }
    Ok(listed)
}

fn movement(rule: &MovementRule, reader: &Reader<'_>, at: Timestamp) -> Result<Movement, String> {
    let scope = &reader.scope;
    let own = reader.currency;
    let currency = read::currency(scope, &rule.currency)?.or(own);
    let reader = Reader { currency, ..*reader };
    let missing = || format!("amount at {}: missing", names(&rule.amount));
    // Where the rule names the direction, a sign would contradict it.
    let amount = match rule.direction {
        Direction::Signed => reader.signed_amount(&rule.amount)?.ok_or_else(missing)?,
        Direction::Taken => -reader.needed_amount(&rule.amount)?,
        Direction::GivenBack => reader.needed_amount(&rule.amount)?,
    };
    Ok(Movement {
        id: id(scope, &rule.id)?.ok_or_else(|| format!("no id of a movement at {}", names(&rule.id)))?,
        amount,
        currency: currency.filter(|_| currency != own),
        fee: reader.signed_amount(&rule.fee)?,
        at: reader.instant(&rule.at)?.unwrap_or(at),
    })
}
