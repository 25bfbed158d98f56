//! Lives at Stripe: payment intents, charges, refunds, disputes, setup intents.

mod afterwards;
mod dispute;
mod intent;
mod setup;

use self::afterwards::afterwards;
use self::intent::{CARD, Intent};
use super::expected::Expected;
use super::making::{KnownBy, Making};
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => direct(making),
        5..=7 => manual(making),
        8 if making.chance.one_in(2) => stored(making),
        _ => setup::setup(making),
    }
}

/// A payment that is captured at once.
fn direct(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    let known_by = KnownBy::any(&mut making.chance);
    let intent = Intent::new(making, &mut payment, known_by, false);
    making.registers(&payment);
    intent.begins(making, &mut payment);
    match making.chance.within(0, 9) {
        0 => {
            making.chapter("never paid");
            intent.fails(making, &mut payment);
        }
        1 => {
            making.chapter("given up");
            intent.ends(making, &mut payment);
        }
        2 => {
            making.chapter("bounced");
            intent.pays(making, &mut payment, "charge.succeeded", amount);
            intent.fails(making, &mut payment);
        }
        _ => {
            making.chapter("paid");
            if making.chance.one_in(3) {
                let at = making.later();
                payment.says(at, "Pending", &intent.id);
                intent.tell(making, &payment, "payment_intent.processing", at, intent.object("processing", 0));
            }
            intent.beside(making, &mut payment);
            intent.pays(making, &mut payment, "charge.succeeded", amount);
            if intent.reference.is_some() && making.chance.one_in(5) {
                making.chapter("twice");
                making.later();
                intent.another(making, amount).pays(making, &mut payment, "charge.succeeded", amount);
            }
            intent.beside(making, &mut payment);
            afterwards(making, &intent, &mut payment, amount);
        }
    }
    making.knows(&payment);
}

/// A first payment that stores its payment method for an agreement.
fn stored(making: &mut Making) {
    making.chapter("first payment of an agreement");
    let (currency, method) = (making.currency(), making.id("pm_"));
    let amount = currency.amount(&mut making.chance);
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    // Transform is not told of the payment when only its agreement's payment data change.
    agreement.bearer.clear();
    agreement.registered_psp_id = making.chance.one_in(2).then(|| method.clone());
    making.registers(&agreement);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    payment.agreement = Some(agreement.id.clone());
    let known_by = KnownBy::any(&mut making.chance);
    let intent = Intent { stores: Some(method.clone()), ..Intent::new(making, &mut payment, known_by, false) };
    making.registers(&payment);
    intent.begins(making, &mut payment);
    intent.pays(making, &mut payment, "charge.succeeded", amount);
    agreement.tries(&method);
    if let Some(booking) = payment.bookings.get(&intent.id) {
        agreement.says(booking.at, "Active", &method);
    }
    if making.chance.one_in(3) {
        setup::detached(making, &mut agreement, &method);
    }
    afterwards(making, &intent, &mut payment, amount);
    making.knows(&agreement);
    making.knows(&payment);
}

/// A preauthorization and maybe its capture: one intent, two records.
fn manual(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.expected(Kind::Preauth, Some(currency), amount);
    // The two records share the PSP's id: both are registered with it.
    let known_by = if making.chance.one_in(2) { KnownBy::Id } else { KnownBy::Both };
    let mut intent = Intent::new(making, &mut preauth, known_by, true);
    making.registers(&preauth);
    let parts = known_by.reference() && amount > 1 && making.chance.one_in(3);
    if parts {
        intent.amount = making.chance.within(1, amount - 1);
    }
    intent.begins(making, &mut preauth);
    if making.chance.one_in(8) {
        making.chapter("never reserved");
        intent.fails(making, &mut preauth);
        return making.knows(&preauth);
    }
    reserved(making, &intent, &mut preauth);
    intent.beside(making, &mut preauth);
    if parts {
        making.chapter("in two parts");
        let rest = intent.another(making, amount - intent.amount);
        making.later();
        reserved(making, &rest, &mut preauth);
        match making.chance.within(0, 3) {
            0 => {
                making.chapter("of which one is cancelled");
                rest.ends(making, &mut preauth);
            }
            1 => {
                making.chapter("of which one is cancelled");
                intent.ends(making, &mut preauth);
                intent = rest;
            }
            2 => {
                making.chapter("both captured");
                captured(making, &rest, &mut preauth);
            }
            _ => {}
        }
    }
    match making.chance.within(0, 5) {
        0 => making.chapter("reserved"),
        1 => {
            making.chapter("reserved and released");
            intent.ends(making, &mut preauth);
        }
        2 => {
            making.chapter("reserved and expired");
            let at = making.later();
            preauth.tries(&intent.id);
            preauth.says(at, "Expired", &intent.id);
            intent.tell(making, &preauth, "charge.expired", at, intent.charge("succeeded", false, 0));
        }
        _ => {
            making.chapter("reserved and captured");
            captured(making, &intent, &mut preauth);
        }
    }
    making.knows(&preauth);
}

/// Captures a reservation, or a part of it, by a payment that is registered with the intent's id.
fn captured(making: &mut Making, intent: &Intent, preauth: &mut Expected) {
    let part = if making.chance.one_in(3) { making.chance.within(1, intent.amount) } else { intent.amount };
    let requested = if making.chance.one_in(4) { intent.amount } else { part };
    let mut payment = making.expected(Kind::Payment, Some(intent.currency), requested);
    payment.registered_psp_id = Some(intent.id.clone());
    payment.parent = Some(preauth.id.clone());
    making.registers(&payment);
    making.later();
    intent.pays(making, &mut payment, "charge.captured", part);
    afterwards(making, intent, &mut payment, part);
    preauth.captured += payment.paid();
    making.knows(&payment);
}

fn reserved(making: &mut Making, intent: &Intent, preauth: &mut Expected) {
    let at = making.perhaps_later();
    preauth.tries(&intent.id);
    let mut charge = intent.charge("succeeded", false, 0);
    if making.chance.one_in(2) {
        let until = at + jiff::SignedDuration::from_hours(168);
        charge["payment_method_details"]["card"]["capture_before"] = until.as_second().into();
        preauth.reserves_until(until);
    }
    intent.tell(making, preauth, "charge.succeeded", at, charge);
    preauth.shows_bearer(&CARD);
    let at = making.perhaps_later();
    preauth.says(at, "Succeeded", &intent.id);
    preauth.reserves(intent.amount);
    let object = intent.object("requires_capture", 0);
    intent.tell(making, preauth, "payment_intent.amount_capturable_updated", at, object);
}
