//! Check of a rule as a whole.

use super::place::check_read;
use crate::domain::ids::Kind;
use crate::domain::status::Status;
use crate::psp::document::place::Place;
use crate::psp::document::pointer::{Each, Root};
use crate::psp::profile::{
    ChargebackRule, EventRule, Fixed, Form, ItemRule, Mapped, MovementRule, StatementRule, TotalRule,
};

pub(super) fn check_rule(form: &Form, rule: &EventRule) -> Result<(), String> {
    if rule.event_type.as_slice().is_empty() {
        return Err("type: needs at least one".to_owned());
    }
    for place in places(rule) {
        check_read(form, place)?;
    }
    let parts = rule.items.iter().map(|item| &item.when).chain(movements(rule).map(|movement| &movement.when));
    let parts = parts.chain(rule.error.iter().map(|error| &error.when));
    let mut conditions = rule.when.keys().chain(parts.flat_map(|when| when.keys()));
    if let Some(place) = conditions.find(|place| matches!(place, Place::Joined(_))) {
        return Err(format!("when: {place} is several places; name each of them"));
    }
    let parts = rule.items.iter().map(|item| &item.each).chain(movements(rule).map(|movement| &movement.each));
    for each in rule.each.iter().chain(parts.flatten()) {
        check_each(form, rule, each)?;
    }
    let statuses: Vec<_> = match &rule.status {
        Some(Fixed::Fixed(status)) => vec![*status],
        Some(Fixed::Mapped(mapped)) => mapped.map.iter().map(|(_, status)| *status).collect(),
        None => Vec::new(),
    };
    if rule.ignore {
        return check_ignored(rule);
    }
    check_kinds(rule, &statuses)?;
    check_says_something(form, rule, &statuses)
}

fn check_kinds(rule: &EventRule, statuses: &[Status]) -> Result<(), String> {
    let kinds = rule.kind.as_slice();
    if kinds.is_empty() {
        return Err("kind: needs at least one".to_owned());
    }
    for (status, kind) in statuses.iter().flat_map(|status| kinds.iter().map(move |kind| (status, kind))) {
        if !status.fits(*kind) {
            return Err(format!("status: no {kind} is ever {}", status.name()));
        }
    }
    let fields = [
        ("authorized", rule.authorized.is_some(), Kind::Preauth),
        ("customers", !rule.customers.is_empty(), Kind::Agreement),
        ("release", rule.release.is_some(), Kind::Preauth),
        ("expires_at", rule.expires_at.is_some(), Kind::Preauth),
        ("refunded", rule.refunded.is_some(), Kind::Refund),
        ("remainder", rule.remainder, Kind::Refund),
        ("as_cancellation", rule.as_cancellation, Kind::Refund),
        ("amends", rule.amends, Kind::Agreement),
        ("item", !rule.items.is_empty(), Kind::Payment),
        ("total", !rule.totals.is_empty(), Kind::Payment),
        ("chargeback", rule.chargeback.is_some(), Kind::Payment),
        ("statement", rule.statement.is_some(), Kind::Payment),
    ];
    match fields.into_iter().find(|(_, said, kind)| *said && !kinds.contains(kind)) {
        Some((field, _, kind)) => Err(format!("{field}: only events of kind {kind} have it")),
        None => Ok(()),
    }
}

