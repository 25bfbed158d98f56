//! What a verified notification says, in our words.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::place::{Place, Scope};
use super::profile::{
    BookingFrom, ChargebackRule, Defaults, ErrorRule, EventRule, Fixed, Form, ItemRule, Mapped, Profile, StatusFrom,
    When,
};
use super::read::{self, Reader, id, ids, names, texts, words};
use super::verify::Verified;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Why};
use crate::domain::status::{PspError, Status};
use crate::domain::text::{masked, shown};
use crate::domain::view::utc_date;

/// A notification in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalised {
    /// The same for every repetition of the notification.
    pub dedupe_key: String,
    /// Its messages, in the order of the batch.
    pub messages: Vec<Message>,
}

impl Normalised {
    /// Ignores all messages but those of these types. What has no type is still not understood.
    pub fn keep_only(&mut self, types: &BTreeSet<String>) {
        let others = |message: &&mut Message| !message.event_type.is_empty() && !types.contains(&message.event_type);
        self.messages.iter_mut().filter(others).for_each(|message| message.meaning = Meaning::Ignored);
    }

    /// How much work it is: its messages, and the events of those that have several.
    #[must_use]
    pub fn size(&self) -> usize {
        let events = |message: &Message| match &message.meaning {
            Meaning::Events(events) => events.len().max(1),
            Meaning::Ignored | Meaning::NotUnderstood(_) | Meaning::Fetch(_) => 1,
        };
        self.messages.iter().map(events).sum()
    }
}

/// One message of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The PSP's name for what happened.
    pub event_type: String,
    /// What it means.
    pub meaning: Meaning,
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// These events.
    Events(Vec<Event>),
    /// Nothing that concerns a record.
    Ignored,
    /// The profile knows the type, but this message is not as it should be: a dead letter.
    NotUnderstood(String),
    /// Its truth has to be fetched first.
    Fetch(Call),
}

/// A call that fetches the truth of a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Path and query below the base: the same for all notifications of one object.
    pub path: String,
}

/// Reads a verified notification by the rules of its form.
#[must_use]
pub fn normalise(profile: &Profile, verified: &Verified<'_>) -> Normalised {
    let received = verified.received();
    let body_hash = hex::encode(Sha256::digest(received.body));
    let body: Value = match serde_json::from_slice(received.body) {
        Ok(body) => body,
        Err(error) => {
            let meaning = Meaning::NotUnderstood(format!("the body is not JSON: {error}"));
            return Normalised {
                dedupe_key: body_hash,
                messages: vec![Message { event_type: String::new(), meaning }],
            };
        }
    };
    let form = verified.form();
    let found = form.batch.as_ref().map_or_else(|| vec![&body], |batch| batch.find(&body));
    let mut keys = Vec::new();
    let mut messages = Vec::new();
    for message in found {
        let bare = Scope { received, message, element: None, signed_at: verified.signed_at(), event_type: "" };
        let event_type = joined(&bare, &form.event_type, " ").trim().to_owned();
        let scope = Scope { event_type: &event_type, ..bare };
        let key = Some(joined(&scope, &form.dedupe, "|")).filter(|key| !key.trim_matches('|').is_empty());
        let key = key.unwrap_or_else(|| body_hash.clone());
        let key = if key.len() > KEY_MAX { hex::encode(Sha256::digest(key)) } else { key };
        let meaning = match event_type.len() {
            0 => Meaning::NotUnderstood(format!("no type at {}", names(&form.event_type))),
            1..=TYPE_MAX => meaning(profile, form, scope, &key),
            _ => Meaning::NotUnderstood(format!("{} is no type of event", shown(&event_type))),
        };
        // A type is logged; what is none may be anything.
        let event_type = masked(&event_type).chars().take(TYPE_MAX).collect();
        messages.push(Message { event_type, meaning });
        keys.push(key);
    }
    if messages.is_empty() {
        let meaning = Meaning::NotUnderstood("the batch holds no message".to_owned());
        messages.push(Message { event_type: String::new(), meaning });
    }
    let dedupe_key = if keys.is_empty() { body_hash } else { keys.join("\n") };
    Normalised { dedupe_key, messages }
}

/// SHIM
pub fn normalise_fetched(
    _profile: &Profile,
    _form_name: &str,
    _received: super::received::Received<'_>,
    _signed_at: Option<&str>,
    _message_index: usize,
    _answer: &[u8],
    _fetched_at: Timestamp,
) -> Message {
    Message { event_type: String::new(), meaning: Meaning::Ignored }
}

