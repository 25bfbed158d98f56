//! The table of events of a page: the meaning of each type for a record.

use std::collections::BTreeMap;

use super::words::{cell, code, codes, conditions, places};
use crate::domain::event::Booking;
use crate::domain::ids::Kind;
use crate::domain::status::{ChargebackReason, ErrorCode, Status};
use crate::domain::total::TotalOf;
use crate::psp::document::place::Place;
use crate::psp::profile::{
    ChargebackRule, Direction, ErrorRule, EventRule, Fixed, Form, ItemRule, Mapped, MovementRule, ReleaseRule,
    StatementRule, TotalRule,
};

/// A map with more words than this becomes a table of its own.
const WORDS_MAX: usize = 8;

/// The maps of words that are too long for a row: each of our words with the PSP's words for it.
#[derive(Default)]
struct Tables(Vec<BTreeMap<String, Vec<String>>>);

/// The types that the rules of these forms read, each of them once.
pub(super) fn read_types<'a>(forms: &[&'a Form]) -> Vec<&'a str> {
    let rules = forms.iter().flat_map(|form| &form.rules).filter(|rule| !rule.ignore);
    let mut found = Vec::new();
    for event_type in rules.flat_map(|rule| rule.event_type.as_slice()) {
        if !found.contains(&event_type.as_str()) {
            found.push(event_type.as_str());
        }
    }
    found
}

/// The rules of a form as a table, in their order, and the types that it ignores.
pub(super) fn events(form: &Form) -> String {
    let mut text = format!("The type is {}. ", types(form));
    if !form.requires.is_empty() {
        let requires = conditions(&form.requires);
        text.push_str(&format!("Every message must meet the condition that {requires}; any other is a dead letter. "));
    }
    if form.any_case {
        text.push_str("It is read in lower case. ");
    }
    if let Some(split) = &form.split {
        text.push_str(&format!("Each element of a list at {} is a message of its own. ", code(&split.to_string())));
    }
    if !form.recurs.is_empty() {
        text.push_str(&format!(
            "States recur: the same bytes count again after others with the same {}. ",
            places(&form.recurs, " and ")
        ));
    }
    if !form.object.is_empty() {
        text.push_str(&format!(
            "`./` points into {}; if that is absent, into the message. ",
            places(&form.object, " or ")
        ));
    }
    let mut tables = Tables::default();
    if form.rules.iter().all(|rule| rule.ignore) {
        text.push_str("No type is mapped: define the meaning of the messages in a copy of the profile.\n");
    } else {
        text.push_str("The first row that fits applies. A type that is not listed is ignored.\n\n");
        text.push_str("| Type | Where | Record | Means |\n|---|---|---|---|\n");
        form.rules.iter().filter(|rule| !rule.ignore).for_each(|rule| text.push_str(&row(form, rule, &mut tables)));
    }
    let ignored: Vec<String> = form.rules.iter().filter(|rule| rule.ignore).map(ignored).collect();
    if !ignored.is_empty() {
        text.push_str(&format!("\nKnown types without effect: {}.\n", ignored.join("; ")));
    }
    for (index, table) in tables.0.iter().enumerate() {
        text.push_str(&format!("\nTable {}:\n\n| | The PSP's words |\n|---|---|\n", index + 1));
        table.iter().for_each(|(ours, theirs)| text.push_str(&format!("| {ours} | {} |\n", cell(&codes(theirs)))));
    }
    text
}

/// The places of the type, part by part.
fn types(form: &Form) -> String {
    let parts = form.event_type.iter().map(|part| places(part.as_slice(), " or "));
    parts.collect::<Vec<_>>().join(", then ")
}

fn ignored(rule: &EventRule) -> String {
    let mut text = codes(rule.event_type.as_slice());
    if !rule.when.is_empty() {
        text.push_str(&format!(" where {}", conditions(&rule.when)));
    }
    if let Some(note) = &rule.note {
        text.push_str(&format!(" ({})", note.trim().trim_end_matches('.')));
    }
    text
}

fn row(form: &Form, rule: &EventRule, tables: &mut Tables) -> String {
    let types: Vec<_> = rule.event_type.as_slice().iter().map(|event_type| code(event_type)).collect();
    let kinds: Vec<_> = rule.kind.as_slice().iter().map(|kind| kind.name()).collect();
    let means = means(form, rule, tables).join("; ");
    let (types, when) = (cell(&types.join("<br>")), cell(&conditions(&rule.when)));
    format!("| {types} | {when} | {} | {} |\n", kinds.join(" or "), cell(&means))
}

