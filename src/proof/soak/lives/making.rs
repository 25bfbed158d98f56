//! A life in the making: its clock, its ids, its notifications so far.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::chance::Chance;
use super::expected::Expected;
use super::life::{Fate, Life, Notification, Registration, SOURCES};
use super::money::Currency;
use super::truth::date;
use crate::domain::ids::Kind;

/// The way by which the relay finds a notification's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum KnownBy {
    /// The payment stack registers the PSP's id.
    #[default]
    Id,
    /// The PSP returns Transform's id.
    Reference,
    /// Both ways.
    Both,
}

impl KnownBy {
    pub(super) fn any(chance: &mut Chance) -> Self {
        chance.pick(&[Self::Id, Self::Reference, Self::Both])
    }

    pub(super) const fn id(self) -> bool {
        matches!(self, Self::Id | Self::Both)
    }

    pub(super) const fn reference(self) -> bool {
        matches!(self, Self::Reference | Self::Both)
    }
}

/// A life in the making.
pub(super) struct Making {
    pub(super) chance: Chance,
    pub(super) source: &'static str,
    profile: &'static str,
    number: u64,
    now: Timestamp,
    ids: u32,
    story: Vec<&'static str>,
    life: Life,
}

impl Making {
    pub(super) fn new(profile: &'static str, mut chance: Chance, number: u64) -> Self {
        let source = SOURCES.iter().find(|(_, of, _)| *of == profile).map_or("", |(source, ..)| source);
        // Some day of 2022: a life must end before the present of any right clock. Otherwise the relay would not believe its
        // times.
        let now = Timestamp::from_second(1_640_995_200 + chance.within(0, 31_000_000)).unwrap_or_default();
        let life =
            Life { label: String::new(), registrations: Vec::new(), notifications: Vec::new(), truths: Vec::new() };
        Self { chance, source, profile, number, now, ids: 0, story: Vec::new(), life }
    }

    /// Adds a chapter to the label.
    pub(super) fn chapter(&mut self, words: &'static str) {
        self.story.push(words);
    }

    /// The next moment. It is later than the last one, also with the digits that the PSP writes.
    pub(super) fn later(&mut self) -> Timestamp {
        let wait = match self.chance.within(0, 3) {
            0 => SignedDuration::from_secs(1),
            1 => SignedDuration::from_secs(self.chance.within(1, 90)),
            2 => SignedDuration::from_mins(self.chance.within(1, 600)),
            _ => SignedDuration::from_hours(self.chance.within(1, 200)),
        };
        // PSPs that write fractions of a second may have two events in one second.
        let fine = matches!(self.profile, "frisbii-media" | "digital-river") && self.chance.one_in(3);
        let wait = if fine { SignedDuration::from_micros(self.chance.within(1, 999_999)) } else { wait };
        self.now += wait;
        self.now
    }

    /// The same moment or a later one: for an event that follows from the last so clearly that both may have the same
    /// second.
    pub(super) fn perhaps_later(&mut self) -> Timestamp {
        if self.chance.one_in(3) { self.now } else { self.later() }
    }

    /// An id that no other object of any life has.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        let (number, ids) = (self.number, self.ids);
        format!("{prefix}{number:06}{ids:02}{}", self.chance.hex(10))
    }

    /// A unique id in digits only.
    pub(super) fn digits(&mut self) -> String {
        self.ids += 1;
        format!("7{:07}{:02}{:04}", self.number, self.ids, self.chance.within(0, 9999))
    }

    pub(super) fn currency(&mut self) -> Currency {
        Currency::of(self.profile, &mut self.chance)
    }

    /// A new record, with an id in Transform's form and some of the data that a payment stack may register.
    pub(super) fn expected(&mut self, kind: Kind, currency: Option<Currency>, requested: i64) -> Expected {
        self.ids += 1;
        let hex = format!("{:08x}{:02x}{}", self.number & 0xffff_ffff, self.ids & 0xff, self.chance.hex(14));
        let id = match kind {
            Kind::Agreement => hex,
            _ => format!("{}-{hex}", date(self.now).replace('-', "")),
        };
        let mut expected = Expected::new(kind, id, currency, requested);
        if kind != Kind::Refund && self.chance.one_in(3) {
            expected.bearer.insert("holder".to_owned(), "Anna Schmidt-Łukasz".to_owned());
            expected.bearer.insert("last4".to_owned(), "0000".to_owned());
        }
        if kind != Kind::Refund && self.chance.one_in(4) {
            expected.redirect_url = Some(format!("https://pay.example/{}", expected.id));
        }
        if kind == Kind::Payment && self.chance.one_in(4) {
            expected.due_date = Some(date(self.now));
        }
        expected
    }

    /// Notes that the payment stack registers the record.
    pub(super) fn registers(&mut self, expected: &Expected) {
        let body = expected.registration(self.source);
        self.life.registrations.push(Registration { kind: expected.kind, id: expected.id.clone(), body });
    }

    /// Notes that the PSP tells of a record.
    pub(super) fn tells(&mut self, expected: &Expected, body: Value) {
        self.tells_as(None, expected, body, Fate::Reaches);
    }

    /// Notes that the PSP tells of a record in another form of notification, or with another fate.
    pub(super) fn tells_as(&mut self, form: Option<&'static str>, expected: &Expected, body: Value, fate: Fate) {
        let concerns = (expected.kind.code(), expected.id.clone());
        self.life.notifications.push(Notification { source: self.source, form, body, concerns, fate });
    }

    /// Ends a record: its truth goes into the life.
    pub(super) fn knows(&mut self, expected: &Expected) {
        self.life.truths.push(expected.truth());
    }

    pub(super) fn done(self) -> Life {
        let label = format!("{} life {}: {}", self.profile, self.number, self.story.join(", "));
        Life { label, ..self.life }
    }
}