fn check_each(form: &Form, rule: &EventRule, each: &Each) -> Result<(), String> {
    match each.root {
        Root::Fetched if form.fetch.is_none() => Err("each: fetched:/ needs a [notification.fetch]".to_owned()),
        Root::Message if form.pointer_only => {
            Err("each: the rules of a pointer_only notification cannot read it; start at fetched:/".to_owned())
        }
        Root::Element if form.object.is_empty() && rule.each.as_ref().is_none_or(|own| own == each) => {
            Err("each: ./ needs an element to start at: the form's object, or the rule's each".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_ignored(rule: &EventRule) -> Result<(), String> {
    let says_more = !rule.kind.as_slice().is_empty() || rule.goes_on || rule.each.is_some() || has_facts(rule);
    if says_more { Err("ignore: a rule that ignores messages must say nothing else".to_owned()) } else { Ok(()) }
}

fn has_facts(rule: &EventRule) -> bool {
    rule.status.is_some()
        || rule.authorized.is_some()
        || rule.expires_at.is_some()
        || rule.refunded.is_some()
        || rule.remainder
        || rule.as_cancellation
        || rule.amends
        || !rule.items.is_empty()
        || !rule.totals.is_empty()
        || rule.chargeback.is_some()
        || rule.statement.is_some()
        || !rule.bearer.is_empty()
}

fn check_says_something(form: &Form, rule: &EventRule, statuses: &[Status]) -> Result<(), String> {
    let ids = [
        rule.ids.as_ref().unwrap_or(&form.defaults.ids),
        rule.shared_ids.as_ref().unwrap_or(&form.defaults.shared_ids),
        rule.originals.as_ref().unwrap_or(&form.defaults.originals),
        rule.payment_ids.as_ref().unwrap_or(&form.defaults.payment_ids),
        rule.reference.as_ref().unwrap_or(&form.defaults.reference),
    ];
    if ids.iter().all(|places| places.is_empty()) && rule.customers.is_empty() {
        return Err(
            "ids: nothing leads from this event to a record; ids, shared_ids, originals, payment_ids or reference is \
             needed"
                .to_owned(),
        );
    }
    if rule.statement.is_some() && !(rule.items.is_empty() && rule.chargeback.is_none()) {
        return Err("statement: an account is not told of by items or chargebacks as well".to_owned());
    }
    if rule.release.is_some() && rule.status.is_none() {
        return Err("release: needs a status, which counts once nothing is left".to_owned());
    }
    if !has_facts(rule) || (rule.status.is_some() && statuses.is_empty()) {
        return Err("the rule says nothing of its record: give it a status or an amount, or leave it out".to_owned());
    }
    if rule.items.iter().any(|item| item.booking.is_none()) && rule.status.is_none() {
        return Err("item.booking: is needed, since the rule has no status".to_owned());
    }
    if rule.error.is_some() && !statuses.iter().any(|status| status.has_ended() || status.name() == "Inactive") {
        return Err("error: must be left out, since no status of the rule ends a record".to_owned());
    }
    Ok(())
}

/// All places that a rule reads.
pub(super) fn places(rule: &EventRule) -> Vec<&Place> {
    let mut all: Vec<&Place> = rule.when.keys().chain(&rule.exponent).chain(&rule.customers).collect();
    let ids = [&rule.ids, &rule.shared_ids, &rule.originals, &rule.payment_ids, &rule.reference];
    let lists = ids.into_iter().chain([&rule.at, &rule.currency]);
    let amounts = [&rule.authorized, &rule.expires_at, &rule.refunded];
    all.extend(lists.chain(amounts).flatten().flatten());
    all.extend(rule.release.iter().flat_map(|release| release.id.iter().chain(&release.amount)));
    all.extend(from(rule.status.as_ref()));
    if let Some(error) = &rule.error {
        all.extend(error.when.keys().chain(&error.psp_code).chain(&error.message));
        all.extend(mapped(error.code.as_ref()));
    }
    rule.items.iter().for_each(|item| item_places(item, &mut all));
    rule.totals.iter().for_each(|total| total_places(total, &mut all));
    if let Some(chargeback) = &rule.chargeback {
        chargeback_places(chargeback, &mut all);
    }
    movements(rule).for_each(|movement| movement_places(movement, &mut all));
    rule.statement.iter().for_each(|statement| statement_places(statement, &mut all));
    all.extend(rule.bearer.values().flatten());
    all
}

fn item_places<'a>(item: &'a ItemRule, all: &mut Vec<&'a Place>) {
    all.extend(item.when.keys().chain(item.completes.keys()));
    all.extend(item.id.iter().chain(&item.amount).chain(&item.surcharge).chain(&item.at).chain(&item.description));
    all.extend(from(item.booking.as_ref()));
}

fn total_places<'a>(total: &'a TotalRule, all: &mut Vec<&'a Place>) {
    all.extend(total.id.iter().chain(&total.amount));
    all.extend(total.released.iter().flat_map(|released| released.reserved.iter().chain(&released.captured)));
}

fn chargeback_places<'a>(chargeback: &'a ChargebackRule, all: &mut Vec<&'a Place>) {
    all.extend(chargeback.id.iter().chain(&chargeback.amount).chain(&chargeback.at).chain(&chargeback.fee));
    all.extend(chargeback.fee_currency.iter().chain(&chargeback.psp_code).chain(&chargeback.psp_message));
    all.extend(&chargeback.of);
    all.extend(from(Some(&chargeback.booking)));
    all.extend(mapped(chargeback.reason.as_ref()));
}

fn movement_places<'a>(movement: &'a MovementRule, all: &mut Vec<&'a Place>) {
    all.extend(movement.when.keys());
    all.extend(movement.id.iter().chain(&movement.amount).chain(&movement.at).chain(&movement.fee));
    all.extend(&movement.currency);
}

