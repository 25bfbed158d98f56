//! Lives at Stripe: payment intents, charges, refunds, disputes, setup intents.

mod afterwards;
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
            intent.pays(making, &mut payment, "charge.succeeded", amount);
            afterwards(making, &intent, &mut payment, amount);
        }
    }
    making.knows(&payment);
}

/// A preauthorization and maybe its capture: one intent, two records.
fn manual(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.expected(Kind::Preauth, Some(currency), amount);
    // The two records share the PSP's id: both are registered with it.
    let known_by = if making.chance.one_in(2) { KnownBy::Id } else { KnownBy::Both };
    let intent = Intent::new(making, &mut preauth, known_by, true);
    making.registers(&preauth);
    intent.begins(making, &mut preauth);
    if making.chance.one_in(8) {
        making.chapter("never reserved");
        intent.fails(making, &mut preauth);
        return making.knows(&preauth);
    }
    reserved(making, &intent, &mut preauth);
    match making.chance.within(0, 5) {
        0 => making.chapter("reserved"),
        1 => {
            making.chapter("reserved and released");
            intent.ends(making, &mut preauth);
        }
        2 => {
            making.chapter("reserved and expired");
            let at = making.later();
            preauth.says(at, "Expired", &intent.id);
            intent.tell(making, &preauth, "charge.expired", at, intent.charge("succeeded", false, 0));
        }
        _ => {
            making.chapter("reserved and captured");
            let part = if making.chance.one_in(3) { making.chance.within(1, amount) } else { amount };
            let requested = if making.chance.one_in(4) { amount } else { part };
            let mut payment = making.expected(Kind::Payment, Some(currency), requested);
            payment.registered_psp_id = Some(intent.id.clone());
            payment.parent = Some(preauth.id.clone());
            making.registers(&payment);
            making.later();
            intent.pays(making, &mut payment, "charge.captured", part);
            afterwards(making, &intent, &mut payment, part);
            making.knows(&payment);
        }
    }
    making.knows(&preauth);
}

fn reserved(making: &mut Making, intent: &Intent, preauth: &mut Expected) {
    let at = making.perhaps_later();
    let mut charge = intent.charge("succeeded", false, 0);
    if making.chance.one_in(2) {
        let until = at + jiff::SignedDuration::from_hours(168);
        charge["payment_method_details"]["card"]["capture_before"] = until.as_second().into();
        preauth.expires_at = Some(until);
    }
    intent.tell(making, preauth, "charge.succeeded", at, charge);
    preauth.shows_bearer(&CARD);
    let at = making.perhaps_later();
    preauth.says(at, "Succeeded", &intent.id);
    preauth.reserves(intent.amount);
    let object = intent.object("requires_capture", 0);
    intent.tell(making, preauth, "payment_intent.amount_capturable_updated", at, object);
}