fn means(form: &Form, rule: &EventRule, tables: &mut Tables) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(each) = &rule.each {
        said.push(format!("for each of {}", code(&each.to_string())));
    }
    said.extend(
        rule.status
            .as_ref()
            .map(|status| format!("status {}", fixed(status, tables, |status| status.name().to_owned()))),
    );
    if may_only_reserve(rule) {
        said.push("a payment is Pending until its money is booked".to_owned());
    }
    said.extend(rule.error.as_ref().and_then(|rule| error(rule, tables)));
    let money = [("reserves", &rule.authorized), ("reserved until", &rule.expires_at), ("gives back", &rule.refunded)];
    said.extend(
        money.into_iter().filter_map(|(word, found)| Some(format!("{word} {}", places(found.as_ref()?, " or ")))),
    );
    if rule.remainder {
        said.push("only the rest of a reservation that a partial capture released: no money is given back".to_owned());
    }
    if rule.as_cancellation {
        said.push("carried out as a cancellation of the payment: no booked money is given back".to_owned());
    }
    said.extend(rule.release.as_ref().map(released));
    said.extend(rule.items.iter().map(|item| booked(item, rule, tables)));
    said.extend(rule.totals.iter().map(total));
    said.extend(rule.chargeback.as_ref().map(|rule| chargeback(rule, tables)));
    said.extend(rule.statement.as_ref().map(|rule| statement(rule, tables)));
    if !rule.bearer.is_empty() {
        said.push(format!("bearer data {}", codes(&rule.bearer.keys().collect::<Vec<_>>())));
    }
    said.extend(relatives(form, rule));
    let order = [
        (rule.late, "outranks every other state of the same second"),
        (rule.gives_way, "gives way to any other state, even an older one"),
        (rule.yields_to_success, "yields to a success of the same attempt, even an older one"),
        (rule.companion, "waits for its record in silence"),
        (rule.amends, "an amendment, which Transform is told of once"),
        (rule.never_revives, "never revives what has ended"),
        (rule.goes_on, "the rows below read the message too"),
        (rule.unsigned_amounts, "the sign of amounts is ignored"),
    ];
    said.extend(order.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words.to_owned()));
    if rule.reference.as_ref().is_some_and(|own| *own != form.defaults.reference) {
        let reference = rule.reference.as_deref().unwrap_or_default();
        if !reference.is_empty() {
            said.push(format!("the Transform id may be at {}", places(reference, " or ")));
        }
    }
    said.extend(rule.note.as_ref().map(|note| note.trim().to_owned()));
    said
}

/// The ids that lead from the event to other things than its own record.
fn relatives(form: &Form, rule: &EventRule) -> Vec<String> {
    let (originals, payments) = (&form.defaults.originals, &form.defaults.payment_ids);
    let ids = [
        ("changes the original", rule.originals.as_ref().unwrap_or(originals)),
        ("of the payment", rule.payment_ids.as_ref().unwrap_or(payments)),
        ("of the customer", &rule.customers),
    ];
    let ids = ids.into_iter().filter(|(_, found)| !found.is_empty());
    ids.map(|(word, found)| format!("{word} {}", places(found, " or "))).collect()
}

/// Whether [`crate::domain::event::Event::status_of`] takes the events of this rule for a reservation.
fn may_only_reserve(rule: &EventRule) -> bool {
    let succeeds = match &rule.status {
        Some(Fixed::Fixed(status)) => *status == Status::Succeeded,
        Some(Fixed::Mapped(mapped)) => mapped.map.iter().any(|(_, status)| *status == Status::Succeeded),
        None => false,
    };
    succeeds
        && rule.items.is_empty()
        && [Kind::Preauth, Kind::Payment].iter().all(|kind| rule.kind.as_slice().contains(kind))
}

/// A fixed word of ours, or the PSP's words for each of ours.
fn fixed<T: Copy>(value: &Fixed<T>, tables: &mut Tables, name: impl Fn(T) -> String) -> String {
    match value {
        Fixed::Fixed(value) => name(*value),
        Fixed::Mapped(mapped) => mapping(mapped, tables, name),
    }
}

/// A map in reverse: each word of ours with the PSP's words for it, or the number of its table.
fn mapping<T: Copy>(mapped: &Mapped<T>, tables: &mut Tables, name: impl Fn(T) -> String) -> String {
    let mut turned: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (theirs, ours) in mapped.map.iter() {
        turned.entry(name(*ours)).or_default().push(theirs.clone());
    }
    let from = places(&mapped.from, " or ");
    if mapped.map.iter().count() <= WORDS_MAX {
        let words = turned.iter().map(|(ours, theirs)| format!("{ours} ({})", codes(theirs)));
        return format!("by {from}: {}", words.collect::<Vec<_>>().join(", "));
    }
    let known = tables.0.iter().position(|table| *table == turned).unwrap_or(tables.0.len());
    if known == tables.0.len() {
        tables.0.push(turned);
    }
    format!("by {from} as in table {}", known + 1)
}

fn error(rule: &ErrorRule, tables: &mut Tables) -> Option<String> {
    let code = rule.code.as_ref().map(|mapped| mapping(mapped, tables, |code: ErrorCode| format!("{code:?}")));
    let code = code.map(|code| format!("error {code}"));
    let mut own: Vec<Place> = Vec::new();
    for place in rule.psp_code.iter().chain(&rule.message) {
        if !own.contains(place) {
            own.push(place.clone());
        }
    }
    let own = (!own.is_empty()).then(|| format!("the PSP's reason at {}", places(&own, ", ")));
    let both: Vec<String> = code.into_iter().chain(own).collect();
    let when = conditions(&rule.when);
    let when = if when.is_empty() { when } else { format!("where {when}, ") };
    (!both.is_empty()).then(|| format!("{when}{}", both.join(", ")))
}