fn statement_places<'a>(statement: &'a StatementRule, all: &mut Vec<&'a Place>) {
    all.extend(statement.account.iter().chain(&statement.asked).chain(&statement.missing));
    all.extend(statement.psp_code.iter().chain(&statement.psp_message));
    all.extend(mapped(statement.reason.as_ref()));
}

/// The movements of the rule's chargeback.
pub(super) fn movements(rule: &EventRule) -> impl Iterator<Item = &MovementRule> {
    rule.chargeback.iter().flat_map(|chargeback| &chargeback.movements)
}

fn from<T>(value: Option<&Fixed<T>>) -> &[Place] {
    match value {
        Some(Fixed::Mapped(mapped)) => &mapped.from,
        Some(Fixed::Fixed(_)) | None => &[],
    }
}

fn mapped<T>(value: Option<&Mapped<T>>) -> &[Place] {
    value.map_or(&[], |mapped| &mapped.from)
}

#[cfg(test)]
mod tests {
    use crate::psp::profile::Profile;

    fn read(rule: &str) -> Result<Profile, String> {
        let form = r#"
            name = "x"
            title = "X"
            amounts = "minor"
            [[notification]]
            name = "event"
            type = ["/type"]
            [[notification.signature]]
            algorithm = "hmac-sha256"
            signed = ["body"]
            encoding = "hex"
            found = { header = "Signature" }
            [[notification.event]]
            type = "t"
            kind = "payment"
            status = "Pending"
        "#;
        Profile::read(&format!("{form}{rule}")).map_err(|error| error.reason)
    }

    #[test]
    fn a_word_that_is_unknown_is_told_from_what_it_may_be() {
        for (rule, reason) in [
            (
                "[[notification.event]]\ntype = \"u\"\nkind = \"pay\"",
                "must be a text or word that is known here, or a list",
            ),
            (
                "[[notification.event]]\ntype = \"u\"\nkind = \"payment\"\nstatus = \"Paid\"",
                "must be a word that is known",
            ),
            ("when = { \"/a\" = { is = \"b\" } }", "must be a text, a list of texts, { not = … }"),
            (
                "error = { code = { from = [\"/a\"], map = { a = \"Bad\" } } }",
                "must be a table with words that are known",
            ),
        ] {
            let found = read(rule).unwrap_err();
            assert!(found.starts_with(reason), "{rule}: {found}");
        }
    }

    #[test]
    fn joined_places_are_checked_one_by_one() {
        assert!(read(r#"ids = ["join:{/a}-{/b}"]"#).is_ok());
        for (rule, reason) in [
            (r#"ids = ["join:{/a}-{secret}"]"#, "secret cannot be read by a rule"),
            (r#"ids = ["join:{/a}-{fetched:/b}"]"#, "fetched:/b: there is no fetch"),
            (
                r#"ids = ["/a"]
                when = { "join:{/a}-{/b}" = "1-2" }"#,
                "when: join:{/a}-{/b} is several places",
            ),
            (
                r#"ids = ["/a"]
                error = { when = { "join:{/a}-{/b}" = "1-2" } }"#,
                "when: join:{/a}-{/b} is several places",
            ),
            (
                r#"ids = ["/a"]
                error = { when = { "secret" = "1" } }"#,
                "secret cannot be read by a rule",
            ),
            (
                r#"ids = ["/a"]
                error = { psp_code = ["/b"] }"#,
                "error: must be left out, since no status of the rule ends a record",
            ),
        ] {
            let found = read(rule).unwrap_err();
            assert!(found.starts_with(reason), "{rule}: {found}");
        }
    }
}
