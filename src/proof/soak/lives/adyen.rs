//! Lives at Adyen: authorisations, modifications, chargebacks, tokens.

mod afterwards;
mod dealing;
mod item;
mod token;

use self::afterwards::afterwards;
use self::dealing::Dealing;
use self::item::Item;
use super::expected::Expected;
use super::life::Fate;
use super::making::{KnownBy, Making};
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => direct(making),
        5..=8 => reserved(making),
        _ => token::token(making),
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
            afterwards(making, &dealing, &mut payment, None, amount);
        }
        _ => {
            making.chapter("paid");
            afterwards(making, &dealing, &mut payment, None, amount);
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
    dealing.authorised(making, &mut preauth);
    match making.chance.within(0, 5) {
        0 => {
            making.chapter("reserved and released");
            dealing.ended(making, &mut preauth);
        }
        1 => {
            making.chapter("reserved, and the rest released in vain");
            let at = making.later();
            let reference = making.id("PSPM");
            let item =
                Item { success: false, ..dealing.modification("CANCELLATION", at, &reference, &preauth.id, amount) };
            making.tells_as(None, &preauth, item.body(), Fate::Ignored);
        }
        _ => captures(making, &dealing, &preauth),
    }
    making.knows(&preauth);
}

fn captures(making: &mut Making, dealing: &Dealing, preauth: &Expected) {
    making.chapter("reserved and captured");
    let mut payment = making.expected(Kind::Payment, Some(dealing.currency), dealing.amount);
    payment.parent = Some(preauth.id.clone());
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
            afterwards(making, dealing, &mut payment, Some(&first), dealing.amount);
        }
        _ => afterwards(making, dealing, &mut payment, Some(&first), part),
    }
    making.knows(&payment);
}
