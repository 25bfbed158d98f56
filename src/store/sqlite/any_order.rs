//! Order of arrival, in the store: registrations and events of whole families, in any order, end in the same records and views,
//! and leave the same dead letters and parked events.

mod few_steps;
mod plays;
mod steps;

use proptest::prelude::*;
use rust_decimal::Decimal;

use self::plays::{End, play};
use self::steps::{RECORDS, Step, at, id, orders, registration};
use super::lent::Lent;
use crate::domain::due::utc_date;
use crate::domain::event::{Booking, Event, Facts, Item};
use crate::domain::ids::Kind;
use crate::domain::status::Status;
use crate::domain::view::Detail;
use crate::store::core::InMemory;

proptest! {
    #[test]
    fn families_end_the_same_in_any_order(orders in orders()) {
        let [one, other] = orders.map(|steps| play(&*Lent::new(), &steps));
        prop_assert_eq!(one, other);
    }

    /// The core alone plays many more of them in the same time (CONTRIBUTING.md).
    #[test]
    fn families_end_the_same_in_any_order_on_the_core(orders in orders()) {
        let [one, other] = orders.map(|steps| play(&InMemory::new(), &steps));
        prop_assert_eq!(one, other);
    }
}

/// The event in each order with the other one, after these registrations and these first events.
fn both_orders(registered: [(usize, bool); 2], first: Vec<Event>, events: [Event; 2]) -> End {
    let registered = registered.map(|(at, with_id)| registration(RECORDS[at], with_id));
    let first = first.into_iter().map(|event| Step::Tell(Box::new(event)));
    let steps: Vec<Step> = registered.into_iter().chain(first).collect();
    let orders = [events.clone(), {
        let [one, other] = events;
        [other, one]
    }];
    let ends = orders.map(|events| {
        let steps: Vec<Step> = steps.iter().cloned().chain(events.map(|event| Step::Tell(Box::new(event)))).collect();
        play(&*Lent::new(), &steps)
    });
    let [one, other] = ends;
    assert_eq!(one, other);
    one
}

fn of(kind: Kind, psp_id: &str, refers: Option<&str>, day: i64, facts: Facts) -> Event {
    Event {
        kinds: vec![kind],
        psp_ids: vec![psp_id.to_owned()],
        references: refers.map(id).into_iter().collect(),
        at: at(day),
        key: format!("k{day}#0"),
        facts,
        ..Event::default()
    }
}

#[test]
fn a_refund_takes_over_what_its_payment_knows_under_an_id_that_it_learns() {
    let amount = Decimal::from(25);
    let given = Facts { status: Some(Status::Succeeded), refunded: Some(amount), ..Facts::default() };
    let unnamed = Event { payment_ids: vec!["P".to_owned()], ..of(Kind::Refund, "R1", None, 1, given.clone()) };
    let date = utc_date(at(3));
    let item = Item { id: "P".to_owned(), amount: amount * amount, booking: Booking::Booked, date, description: None };
    let paid = Facts { items: vec![item], status: Some(Status::Succeeded), ..Facts::default() };
    let paid = vec![of(Kind::Payment, "P", None, 3, paid)];
    let named = of(Kind::Refund, "R1", Some("back"), 2, given);
    let end = both_orders([(3, true), (4, false)], paid, [unnamed, named]);
    let Detail::Refund { refunded, .. } = end.views["back"].detail else { panic!("a refund") };
    let Detail::Payment(payment) = &end.views["direct"].detail else { panic!("a payment") };
    assert_eq!((refunded, payment.refunded), (amount, amount), "once");
}

#[test]
fn an_agreement_takes_over_what_others_know_of_means_that_it_learns() {
    let facts = |status| Facts { status: Some(status), ..Facts::default() };
    let ended = of(Kind::Agreement, "m1", None, 2, facts(Status::Inactive));
    let named = of(Kind::Agreement, "m1", Some("one"), 1, facts(Status::Active));
    let end = both_orders([(7, false), (8, true)], Vec::new(), [ended, named]);
    assert_eq!((end.views["one"].status, end.views["two"].status), (Status::Inactive, Status::Inactive));
}
