//! Statements: a PSP may tell of the account of a transaction, and not of bookings. Each statement is the account's value at
//! its time. What has come, what a bank took back and what was given back are the differences of one statement to the next.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::contradiction::{BOOKINGS_MAX, Contradiction};
use super::dispute::{Dispute, Said};
use super::due::utc_date;
use super::event::{Booking, Event, Item, Statement, Why};
use super::stamp::{Stamp, Stamped, Written};

/// The statements of a payment by the PSP's ids of the accounts, in the order of their times.
pub type Statements = BTreeMap<String, Vec<Stamped<Statement>>>;

/// Writes the statement of an event about a payment.
///
/// # Errors
/// [`Contradiction::TooMany`] if the account has as many statements as are kept.
pub(super) fn write(
    statements: &mut Statements,
    event: &Event,
    written: &mut Vec<Written>,
) -> Result<(), Contradiction> {
    let Some(statement) = &event.facts.statement else { return Ok(()) };
    let known = statements.entry(statement.account.clone()).or_default();
    written.push(insert(known, Stamped { stamp: event.stamp(0), value: statement.clone() }));
    if known.len() > BOOKINGS_MAX {
        return Err(Contradiction::TooMany { most: BOOKINGS_MAX, what: "statements of an account" });
    }
    Ok(())
}

/// Takes over the statements of another telling of the same payment.
pub(super) fn join(statements: &mut Statements, others: Statements) {
    for (id, others) in others {
        let known = statements.entry(id).or_default();
        for other in others {
            insert(known, other);
        }
    }
}

/// Inserts a statement at its place in time.
fn insert(known: &mut Vec<Stamped<Statement>>, statement: Stamped<Statement>) -> Written {
    let place = known.partition_point(|other| other.stamp < statement.stamp);
    if known.get(place).is_some_and(|other| other.stamp == statement.stamp) {
        return Written::Same;
    }
    let written = if place == known.len() { Written::Newer } else { Written::Older };
    known.insert(place, statement);
    written
}

/// The bookings and the disputes of a payment, by the PSP's ids.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) items: &'a BTreeMap<String, Stamped<Item>>,
    pub(super) disputes: &'a BTreeMap<String, Dispute>,
}

/// Puts the bookings and the chargebacks that statements show among the others.
pub(super) fn settle(
    statements: &Statements,
    items: &mut BTreeMap<String, Stamped<Item>>,
    disputes: &mut BTreeMap<String, Dispute>,
) {
    for (id, statements) in statements {
        let account = Account::of(id, statements, Told { items, disputes });
        items.insert(id.clone(), account.item(id));
        disputes.remove(id);
        for (place, returned) in account.returns.into_iter().enumerate() {
            let id = if place == 0 { id.clone() } else { format!("{id}-{}", place + 1) };
            disputes.insert(id, returned.dispute());
        }
    }
}

/// The sum that the accounts have given back; none if nothing is stated of any account.
pub(super) fn given_back(statements: &Statements, told: Told<'_>) -> Option<Decimal> {
    let accounts = statements.iter().map(|(id, statements)| Account::of(id, statements, told));
    accounts.map(|account| account.credited.max(account.paid_out)).reduce(|one, other| one + other)
}

/// An account, read from one statement to the next.
#[derive(Default)]
struct Account {
    /// The sum that was asked for.
    asked: Decimal,
    /// The money that is there.
    there: Decimal,
    /// All that has come from the customer, without what came again after a return.
    received: Decimal,
    /// The stamp of the statement that `received` comes from.
    since: Option<Stamp>,
    /// The returns that stand.
    returns: Vec<Return>,
    /// The fees of returns that the customer has yet to pay. They are not the payment's.
    fees: Decimal,
    /// The sum of what was credited after it had come.
    credited: Decimal,
    /// The sum of what was paid out to the customer.
    paid_out: Decimal,
}

/// Money that a bank took back and that has not come again.
struct Return {
    amount: Decimal,
    fee: Decimal,
    stamp: Stamp,
    why: Option<Why>,
}

impl Account {
    /// The account after these statements. A booking and a chargeback under its id, which are older than all statements, are
    /// from a relay that read no statements.
    fn of(id: &str, statements: &[Stamped<Statement>], told: Told<'_>) -> Self {
        let first = statements.first().map(|first| &first.stamp);
        let earlier = |stamp: &Stamp| first.is_none_or(|first| stamp < first);
        let mut account = Self::default();
        let booked = told.items.get(id).filter(|item| item.value.booking == Booking::Booked && earlier(&item.stamp));
        let mut is_known = booked.is_some();
        if let Some(item) = booked {
            account.begin(item.value.amount, &item.stamp);
            let said = told.disputes.get(id).and_then(|dispute| Some((dispute, dispute.said.as_ref()?)));
            if let Some((dispute, said)) = said.filter(|(_, said)| earlier(&said.stamp))
                && let Some(chargeback) = dispute.chargeback(id, item.value.amount)
            {
                account.there -= chargeback.amount;
                let (fee, stamp) = (chargeback.fee.unwrap_or_default(), said.stamp.clone());
                account.returns.push(Return { amount: chargeback.amount, fee, stamp, why: chargeback.why });
            }
        }
        for statement in statements {
            if !is_known && statement.value.returned {
                // What a bank takes back had come.
                account.begin(statement.value.asked.min(statement.value.missing).max(Decimal::ZERO), &statement.stamp);
            }
            is_known = true;
            account.read(statement);
        }
        account
    }