/// A type is a word or two; what is longer, in bytes, is something else.
const TYPE_MAX: usize = 128;

/// A longer dedupe key, in bytes, is kept as its hash: one message may mean many events, and each has the key.
const KEY_MAX: usize = 256;

fn joined(scope: &Scope<'_>, places: &[Place], with: &str) -> String {
    places.iter().map(|place| scope.text(place).unwrap_or_default()).collect::<Vec<_>>().join(with)
}

fn meaning(profile: &Profile, form: &Form, scope: Scope<'_>, key: &str) -> Meaning {
    let fitting = form.rules.iter().map(toml::Spanned::get_ref).find(|rule| fits(rule, &scope));
    let Some(rule) = fitting else { return Meaning::Ignored };
    let elements = rule.each.as_ref().map(|each| each.find(scope.message));
    let scopes: Vec<_> = match &elements {
        None => vec![scope],
        Some(found) => found.iter().map(|element| Scope { element: Some(element), ..scope }).collect(),
    };
    if scopes.is_empty() {
        return Meaning::NotUnderstood("the message lists nothing of what its type speaks of".to_owned());
    }
    let events: Result<Vec<_>, _> = scopes
        .into_iter()
        .map(|scope| Translation { profile, defaults: &form.defaults, rule, key }.event(scope))
        .collect();
    events.map_or_else(Meaning::NotUnderstood, Meaning::Events)
}

fn fits(rule: &EventRule, scope: &Scope<'_>) -> bool {
    rule.event_type.as_slice().iter().any(|known| known == scope.event_type) && holds(&rule.when, scope)
}

fn holds(when: &When, scope: &Scope<'_>) -> bool {
    when.iter().all(|(pointer, allowed)| {
        let text = scope.text(&Place::Message(pointer.clone())).unwrap_or_default();
        allowed.as_slice().contains(&text)
    })
}

/// One rule on its way to an event.
struct Translation<'a> {
    profile: &'a Profile,
    defaults: &'a Defaults,
    rule: &'a EventRule,
    key: &'a str,
}

impl Translation<'_> {
    fn event(&self, scope: Scope<'_>) -> Result<Event, String> {
        let (rule, defaults) = (self.rule, self.defaults);
        let currency = read::currency(&scope, rule.currency.as_ref().unwrap_or(&defaults.currency))?;
        let reader = Reader { profile: self.profile, time_format: defaults.time_format, currency, scope };
        let at = reader.instant(rule.at.as_ref().unwrap_or(&defaults.at))?.unwrap_or(scope.received.at);
        let facts = self.facts(&reader, at)?;
        let event = Event {
            event_type: scope.event_type.to_owned(),
            kinds: rule.kind.as_slice().to_vec(),
            psp_ids: ids(&scope, rule.ids.as_ref().unwrap_or(&defaults.ids))?,
            shared_ids: ids(&scope, rule.shared_ids.as_ref().unwrap_or(&defaults.shared_ids))?,
            references: texts(&scope, rule.reference.as_ref().unwrap_or(&defaults.reference))
                .into_iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            at,
            key: event_key(self.key, &facts),
            late: rule.late,
            gives_way: rule.gives_way,
            currency,
            facts,
        };
        if event.psp_ids.is_empty() && event.shared_ids.is_empty() && event.references.is_empty() {
            return Err(format!("no id at {}", names(rule.ids.as_ref().unwrap_or(&defaults.ids))));
        }
        Ok(event)
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
        let bearer =
            rule.bearer.iter().filter_map(|(name, places)| Some((name.clone(), words(&reader.scope, places)?)));
        Ok(Facts {
            status,
            error: rule
                .error
                .as_ref()
                .filter(|_| status.is_some_and(ends_badly))
                .map(|from| error(from, &reader.scope)),
            authorized: optional(&rule.authorized)?,
            expires_at: rule.expires_at.as_ref().map(|places| reader.instant(places)).transpose()?.flatten(),
            items,
            chargebacks: rule
                .chargeback
                .as_ref()
                .map(|from| chargeback(from, reader, at))
                .transpose()?
                .into_iter()
                .collect(),
            refunded: optional(&rule.refunded)?,
            bearer: bearer.collect(),
        })
    }
}

