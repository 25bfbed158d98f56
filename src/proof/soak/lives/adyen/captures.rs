//! The captures of a preauthorization at Adyen: one payment, or several, each registered by its own id.

use super::afterwards::{Capture, afterwards, chargeback};
use super::dealing::Dealing;
use super::refund;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::Expected;
use crate::proof::soak::lives::life::Fate;
use crate::proof::soak::lives::making::{KnownBy, Making};

fn payment(making: &mut Making, dealing: &Dealing, preauth: &Expected, requested: i64) -> Expected {
    let mut payment = making.expected(Kind::Payment, Some(dealing.currency), requested);
    payment.parent = Some(preauth.id.clone());
    payment
}

/// Captures that all belong to one payment.
pub(super) fn one(making: &mut Making, dealing: &Dealing, preauth: &mut Expected) {
    making.chapter("reserved and captured");
    let mut payment = payment(making, dealing, preauth, dealing.amount);
    let (first, second) = (making.id("PSPC"), making.id("PSPC"));
    if KnownBy::any(&mut making.chance).id() {
        payment.registered_psp_id = Some(first.clone());
    }
    making.registers(&payment);
    let part = if making.chance.one_in(3) { making.chance.within(1, dealing.amount) } else { dealing.amount };
    dealing.captured(making, &mut payment, &first, part);
    match making.chance.within(0, 3) {
        0 => {
            making.chapter("in vain");
            dealing.capture_fails(making, &mut payment, &first, part);
            if making.chance.one_in(2) {
                making.chapter("and again");
                dealing.captured(making, &mut payment, &second, dealing.amount);
            }
        }
        1 if part < dealing.amount => {
            making.chapter("in two parts");
            dealing.captured(making, &mut payment, &second, dealing.amount - part);
            afterwards(making, dealing, &mut payment, &Capture::captured(dealing.amount, &first));
        }
        _ => afterwards(making, dealing, &mut payment, &Capture::captured(part, &first)),
    }
    preauth.captured += payment.paid();
    making.knows(&payment);
}

/// Two captures, each a payment of its own.
pub(super) fn several(making: &mut Making, dealing: &Dealing, preauth: &mut Expected) {
    making.chapter("captured by two payments");
    let part = making.chance.within(1, dealing.amount - 1);
    let mut payments = Vec::new();
    for amount in [part, dealing.amount - part] {
        let mut payment = payment(making, dealing, preauth, amount);
        let capture = making.id("PSPC");
        payment.registered_psp_id = Some(capture.clone());
        making.registers(&payment);
        let order = "an-order-of-the-merchant".to_owned();
        let merchant = if making.chance.one_in(2) { order } else { payment.id.clone() };
        dealing.captured_for(making, &mut payment, (&capture, &merchant), amount);
        payments.push((payment, capture, amount));
    }
    for (payment, capture, amount) in &mut payments {
        if making.chance.one_in(4) {
            making.chapter("one of them in vain");
            dealing.capture_fails(making, payment, capture, *amount);
        } else if making.chance.one_in(2) {
            refund::registered(making, dealing, payment, 1);
        }
        if making.chance.one_in(3) {
            let after = Capture { paid: *amount, capture: Some(capture.clone()), has_others: true };
            chargeback(making, dealing, payment, &after);
        }
    }
    for (payment, _, amount) in &mut payments {
        if making.chance.one_in(4) {
            making.chapter("charged back, and nobody knows of which");
            let (at, id) = (making.later(), making.id("PSPD"));
            let unclear = dealing.modification("CHARGEBACK", at, &id, &dealing.merchant, *amount).body();
            making.tells_as(None, payment, unclear, Fate::DeadLetter);
        }
        if making.chance.one_in(4) {
            making.chapter("refunded, and nobody knows of which");
            let (at, id) = (making.later(), making.id("PSPR"));
            let unclear = dealing.modification("REFUND", at, &id, &dealing.merchant, *amount).body();
            making.tells_as(None, payment, unclear, Fate::DeadLetter);
        }
        preauth.captured += payment.paid();
        making.knows(payment);
    }
}
