//! Rendering of what a notification means, as text: the one writer of messages and events in words.
//!
//! `profile test` shows the lines to authors of profiles. The golden files of the fixtures hold the same lines, one message
//! or event in a line each, with every field that says something. Each type is taken apart field by field: a field that is
//! added to it does not compile until it is rendered here.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::domain::event::Movement;
use crate::domain::event::{AHEAD_MAX, Ahead, Booking, Chargeback, Event, Facts, Item, Loose, Release, Statement, Why};
use crate::domain::ids::TransformId;
use crate::domain::message::{Identity, Meaning, Message, Normalised};
use crate::domain::money::Currency;
use crate::domain::status::PspError;
use crate::domain::text::{shown, shown_id};
use crate::domain::total::{Total, TotalOf};

/// How much of a PSP's texts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// Texts are masked and cut, and the customer's payment data is only counted: for terminals.
    Guarded,
    /// Texts are whole: for golden files of made-up notifications.
    Whole,
}

/// The line with the dedupe keys of events. It is meant for golden files.
pub const KEY: &str = "key";
/// The line with the part of an event that is not signed. It is meant for golden files.
pub const LOOSE: &str = "loose";
/// The line with the identity of a message. It is meant for golden files.
pub const IDENTITY: &str = "identity";

/// A line: a word for its subject, and the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The subject.
    pub word: &'static str,
    /// The text.
    pub said: String,
}

/// A message in lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLines {
    /// What is said of the message itself; none if its events say all.
    pub message: Vec<Line>,
    /// The lines of each event.
    pub events: Vec<Vec<Line>>,
}

/// A notification as a block of a golden file: a line with its dedupe key, and the lines of its messages.
#[must_use]
pub fn notification(normalised: &Normalised) -> String {
    let Normalised { dedupe_key, beside, messages: all } = normalised;
    let mut text = format!("dedupe {dedupe_key:?}");
    if !beside.is_empty() {
        text.push_str(&format!("; beside {beside:?}"));
    }
    text.push('\n');
    text.push_str(&messages(all, dedupe_key));
    text
}

/// Messages as a block of a golden file: a line for each message, and an indented line for each of its events. The text of a
/// dedupe key of these messages is not repeated with each event.
#[must_use]
pub fn messages(messages: &[Message], dedupe_key: &str) -> String {
    let mut text = String::new();
    for message in messages {
        let MessageLines { message: lines, events } = lines(message, dedupe_key, Texts::Whole);
        text.push_str(&format!("  {:?}{}\n", message.event_type, joined("; ", &lines)));
        for event in events {
            text.push_str(&format!("    {}\n", joined("", &event)));
        }
    }
    text
}

/// Lines as one line.
fn joined(before: &str, lines: &[Line]) -> String {
    let lines: Vec<_> = lines.iter().map(|Line { word, said }| format!("{word} {said}")).collect();
    if lines.is_empty() { String::new() } else { format!("{before}{}", lines.join("; ")) }
}

/// A message in lines. Its type is left to the caller. The keys of its events are written as what follows this dedupe key.
#[must_use]
pub fn lines(message: &Message, dedupe_key: &str, texts: Texts) -> MessageLines {
    let Message { event_type, meaning, ahead, identity, recurs, missing } = message;
    let mut lines = Lines { texts, lines: Vec::new() };
    let events = match meaning {
        Meaning::Events(events) if events.is_empty() => {
            lines.put("no event", "comes of it");
            Vec::new()
        }
        Meaning::Events(events) => events.iter().map(|one| event(one, event_type, dedupe_key, texts)).collect(),
        Meaning::Ignored => {
            let no_rule = missing.as_ref().map(|missing| format!("nothing reads it; missing is {}", missing.said));
            lines.put("ignored", no_rule.unwrap_or_else(|| "nothing in it concerns a record".to_owned()));
            Vec::new()
        }
        Meaning::Fetch(path) => {
            lines.put("to fetch", format!("GET {path}"));
            Vec::new()
        }
        Meaning::NotUnderstood(reason) => {
            lines.put("dead letter", format!("not understood: {reason}"));
            Vec::new()
        }
    };
    ahead.iter().for_each(|one| lines.ahead(one));
    if *recurs {
        lines.put("recurs", "the same bytes count again after others of its dedupe key");
    }
    if let Some(identity) = identity {
        lines.identity(identity);
    }
    MessageLines { message: lines.lines, events }
}

/// The lines of an event of a message with this type and dedupe key.
fn event(event: &Event, message_type: &str, dedupe_key: &str, texts: Texts) -> Vec<Line> {
    let Event { event_type, kinds, loose, at, key, currency, facts, .. } = event;
    let mut lines = Lines { texts, lines: Vec::new() };
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    let ids = lines.ids(event);
    lines.put("event", format!("{} by {ids}", kinds.join(" or ")));
    if event_type != message_type {
        lines.put("type", lines.text(event_type));
    }
    if let Some(loose) = loose {
        lines.loose(loose);
    }
    lines.put("at", format!("{at}{}", weight(event)));
    let trace = key.strip_prefix(dedupe_key).filter(|trace| trace.starts_with('#') && !dedupe_key.is_empty());
    lines.put(KEY, trace.map_or_else(|| lines.id(key), str::to_owned));
    lines.facts(facts, *currency);
    lines.lines
}