/// The reason, where the message has the PSP's code for it.
fn why(rule: &ChargebackRule, scope: &Scope<'_>) -> Option<Why> {
    let reason = rule.reason.as_ref().and_then(|reason| reason.map.get(&scope.first(&reason.from)?).copied());
    let psp_code = words(scope, &rule.psp_code);
    (reason.is_some() || psp_code.is_some()).then(|| Why {
        reason: reason.unwrap_or_default(),
        psp_code,
        psp_message: words(scope, &rule.psp_message),
    })
}

/// A fee is a detail: one that cannot be told in the chargeback's currency does not make it a dead letter.
fn fee(rule: &ChargebackRule, reader: &Reader<'_>) -> Result<Option<Decimal>, String> {
    let own = read::currency(&reader.scope, &rule.fee_currency)?.or(reader.currency);
    if own != reader.currency || reader.scope.first(&rule.fee).is_some_and(|text| text.starts_with('-')) {
        return Ok(None);
    }
    reader.amount(&rule.fee)
}

/// The key with a trace of what is said: two messages of one key and different content are two events, and end in
/// the same order everywhere.
fn event_key(key: &str, facts: &Facts) -> String {
    let said = serde_json::to_vec(facts).unwrap_or_default();
    let mut trace = hex::encode(Sha256::digest(said));
    trace.truncate(16);
    format!("{key}#{trace}")
}

const fn ends_badly(status: Status) -> bool {
    status.is_error() || matches!(status, Status::Inactive)
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

fn error(from: &ErrorRule, scope: &Scope<'_>) -> PspError {
    PspError {
        code: from.code.as_ref().and_then(|code| code.map.get(&scope.first(&code.from)?).copied()),
        psp_code: words(scope, &from.psp_code),
        message: words(scope, &from.message),
    }
}

fn booked_items(
    rule: &ItemRule,
    reader: &Reader<'_>,
    status: Option<Status>,
    at: Timestamp,
) -> Result<Vec<Item>, String> {
    let elements = rule.each.as_ref().map(|each| each.find(reader.scope.message));
    let scopes: Vec<Scope<'_>> = match &elements {
        None => vec![reader.scope],
        Some(found) => found.iter().map(|element| Scope { element: Some(element), ..reader.scope }).collect(),
    };
    scopes.into_iter().map(|scope| item(rule, &Reader { scope, ..*reader }, status, at)).collect()
}

fn item(rule: &ItemRule, reader: &Reader<'_>, status: Option<Status>, at: Timestamp) -> Result<Item, String> {
    let booking = match (&rule.booking, status) {
        (Some(from), _) => booking(from, &reader.scope)?,
        (None, Some(Status::Succeeded)) => Booking::Booked,
        (None, Some(status)) if ends_badly(status) => Booking::Reversed,
        (None, _) => Booking::Open,
    };
    Ok(Item {
        id: id(&reader.scope, &rule.id)?.ok_or_else(|| format!("no id of a booking at {}", names(&rule.id)))?,
        amount: amount_of(reader, &rule.amount, booking)?,
        booking,
        date: utc_date(reader.instant(&rule.at)?.unwrap_or(at)),
        description: words(&reader.scope, &rule.description),
    })
}

fn amount_of(reader: &Reader<'_>, places: &[Place], booking: Booking) -> Result<Decimal, String> {
    if booking == Booking::Booked {
        reader.needed_amount(places)
    } else {
        Ok(reader.amount(places)?.unwrap_or_default())
    }
}

fn booking(from: &BookingFrom, scope: &Scope<'_>) -> Result<Booking, String> {
    match from {
        Fixed::Fixed(booking) => Ok(*booking),
        Fixed::Mapped(mapped) => mapped_to(mapped, scope, "state"),
    }
}

fn chargeback(rule: &ChargebackRule, reader: &Reader<'_>, at: Timestamp) -> Result<Chargeback, String> {
    let scope = &reader.scope;
    let booking = booking(&rule.booking, scope)?;
    Ok(Chargeback {
        id: id(scope, &rule.id)?.ok_or_else(|| format!("no id of a dispute at {}", names(&rule.id)))?,
        amount: amount_of(reader, &rule.amount, booking)?,
        fee: fee(rule, reader)?,
        booking,
        date: utc_date(reader.instant(&rule.at)?.unwrap_or(at)),
        why: why(rule, scope),
    })
}