    fn begin(&mut self, amount: Decimal, stamp: &Stamp) {
        (self.asked, self.there, self.received, self.since) = (amount, amount, amount, Some(stamp.clone()));
    }

    fn read(&mut self, Stamped { stamp, value }: &Stamped<Statement>) {
        let there = value.asked - value.missing;
        let (asked_more, more) = (value.asked - self.asked, there - self.there);
        let open = (self.asked - self.there).max(Decimal::ZERO);
        if !value.returned && more < Decimal::ZERO && value.missing > open {
            // Nothing is given back so that it is missing again: this is an old statement, told late or again.
            return;
        }
        if value.returned && more <= Decimal::ZERO {
            self.take_back(-more, asked_more.max(Decimal::ZERO), (stamp, value.why.as_ref()));
        } else {
            self.credit(-asked_more);
            if !self.returns.is_empty() {
                self.fees += asked_more.max(Decimal::ZERO);
            }
            if more > Decimal::ZERO {
                self.come(more, asked_more, (-value.missing).max(Decimal::ZERO), stamp);
            } else {
                self.paid_out -= more;
            }
        }
        (self.asked, self.there) = (value.asked, there);
        self.since.get_or_insert_with(|| stamp.clone());
    }

    /// Asks for less by this amount. The part of it that had come is to be given back.
    fn credit(&mut self, amount: Decimal) {
        let open = (self.asked - self.there).max(Decimal::ZERO);
        self.credited += (amount - open).max(Decimal::ZERO);
    }

    /// Money came. It is what was paid out and came back, then what a bank had taken back, then a fee for that, then new.
    fn come(&mut self, amount: Decimal, asked_more: Decimal, too_much: Decimal, stamp: &Stamp) {
        let asked_more = asked_more.max(Decimal::ZERO);
        let back = amount.min(self.paid_out).min(too_much + asked_more);
        self.paid_out -= back;
        self.credited -= back.min(asked_more).min(self.credited);
        let left = self.repay(amount - back);
        let fee = left.min(self.fees);
        self.fees -= fee;
        if left > fee {
            self.received += left - fee;
            self.since = Some(stamp.clone());
        }
    }

    /// Takes money that came again off the returns: off the one of the same amount, else off the first ones. Returns the rest.
    fn repay(&mut self, amount: Decimal) -> Decimal {
        let same = self.returns.iter().position(|returned| returned.amount == amount).unwrap_or(0);
        let mut left = amount;
        for returned in self.returns.iter_mut().skip(same) {
            let part = left.min(returned.amount);
            (returned.amount, left) = (returned.amount - part, left - part);
        }
        self.returns.retain(|returned| returned.amount > Decimal::ZERO);
        left
    }

    /// A bank took money back. What is gone beyond all that had come is a fee, and so is what is asked for in addition.
    fn take_back(&mut self, gone: Decimal, asked_more: Decimal, (stamp, why): (&Stamp, Option<&Why>)) {
        let standing = self.received - self.returns.iter().map(|returned| returned.amount).sum::<Decimal>();
        let amount = gone.min(standing).max(Decimal::ZERO);
        let fee = gone - amount + asked_more;
        self.fees += fee;
        if amount > Decimal::ZERO {
            self.returns.push(Return { amount, fee, stamp: stamp.clone(), why: why.cloned() });
        } else if let Some(last) = self.returns.last_mut() {
            last.fee += fee;
        }
    }

    /// The booking of all that has come.
    fn item(&self, id: &str) -> Stamped<Item> {
        let stamp =
            self.since.clone().unwrap_or_else(|| Stamp { at: jiff::Timestamp::MIN, rank: 0, tie: String::new() });
        let booking = if self.received > Decimal::ZERO { Booking::Booked } else { Booking::Reversed };
        let date = utc_date(stamp.at);
        let value = Item { id: id.to_owned(), amount: self.received.normalize(), booking, date, description: None };
        Stamped { stamp, value }
    }
}