const fn booking(booking: Booking) -> &'static str {
    match booking {
        Booking::Open => "announced",
        Booking::Booked => "booked",
        Booking::Reversed => "taken back",
    }
}

fn booked(item: &ItemRule, rule: &EventRule, tables: &mut Tables) -> String {
    let how = match (&item.booking, &rule.status) {
        (Some(from), _) => fixed(from, tables, |one| booking(one).to_owned()),
        (None, Some(Fixed::Fixed(Status::Succeeded))) => booking(Booking::Booked).to_owned(),
        (None, Some(Fixed::Fixed(status))) if status.has_ended() => booking(Booking::Reversed).to_owned(),
        (None, Some(Fixed::Fixed(_))) => booking(Booking::Open).to_owned(),
        (None, _) => "booked when Succeeded, taken back when Failed, Cancelled or Expired".to_owned(),
    };
    let amount = if item.amount.is_empty() { "money".to_owned() } else { places(&item.amount, " or ") };
    let surcharge = places(&item.surcharge, " or ");
    let amount = if surcharge.is_empty() { amount } else { format!("{amount} and {surcharge}") };
    let completes = conditions(&item.completes);
    let completes =
        if completes.is_empty() { completes } else { format!("; it completes the payment where {completes}") };
    let each = item.each.as_ref().map(|each| format!(" for each of {}", code(&each.to_string()))).unwrap_or_default();
    let when = conditions(&item.when);
    let when = if when.is_empty() { when } else { format!(" where {when}") };
    format!("{amount}{each}{when}: {how}, as item {}{completes}", places(&item.id, " or "))
}

fn statement(rule: &StatementRule, tables: &mut Tables) -> String {
    let [account, asked, missing] = [&rule.account, &rule.asked, &rule.missing].map(|found| places(found, " or "));
    let reason = rule.reason.as_ref().map(|mapped| {
        let named = |reason: ChargebackReason| format!("{reason:?}");
        format!(", reason {}", mapping(mapped, tables, named))
    });
    let returned = if rule.returned { "; what is gone is a chargeback" } else { "" };
    format!("states account {account}: asked {asked}, missing {missing}{returned}{}", reason.unwrap_or_default())
}

fn released(rule: &ReleaseRule) -> String {
    let amount = if rule.amount.is_empty() {
        "all that is left".to_owned()
    } else {
        places(&rule.amount, " or all that is left, ")
    };
    format!(
        "releases {amount} of a reservation, as {}: the status counts once nothing is left",
        places(&rule.id, " or ")
    )
}

fn total(rule: &TotalRule) -> String {
    let of = match rule.of {
        TotalOf::Items => "bookings",
        TotalOf::Refunds => "refunds",
    };
    let less = rule.released.as_ref().map(|rest| {
        let (reserved, captured) = (places(&rest.reserved, " or "), places(&rest.captured, " or "));
        format!(", less what of {reserved} is not in {captured}")
    });
    format!(
        "{}{}: the total of all {of} of {}; what it has above those that are known counts as one more",
        places(&rule.amount, " or "),
        less.unwrap_or_default(),
        places(&rule.id, " or ")
    )
}

fn movement(rule: &MovementRule) -> String {
    let each = rule.each.as_ref().map(|each| format!(" for each of {}", code(&each.to_string()))).unwrap_or_default();
    let when = conditions(&rule.when);
    let when = if when.is_empty() { when } else { format!(" where {when}") };
    let direction = match rule.direction {
        Direction::Signed => "taken if negative, else given back",
        Direction::Taken => "taken",
        Direction::GivenBack => "given back",
    };
    let fee = if rule.fee.is_empty() { String::new() } else { format!(", fee {}", places(&rule.fee, " or ")) };
    format!(", moved {}{each}{when}: {direction}{fee}, as {}", places(&rule.amount, " or "), places(&rule.id, " or "))
}

fn chargeback(rule: &ChargebackRule, tables: &mut Tables) -> String {
    let amount = if rule.amount.is_empty() { String::new() } else { format!(" of {}", places(&rule.amount, " or ")) };
    let booked = fixed(&rule.booking, tables, |one| booking(one).to_owned());
    let elsewhere = if rule.amount_elsewhere { " (or as another event of the dispute names it)" } else { "" };
    let reason = rule.reason.as_ref().map(|mapped| {
        let named = |reason: ChargebackReason| format!("{reason:?}");
        format!(", reason {}", mapping(mapped, tables, named))
    });
    let of = if rule.of.is_empty() { String::new() } else { format!(" of booking {}", places(&rule.of, " or ")) };
    let moved: String = rule.movements.iter().map(movement).collect();
    format!(
        "chargeback{amount}{elsewhere}{of}: {booked}, as {}{}{moved}",
        places(&rule.id, " or "),
        reason.unwrap_or_default()
    )
}
