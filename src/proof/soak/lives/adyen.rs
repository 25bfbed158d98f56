//! Lives at Adyen: authorisations, modifications, chargebacks, tokens.

mod afterwards;
mod captures;
mod dealing;
mod item;
mod refund;
mod token;

use self::afterwards::{Capture, afterwards};
use self::dealing::Dealing;
use self::item::Item;
use super::life::Fate;
use super::making::Making;
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => direct(making),
        5..=8 => reserved(making),
        _ if making.chance.one_in(2) => token::token(making),
        _ => token::first_payment(making),
    }
}

/// A payment without a preauthorization, captured at once or by hand.
fn direct(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    let mut dealing = Dealing::new(making, &mut payment);
    making.registers(&payment);
    let refusals = making.chance.pick(&[0, 0, 1, 2]);
    dealing.refused(making, &mut payment, refusals);
    if making.chance.one_in(8) {
        making.chapter("never paid");
        dealing.refused(making, &mut payment, 1);
        return making.knows(&payment);
    }
    dealing.authorised(making, &mut payment);
    // These attempts say nothing against the one that has succeeded.
    let late = making.chance.pick(&[0, 0, 1]);
    match making.chance.within(0, 6) {
        0 => {
            making.chapter("taken back");
            dealing.ended(making, &mut payment);
        }
        1 => {
            making.chapter("captured by hand, in vain");
            let capture = making.id("PSPC");
            dealing.captured(making, &mut payment, &capture, amount);
            dealing.capture_fails(making, &mut payment, &capture, amount);
        }
        2 | 3 => {
            making.chapter("captured by hand");
            let capture = making.id("PSPC");
            dealing.captured(making, &mut payment, &capture, amount);
            afterwards(making, &dealing, &mut payment, &Capture::direct(amount));
        }
        _ => {
            making.chapter("paid");
            dealing.refused(making, &mut payment, late);
            let twice = making.chance.one_in(4);
            if twice {
                making.chapter("twice");
                dealing.another(making, amount).authorised(making, &mut payment);
            }
            afterwards(making, &dealing, &mut payment, &Capture::direct(amount));
        }
    }
    making.knows(&payment);
}

/// A preauthorization and maybe its captures, which all belong to one payment.
fn reserved(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.expected(Kind::Preauth, Some(currency), amount);
    let mut dealing = Dealing::new(making, &mut preauth);
    making.registers(&preauth);
    let refusals = making.chance.pick(&[0, 0, 1, 2]);
    dealing.refused(making, &mut preauth, refusals);
    let parts = making.chance.one_in(4) && amount > 1;
    if parts {
        making.chapter("in two parts");
        dealing.amount = making.chance.within(1, amount - 1);
    }
    dealing.authorised(making, &mut preauth);
    if parts {
        let rest = dealing.another(making, amount - dealing.amount);
        rest.authorised(making, &mut preauth);
        if making.chance.one_in(2) {
            making.chapter("of which one is cancelled");
            let (gone, stays) = if making.chance.one_in(2) { (&rest, &dealing) } else { (&dealing, &rest) };
            gone.ended(making, &mut preauth);
            dealing = stays.clone();
        } else if making.chance.one_in(3) {
            making.chapter("which both end");
            rest.ended(making, &mut preauth);
            dealing.ended(making, &mut preauth);
            return making.knows(&preauth);
        }
    }
    let late = making.chance.pick(&[0, 0, 1]);
    dealing.refused(making, &mut preauth, late);
    if making.chance.one_in(3) {
        making.chapter("adjusted");
        dealing.adjusted(making, &mut preauth);
    }
    match making.chance.within(0, 6) {
        0 => {
            making.chapter("reserved and released");
            dealing.ended(making, &mut preauth);
        }
        1 => {
            making.chapter("reserved, and the rest released in vain");
            let at = making.later();
            let reference = making.id("PSPM");
            let item = dealing.modification("CANCELLATION", at, &reference, &preauth.id, amount);
            making.tells_as(None, &preauth, Item { success: false, ..item }.body(), Fate::Ignored);
        }
        2 if dealing.amount > 1 => captures::several(making, &dealing, &mut preauth),
        _ => captures::one(making, &dealing, &mut preauth),
    }
    if preauth.captured > 0 && making.chance.one_in(3) {
        making.chapter("and the rest ends");
        dealing.ended(making, &mut preauth);
    }
    making.knows(&preauth);
}