impl Return {
    fn dispute(self) -> Dispute {
        let Self { amount, fee, stamp, why } = self;
        let fee = Some(fee.normalize()).filter(|fee| *fee > Decimal::ZERO);
        let said = Said { booking: Booking::Booked, fee, date: utc_date(stamp.at) };
        Dispute {
            said: Some(Stamped { stamp: stamp.clone(), value: said }),
            amount: Some(Stamped { stamp: stamp.clone(), value: amount.normalize() }),
            why: why.map(|value| Stamped { stamp, value }),
            ..Dispute::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// The bookings and the disputes of a payment, and what its account has given back.
    #[derive(Default)]
    struct Settled {
        items: BTreeMap<String, Stamped<Item>>,
        disputes: BTreeMap<String, Dispute>,
        back: Option<Decimal>,
    }

    impl Settled {
        fn settled(mut self, statements: &Statements) -> Self {
            self.back = given_back(statements, Told { items: &self.items, disputes: &self.disputes });
            settle(statements, &mut self.items, &mut self.disputes);
            self
        }
    }

    /// An account after these statements: asked, missing, and whether a bank took money back.
    fn after(statements: &[(i64, i64, bool)]) -> Settled {
        let mut all = Statements::new();
        for (second, (asked, missing, returned)) in (0_u32..).zip(statements) {
            let at = Timestamp::from_second(second.into()).unwrap();
            let stamp = Stamp { at, rank: 0, tie: String::new() };
            let (asked, missing) = (Decimal::new(*asked, 1), Decimal::new(*missing, 1));
            let value = Statement { account: "tx".into(), asked, missing, returned: *returned, why: None };
            insert(all.entry("tx".into()).or_default(), Stamped { stamp, value });
        }
        Settled::default().settled(&all)
    }

    /// In tenths: what has come, each chargeback with its fee, and what was given back.
    fn shown(statements: &[(i64, i64, bool)]) -> (i64, Vec<(i64, i64)>, i64) {
        let tenths = |amount: Decimal| i64::try_from(amount * Decimal::TEN).unwrap();
        let after = after(statements);
        let chargeback = |(id, dispute): (&String, &Dispute)| {
            let one = dispute.chargeback(id, Decimal::ZERO).unwrap();
            (tenths(one.amount), tenths(one.fee.unwrap_or_default()))
        };
        let chargebacks = after.disputes.iter().map(chargeback).collect();
        (tenths(after.items["tx"].value.amount), chargebacks, tenths(after.back.unwrap()))
    }

    const PAID: (i64, i64, bool) = (1000, 0, false);
    const RETURNED: (i64, i64, bool) = (1000, 1000, true);

    #[test]
    fn what_has_come_is_what_was_asked_for_less_what_is_missing() {
        assert_eq!(shown(&[(1000, 1000, false)]), (0, vec![], 0));
        assert_eq!(shown(&[(1000, 400, false)]), (600, vec![], 0), "underpaid");
        assert_eq!(shown(&[(1000, 400, false), PAID]), (1000, vec![], 0));
        assert_eq!(shown(&[(1000, -50, false)]), (1050, vec![], 0), "overpaid");
        assert_eq!(shown(&[(600, 0, false), (1000, 400, false), PAID]), (1000, vec![], 0), "two captures");
        assert_eq!(shown(&[PAID, PAID]), (1000, vec![], 0));
    }

    #[test]
    fn a_statement_from_before_the_money_that_is_told_late_or_again_says_nothing() {
        let captured = (1000, 1000, false);
        assert_eq!(shown(&[PAID, captured]), (1000, vec![], 0));
        assert_eq!(shown(&[captured, PAID, captured, PAID]), (1000, vec![], 0));
        assert_eq!(shown(&[captured, PAID, (400, 400, false)]), (1000, vec![], 0), "a first part");
        assert_eq!(shown(&[captured, PAID, (1000, 400, false)]), (1000, vec![], 0), "underpaid");
        assert_eq!(shown(&[PAID, RETURNED, captured]), (1000, vec![(1000, 0)], 0), "a bank had taken it back");
    }

    #[test]
    fn what_is_asked_for_no_more_or_paid_out_is_given_back_and_had_come() {
        assert_eq!(shown(&[PAID, (700, -300, false)]), (1000, vec![], 300), "credited");
        assert_eq!(shown(&[PAID, (700, -300, false), (700, 0, false)]), (1000, vec![], 300), "and paid out");
        assert_eq!(shown(&[PAID, (700, 0, false)]), (1000, vec![], 300), "both at once");
        assert_eq!(shown(&[PAID, (700, 0, false), (500, 0, false)]), (1000, vec![], 500), "twice");
        assert_eq!(shown(&[PAID, (0, 0, false)]), (1000, vec![], 1000));
        assert_eq!(shown(&[(1000, -50, false), PAID]), (1050, vec![], 50), "too much was paid out");
        assert_eq!(shown(&[(1000, 1000, false), (700, 700, false), (700, 0, false)]), (700, vec![], 0), "before");
        assert_eq!(shown(&[PAID, (700, 0, false), (700, -300, false)]), (1000, vec![], 300), "came back");
        assert_eq!(shown(&[PAID, (700, 0, false), PAID]), (1000, vec![], 0), "was taken back");
        assert_eq!(shown(&[PAID, (1050, 50, false), (1050, 0, false)]), (1050, vec![], 0), "asked for more");
    }

    #[test]
    fn what_a_bank_takes_back_is_a_chargeback_until_it_comes_again() {
        assert_eq!(shown(&[PAID, RETURNED]), (1000, vec![(1000, 0)], 0));
        assert_eq!(shown(&[PAID, RETURNED, PAID]), (1000, vec![], 0));
        assert_eq!(shown(&[PAID, RETURNED, PAID, RETURNED]), (1000, vec![(1000, 0)], 0));
        assert_eq!(shown(&[PAID, RETURNED, (1000, 400, false)]), (1000, vec![(400, 0)], 0), "a part came again");
        assert_eq!(shown(&[PAID, (1000, 600, true), RETURNED]), (1000, vec![(600, 0), (400, 0)], 0), "in parts");
        assert_eq!(shown(&[PAID, (1000, 600, true), RETURNED, (1000, 600, false)]), (1000, vec![(600, 0)], 0));
        assert_eq!(shown(&[PAID, (700, 0, false), (700, 700, true)]), (1000, vec![(700, 0)], 300), "after a refund");
        assert_eq!(shown(&[RETURNED]), (1000, vec![(1000, 0)], 0), "of what nobody told");
        assert_eq!(shown(&[PAID, RETURNED, (0, 0, false)]), (1000, vec![(1000, 0)], 0), "written off");
    }

    #[test]
    fn what_is_missing_beyond_all_that_had_come_is_a_fee() {
        assert_eq!(shown(&[PAID, (1000, 1035, true)]), (1000, vec![(1000, 35)], 0));
        assert_eq!(shown(&[PAID, (1035, 1035, true)]), (1000, vec![(1000, 35)], 0), "asked for in addition");
        assert_eq!(shown(&[PAID, RETURNED, (1035, 1035, true)]), (1000, vec![(1000, 35)], 0), "later");
        for again in [(1000, 0, false), (1000, 35, false)] {
            assert_eq!(shown(&[PAID, (1000, 1035, true), again]), (1000, vec![], 0), "{again:?}");
        }
        for again in [(1035, 0, false), (1035, 35, false)] {
            assert_eq!(shown(&[PAID, (1035, 1035, true), again]), (1000, vec![], 0), "{again:?}");
            assert_eq!(shown(&[PAID, RETURNED, (1035, 1035, false), again]), (1000, vec![], 0), "{again:?}");
            assert_eq!(shown(&[PAID, RETURNED, again]), (1000, vec![], 0), "{again:?}");
        }
    }

    #[test]
    fn statements_stand_in_the_order_of_their_times_whatever_came_first() {
        let at = |second| Stamp { at: Timestamp::from_second(second).unwrap(), rank: 0, tie: String::new() };
        let value =
            Statement { account: "tx".into(), asked: Decimal::TEN, missing: Decimal::ZERO, returned: false, why: None };
        let said = |second| Stamped { stamp: at(second), value: value.clone() };
        let mut known = Vec::new();
        let written: Vec<_> = [2, 1, 3, 2].into_iter().map(|second| insert(&mut known, said(second))).collect();
        assert_eq!(written, [Written::Newer, Written::Older, Written::Newer, Written::Same]);
        assert_eq!(known, [said(1), said(2), said(3)]);
    }

    /// A booking of a relay that read no statements is what had come before.
    #[test]
    fn a_booking_that_is_older_than_all_statements_had_come() {
        let stamp = |second| Stamp { at: Timestamp::from_second(second).unwrap(), rank: 5, tie: String::new() };
        let item = Item {
            id: "tx".into(),
            amount: Decimal::ONE_HUNDRED,
            booking: Booking::Booked,
            date: jiff::civil::date(1970, 1, 1),
            description: None,
        };
        let value = Statement {
            account: "tx".into(),
            asked: Decimal::from(70),
            missing: Decimal::ZERO,
            returned: false,
            why: None,
        };
        let statements = Statements::from([("tx".to_owned(), vec![Stamped { stamp: stamp(9), value }])]);
        let mut earlier = Settled::default();
        earlier.items.insert("tx".into(), Stamped { stamp: stamp(0), value: item });
        let shown = earlier.settled(&statements);
        assert_eq!((shown.back, shown.items["tx"].value.amount), (Some(Decimal::from(30)), Decimal::ONE_HUNDRED));
    }
}