/// How the event stands to others of its record.
fn weight(event: &Event) -> String {
    let words = [
        (event.late, ", outranks others of the same second"),
        (event.gives_way, ", gives way to any other"),
        (event.yields_to_success, ", yields to success"),
        (event.never_revives, ", never revives"),
        (event.companion, ", waits in silence"),
    ];
    words.into_iter().filter(|(is, _)| *is).map(|(_, words)| words).collect()
}

struct Lines {
    texts: Texts,
    lines: Vec<Line>,
}

impl Lines {
    fn put(&mut self, word: &'static str, said: impl Into<String>) {
        self.lines.push(Line { word, said: said.into() });
    }

    /// A text of the PSP, in quotes.
    fn text(&self, text: &str) -> String {
        match self.texts {
            Texts::Guarded => shown(text),
            Texts::Whole => format!("{text:?}"),
        }
    }

    /// An id of the PSP's or the merchant's, in quotes.
    fn id(&self, id: &str) -> String {
        match self.texts {
            Texts::Guarded => shown_id(id),
            Texts::Whole => format!("{id:?}"),
        }
    }

    fn quoted<'a>(&self, all: impl IntoIterator<Item = &'a str>) -> String {
        all.into_iter().map(|id| self.id(id)).collect::<Vec<_>>().join(", ")
    }

    fn ids(&self, event: &Event) -> String {
        let all = |ids: &[String]| self.quoted(ids.iter().map(String::as_str));
        let ids = [
            ("reference", self.quoted(event.references.iter().map(TransformId::as_str))),
            ("id", all(&event.psp_ids)),
            ("original id", all(&event.originals)),
            ("shared id", all(&event.shared_ids)),
            ("payment id", all(&event.payment_ids)),
            ("customer", all(&event.customers)),
        ];
        let ids = ids.iter().filter(|(_, ids)| !ids.is_empty()).map(|(word, ids)| format!("{word} {ids}"));
        ids.collect::<Vec<_>>().join("; ")
    }

    fn ahead(&mut self, ahead: &Ahead) {
        let Ahead { what, said } = ahead;
        let minutes = AHEAD_MAX.as_mins();
        let of = if *what == "event" { "the event" } else { what };
        self.put(
            "ahead",
            format!("{of} at {said}: more than {minutes} minutes ahead of the receipt; it counts as the receipt"),
        );
    }

    fn identity(&mut self, identity: &Identity) {
        let Identity { key, fields, has_borders, binds_body, partly_signed, needs_owner, is_behind, first_time } =
            identity;
        let mut said = self.id(key);
        if !fields.is_empty() {
            said.push_str(&format!(", fields {}", self.text(fields)));
        }
        for (is, what) in [
            (has_borders, "has borders"),
            (binds_body, "binds the body"),
            (partly_signed, "partly signed"),
            (needs_owner, "needs an owner"),
            (is_behind, "behind another message"),
        ] {
            if *is {
                said.push_str(&format!(", {what}"));
            }
        }
        if !first_time.is_empty() {
            said.push_str(&format!(", first time of events {first_time:?}"));
        }
        self.put(IDENTITY, said);
    }

    fn loose(&mut self, loose: &Loose) {
        let Loose { text, unsigned } = loose;
        let unsigned = self.quoted(unsigned.iter().map(String::as_str));
        let unsigned = if unsigned.is_empty() { unsigned } else { format!(", unsigned {unsigned}") };
        self.put(LOOSE, format!("signed text {}{unsigned}", self.text(text)));
    }

    fn facts(&mut self, facts: &Facts, currency: Option<Currency>) {
        let Facts { status, error, authorized, release, expires_at, items, chargebacks, .. } = facts;
        let Facts { totals, statement, refunded, remainder, as_cancellation, tolerance, amended, bearer, .. } = facts;
        if let Some(status) = status {
            self.put("status", status.name());
        }
        if let Some(error) = error {
            self.error(error);
        }
        let has_amount = authorized.is_some() || refunded.is_some() || release.is_some();
        let has_account = statement.is_some() || !totals.is_empty();
        let has_amounts = has_amount || has_account || !items.is_empty() || !chargebacks.is_empty();
        if let Some(currency) = currency.filter(|_| !has_amounts) {
            self.put("currency", currency.code());
        }
        for (word, amount) in [("authorized", authorized), ("refunded", refunded)] {
            if let Some(amount) = amount {
                self.put(word, money(*amount, currency));
            }
        }
        if *remainder {
            self.put("remainder", "gives no money back");
        }
        if *as_cancellation {
            self.put("as cancellation", "takes nothing from booked money");
        }
        if *amended {
            self.put("amended", "Transform is told");
        }
        if let Some(tolerance) = tolerance {
            self.put("complete", format!("if less than {} is missing", money(*tolerance, currency)));
        }
        if let Some(Release { id, amount }) = release {
            let amount = amount.map_or_else(|| "all that is left".to_owned(), |amount| money(amount, currency));
            self.put("releases", format!("{amount}, release {}", self.id(id)));
        }
        if let Some(at) = expires_at {
            self.put("expires", at.to_string());
        }
        items.iter().for_each(|one| self.item(one, currency));
        totals.iter().for_each(|one| self.total(one, currency));
        chargebacks.iter().for_each(|one| self.chargeback(one, currency));
        if let Some(statement) = statement {
            self.statement(statement, currency);
        }
        if !bearer.is_empty() {
            self.put("bearer", self.bearer(bearer));
        }
    }

    fn error(&mut self, error: &PspError) {
        let PspError { code, psp_code, message } = error;
        let code = code.map_or_else(|| "unmapped".to_owned(), |code| format!("{code:?}"));
        self.put("error", format!("{code}{}", self.own(psp_code.as_deref(), message.as_deref())));
    }

    /// The PSP's own code and words.
    fn own(&self, psp_code: Option<&str>, message: Option<&str>) -> String {
        let own = [("code", psp_code), ("words", message)].into_iter();
        own.filter_map(|(word, text)| Some(format!(", {word} {}", self.text(text?)))).collect()
    }

    fn item(&mut self, item: &Item, currency: Option<Currency>) {
        let Item { id, amount, booking: moved, date, description } = item;
        let description = description.as_deref().map(|words| format!(": {}", self.text(words))).unwrap_or_default();
        let said = format!("{}, item {}, {date}{description}", money(*amount, currency), self.id(id));
        self.put(booking(*moved), said);
    }

    fn total(&mut self, total: &Total, currency: Option<Currency>) {
        let Total { of, id, amount } = total;
        let of = match of {
            TotalOf::Items => "items",
            TotalOf::Refunds => "refunds",
        };
        self.put("total", format!("{} of {of} of {}", money(*amount, currency), self.text(id)));
    }

    fn chargeback(&mut self, chargeback: &Chargeback, currency: Option<Currency>) {
        let Chargeback { id, disputed, fee, booking: moved, date, why, movements, of } = chargeback;
        let disputed = disputed.map_or_else(|| "unknown amount".to_owned(), |amount| money(amount, currency));
        let fee = fee.map(|fee| format!(", fee {}", money(fee, currency))).unwrap_or_default();
        let why = why.as_ref().map(|why| self.why(why)).unwrap_or_default();
        let of = of.as_ref().map(|of| format!(", of {}", self.id(of))).unwrap_or_default();
        self.put(booking(*moved), format!("{disputed}, chargeback {}{of}, {date}{fee}{why}", self.id(id)));
        match movements.as_deref() {
            Some([]) => self.put("moved", "nothing"),
            movements => movements.into_iter().flatten().for_each(|one| self.movement(one, currency)),
        }
    }

    fn statement(&mut self, statement: &Statement, currency: Option<Currency>) {
        let Statement { account, asked, missing, returned, why } = statement;
        let (asked, missing) = (money(*asked, currency), money(*missing, currency));
        let returned = if *returned { ", returned" } else { "" };
        let why = why.as_ref().map(|why| self.why(why)).unwrap_or_default();
        self.put("stated", format!("asked {asked}, missing {missing}, account {}{returned}{why}", self.text(account)));
    }

    fn movement(&mut self, movement: &Movement, currency: Option<Currency>) {
        let Movement { id, amount, currency: own, fee, at } = movement;
        let currency = own.or(currency);
        let fee = fee.map(|fee| format!(", fee {}", money(fee, currency))).unwrap_or_default();
        self.put("moved", format!("{}, movement {}, {at}{fee}", money(*amount, currency), self.id(id)));
    }

    fn why(&self, why: &Why) -> String {
        let Why { reason, psp_code, psp_message } = why;
        format!(", {reason:?}{}", self.own(psp_code.as_deref(), psp_message.as_deref()))
    }

    fn bearer(&self, bearer: &BTreeMap<String, String>) -> String {
        let of = |(name, value): (&String, &String)| match self.texts {
            Texts::Guarded => format!("{name} ({} characters)", value.chars().count()),
            Texts::Whole => format!("{name} {value:?}"),
        };
        bearer.iter().map(of).collect::<Vec<_>>().join(", ")
    }
}

fn money(amount: Decimal, currency: Option<Currency>) -> String {
    currency.map_or_else(|| amount.to_string(), |currency| format!("{amount} {currency}"))
}

const fn booking(booking: Booking) -> &'static str {
    match booking {
        Booking::Open => "open",
        Booking::Booked => "booked",
        Booking::Reversed => "reversed",
    }
}

#[cfg(test)]
mod tests;
