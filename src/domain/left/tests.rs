//! What shows of imported money beside events, one history after another.

use jiff::Timestamp;
use jiff::civil::date;
use rust_decimal::Decimal;

use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Movement};
use crate::domain::family::linked;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::import::{Moved, MovedChargeback, MovedItem};
use crate::domain::record::Record;
use crate::domain::register::{import, register};
use crate::domain::registration::Registration;
use crate::domain::status::Status;
use crate::domain::transition::{Layer, apply};
use crate::domain::view::{Detail, PaymentDetail, View};

const NOW: &str = "2026-04-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A payment of 100 that is registered.
fn payment() -> Record {
    let said = Registration {
        requested_amount: Some(Decimal::ONE_HUNDRED),
        currency: Some("EUR".parse().unwrap()),
        ..Registration::default()
    };
    register(&RecordKey::new(Kind::Payment, "tx".parse().unwrap()), None, &said, now()).unwrap().record
}

fn item(id: Option<&str>, amount: i64, day: i8) -> MovedItem {
    MovedItem {
        external_item_id: id.map(str::to_owned),
        amount: Some(amount.into()),
        booking_date: Some(date(2026, 3, day)),
        description: None,
    }
}

fn chargeback(id: Option<&str>, amount: i64, day: i8) -> MovedChargeback {
    let MovedItem { external_item_id, amount, booking_date, .. } = item(id, amount, day);
    MovedChargeback { external_item_id, amount, booking_date, ..MovedChargeback::default() }
}

/// What the payment shows after this import and these events, in any order.
fn shown(moved: Moved, events: &[Event]) -> PaymentDetail {
    let said = Registration { status: Some(Status::Succeeded), status_at: Some(now()), ..Registration::default() };
    let imported = |record: &Record| import(&record.key, Some(record), (&said, &moved), now()).unwrap().record;
    let told = |record: Record, events: &[Event]| {
        events.iter().fold(record, |record, event| apply(&record, event, Layer::Own, now()).unwrap().0)
    };
    let of = |record: &Record| {
        let Detail::Payment(detail) = View::of(record).detail else { panic!("a payment") };
        *detail
    };
    let after = of(&told(imported(&payment()), events));
    assert_eq!(of(&imported(&told(payment(), events))), after, "imported last");
    after
}

fn event(day: i8, facts: Facts) -> Event {
    Event {
        kinds: vec![Kind::Payment],
        psp_ids: vec!["pi".into()],
        at: format!("2026-03-{day:02}T10:00:00Z").parse().unwrap(),
        key: format!("{day}"),
        facts,
        ..Event::default()
    }
}

fn booked(id: &str, amount: i64, booking: Booking, day: i8) -> Event {
    let item = Item { id: id.into(), amount: amount.into(), booking, date: date(2026, 3, day), description: None };
    event(day, Facts { items: vec![item], ..Facts::default() })
}

fn disputed(id: &str, amount: i64, booking: Booking, day: i8) -> Event {
    let disputed = Some(Decimal::from(amount));
    let (fee, why, movements, of) = (None, None, None, None);
    let one = Chargeback { id: id.into(), disputed, fee, booking, date: date(2026, 3, day), why, movements, of };
    event(day, Facts { chargebacks: vec![one], ..Facts::default() })
}

/// The items as id, amount and day.
fn items(payments: Vec<MovedItem>, events: &[Event]) -> Vec<(String, i64, i8)> {
    let shown = shown(Moved { payments: Some(payments), ..Moved::default() }, events);
    shown.payments.into_iter().map(|item| (item.id, item.amount.try_into().unwrap(), item.date.day())).collect()
}

fn all(all: &[(&str, i64, i8)]) -> Vec<(String, i64, i8)> {
    all.iter().map(|(id, amount, day)| ((*id).to_owned(), *amount, *day)).collect()
}

#[test]
fn an_item_with_an_id_is_that_of_the_event() {
    let named = || vec![item(Some("ch"), 100, 2)];
    assert_eq!(items(named(), &[]), all(&[("ch", 100, 2)]));
    assert_eq!(items(named(), &[booked("ch", 100, Booking::Booked, 3)]), all(&[("ch", 100, 3)]));
    assert_eq!(items(named(), &[booked("ch", 0, Booking::Open, 1)]), all(&[("ch", 100, 2)]), "older news");
    assert_eq!(items(named(), &[booked("ch", 0, Booking::Reversed, 1)]), all(&[]), "whatever its day");
}

#[test]
fn an_item_under_another_id_of_the_psp_is_not_counted_twice() {
    let named = || vec![item(Some("ch"), 100, 2)];
    assert_eq!(items(named(), &[booked("pi", 100, Booking::Booked, 3)]), all(&[("pi", 100, 3)]));
    let part = || vec![item(Some("ch"), 40, 2)];
    assert_eq!(items(part(), &[booked("pi", 60, Booking::Booked, 3)]), all(&[("ch", 40, 2), ("pi", 60, 3)]));
    let overpaid = || vec![item(Some("ch"), 110, 2)];
    assert_eq!(items(overpaid(), &[]), all(&[("ch", 110, 2)]));
}

#[test]
fn items_without_ids_are_explained_the_oldest_first() {
    let two = || vec![item(None, 60, 9), item(None, 40, 2)];
    assert_eq!(items(two(), &[]), all(&[("", 40, 2), ("", 60, 9)]));
    assert_eq!(items(two(), &[booked("pi", 50, Booking::Booked, 3)]), all(&[("pi", 50, 3), ("", 50, 9)]));
    assert_eq!(items(two(), &[booked("pi", 100, Booking::Booked, 3)]), all(&[("pi", 100, 3)]));
    let both = || vec![item(Some("ch"), 40, 2), item(None, 60, 9)];
    assert_eq!(items(both(), &[booked("ch", 40, Booking::Booked, 2)]), all(&[("ch", 40, 2), ("", 60, 9)]), "its own");
}

#[test]
fn money_that_came_back_on_a_later_day_undoes_an_item_without_an_id() {
    let one = || vec![item(None, 100, 5)];
    assert_eq!(items(one(), &[booked("pi", 100, Booking::Reversed, 8)]), all(&[]));
    assert_eq!(items(one(), &[booked("pi", 0, Booking::Reversed, 8)]), all(&[]), "of unknown amount");
    assert_eq!(items(one(), &[booked("pi", 100, Booking::Reversed, 5)]), all(&[("", 100, 5)]), "a refused attempt");
    let two = || vec![item(None, 60, 2), item(None, 40, 3)];
    assert_eq!(items(two(), &[booked("pi", 40, Booking::Reversed, 8)]), all(&[("", 60, 2)]), "of the same amount");
}

#[test]
fn a_success_without_an_item_implies_what_the_import_does_not_reach() {
    let succeeded = || event(3, Facts { status: Some(Status::Succeeded), ..Facts::default() });
    assert_eq!(items(vec![item(None, 100, 2)], &[succeeded()]), all(&[("", 100, 2)]));
    assert_eq!(items(vec![item(Some("ch"), 100, 2)], &[succeeded()]), all(&[("ch", 100, 2)]));
    let implied = items(vec![item(None, 40, 2)], &[succeeded()]);
    assert_eq!(implied.iter().map(|one| one.1).sum::<i64>(), 100);
}

#[test]
fn chargebacks_are_explained_in_the_same_way() {
    let amounts = |chargebacks: Vec<MovedChargeback>, events: &[Event]| {
        let payments = Some(vec![item(Some("ch"), 100, 1)]);
        let shown = shown(Moved { payments, chargebacks: Some(chargebacks), ..Moved::default() }, events);
        let found =
            shown.chargebacks.into_iter().map(|one| (one.id, i64::try_from(one.amount).unwrap(), one.date.day()));
        found.collect::<Vec<_>>()
    };
    let named = || vec![chargeback(Some("dp"), 20, 5)];
    assert_eq!(amounts(named(), &[]), all(&[("dp", 20, 5)]));
    assert_eq!(amounts(named(), &[disputed("dp", 20, Booking::Open, 4)]), all(&[("dp", 20, 5)]), "older news");
    assert_eq!(amounts(named(), &[disputed("dp", 20, Booking::Reversed, 9)]), all(&[]));
    let unnamed = || vec![chargeback(None, 20, 5)];
    assert_eq!(amounts(unnamed(), &[]), all(&[("", 20, 5)]));
    assert_eq!(amounts(unnamed(), &[disputed("dp", 20, Booking::Booked, 5)]), all(&[("dp", 20, 5)]));
    assert_eq!(amounts(unnamed(), &[disputed("dp", 20, Booking::Reversed, 9)]), all(&[]));
}

#[test]
fn a_chargeback_that_events_have_explained_does_not_come_back() {
    let amounts = |events: &[Event]| {
        let (payments, chargebacks) = (vec![item(Some("ch"), 100, 1)], vec![chargeback(None, 20, 5)]);
        let moved = Moved { payments: Some(payments), chargebacks: Some(chargebacks), ..Moved::default() };
        let shown = shown(moved, events).chargebacks.into_iter();
        shown.map(|one| (one.id, i64::try_from(one.amount).unwrap())).collect::<Vec<_>>()
    };
    let moved = |amounts: &[i64], day| {
        let mut event = disputed("dp", 20, Booking::Booked, day);
        let one = |(place, amount): (usize, &i64)| Movement {
            id: format!("txn {place}"),
            amount: (*amount).into(),
            currency: None,
            fee: None,
            at: event.at,
        };
        event.facts.chargebacks[0].movements = Some(amounts.iter().enumerate().map(one).collect());
        event
    };
    assert_eq!(amounts(&[moved(&[-20], 5)]), [("dp".to_owned(), 20)]);
    assert_eq!(amounts(&[moved(&[-20], 5), moved(&[-20, 20], 9)]), []);
    assert_eq!(amounts(&[moved(&[-20, 20], 9)]), [], "both movements at once");
    assert_eq!(amounts(&[moved(&[20, -20], 9)]), [], "in whatever order");
    assert_eq!(amounts(&[moved(&[-5, 5], 9)]), [(String::new(), 15)], "a part");
    let words = [disputed("dp", 20, Booking::Booked, 4), disputed("dp", 20, Booking::Reversed, 5)];
    assert_eq!(amounts(&words), [], "in words");
}

#[test]
fn a_refund_that_events_have_explained_does_not_come_back() {
    let refunded = |states: &[(Status, i8)]| {
        let refund = |(status, day): &(Status, i8)| Event {
            kinds: vec![Kind::Refund],
            psp_ids: vec!["re".into()],
            payment_ids: vec!["pi".into()],
            ..event(*day, Facts { refunded: Some(20.into()), status: Some(*status), ..Facts::default() })
        };
        let payments = Some(vec![item(Some("ch"), 100, 1)]);
        let moved = Moved { payments, refunded_amount: Some(20.into()), ..Moved::default() };
        let events: Vec<_> = states.iter().map(refund).collect();
        i64::try_from(shown(moved, &events).refunded).unwrap()
    };
    assert_eq!(refunded(&[(Status::Succeeded, 5)]), 20);
    for order in [[(Status::Succeeded, 5), (Status::Failed, 9)], [(Status::Failed, 9), (Status::Succeeded, 5)]] {
        assert_eq!(refunded(&order), 0);
    }
    assert_eq!(
        refunded(&[(Status::Pending, 5), (Status::Failed, 9)]),
        20,
        "it was another one, and never gave anything"
    );
}

#[test]
fn refunds_are_explained_in_the_same_way() {
    let refunded = |refunds: Vec<MovedItem>, events: &[Event]| {
        let payments = Some(vec![item(Some("ch"), 100, 1)]);
        let shown = shown(Moved { payments, refunds: Some(refunds), ..Moved::default() }, events);
        i64::try_from(shown.refunded).unwrap()
    };
    let refund = |id: &str, amount: i64, status, day| Event {
        kinds: vec![Kind::Refund],
        psp_ids: vec![id.into()],
        payment_ids: vec!["pi".into()],
        ..event(day, Facts { refunded: Some(amount.into()), status: Some(status), ..Facts::default() })
    };
    let named = || vec![item(Some("re"), 20, 5)];
    assert_eq!(refunded(named(), &[]), 20);
    assert_eq!(refunded(named(), &[refund("re", 20, Status::Pending, 4)]), 20, "older news");
    assert_eq!(refunded(named(), &[refund("re", 20, Status::Succeeded, 5)]), 20);
    assert_eq!(refunded(named(), &[refund("re", 20, Status::Failed, 9)]), 0);
    assert_eq!(refunded(named(), &[refund("other", 30, Status::Succeeded, 9)]), 50);
    let unnamed = || vec![item(None, 20, 5)];
    assert_eq!(refunded(unnamed(), &[refund("re", 15, Status::Succeeded, 5)]), 20);
    assert_eq!(refunded(unnamed(), &[refund("re", 30, Status::Succeeded, 5)]), 30);
    assert_eq!(refunded(unnamed(), &[refund("re", 20, Status::Failed, 9)]), 0);
    assert_eq!(refunded(unnamed(), &[refund("re", 20, Status::Failed, 4)]), 20, "an attempt before it");
    let whole =
        Moved { payments: Some(vec![item(Some("ch"), 100, 1)]), refunded_amount: Some(20.into()), ..Moved::default() };
    assert_eq!(shown(whole, &[refund("re", 20, Status::Failed, 9)]).refunded, Decimal::from(20), "nobody says its day");
}

/// What the payment shows as refunded beside the record of a refund of 5 with the PSP id `re`, which has this status.
fn refunded_beside(refunds: Vec<MovedItem>, all: i64, status: Status) -> i64 {
    let payments = Some(vec![item(Some("ch"), 100, 1)]);
    let moved = Moved { payments, refunds: Some(refunds), refunded_amount: Some(all.into()), ..Moved::default() };
    let said = Registration { status: Some(Status::Succeeded), ..Registration::default() };
    let payment = payment();
    let payment = import(&payment.key, Some(&payment), (&said, &moved), now()).unwrap().record;
    let said = Registration {
        requested_amount: Some(5.into()),
        currency: Some("EUR".parse().unwrap()),
        psp_transaction_id: Some("re".to_owned()),
        payment_transaction_id: Some(payment.key.id.clone()),
        status: Some(status),
        status_at: Some(now()),
        ..Registration::default()
    };
    let key = RecordKey::new(Kind::Refund, "refund".parse().unwrap());
    let refund = import(&key, None, (&said, &Moved::default()), now()).unwrap().record;
    let Detail::Payment(detail) = View::of(&linked(&payment, &refund)).detail else { panic!("a payment") };
    detail.refunded.try_into().unwrap()
}

#[test]
fn the_record_of_a_refund_takes_over_its_own_entry_and_nothing_of_the_rest() {
    let named = || vec![item(Some("re"), 5, 5)];
    let with_rest = || vec![item(Some("re"), 5, 5), item(None, 3, 5)];
    for (refunds, all) in [(named(), 8), (with_rest(), 8), (named(), 13)] {
        assert_eq!(refunded_beside(refunds.clone(), all, Status::Succeeded), all);
        assert_eq!(refunded_beside(refunds.clone(), all, Status::Pending), all);
        assert_eq!(refunded_beside(refunds, all, Status::Failed), all - 5, "the rest stands");
    }
    assert_eq!(
        refunded_beside(vec![item(Some("re"), 2, 5)], 8, Status::Succeeded),
        8,
        "3 more explain as much of the rest"
    );
}

#[test]
fn what_a_line_states_is_bounded() {
    let refused = |moved: Moved| {
        let record = payment();
        let said = Registration { status: Some(Status::Succeeded), ..Registration::default() };
        let refusal = import(&record.key, Some(&record), (&said, &moved), now()).unwrap_err();
        format!("{}{}", refusal.field, refusal.reason)
    };
    let payments = |payments| Moved { payments: Some(payments), ..Moved::default() };
    assert!(refused(payments(vec![item(None, 0, 1)])).starts_with("payments[0].amount: is 0"));
    assert!(refused(payments(vec![item(None, -1, 1)])).contains("-1 is negative, but must be 0 or more"));
    assert!(
        refused(payments(vec![item(Some("a"), 1, 1), item(Some("a"), 1, 1)]))
            .starts_with("payments[1].externalItemId: \"a\" is there twice")
    );
    assert!(refused(payments(vec![item(None, 1, 1); 1001])).contains("has 1001 entries"));
    let far = MovedItem { booking_date: Some(date(2062, 1, 1)), ..item(None, 1, 1) };
    assert!(refused(payments(vec![far])).contains("is 2062-01-01, but must be from 1970 to 2026-05-02"));
    let less = Moved {
        refunds: Some(vec![item(None, 5, 1)]),
        refunded_amount: Some(4.into()),
        ..payments(vec![item(None, 9, 1)])
    };
    assert_eq!(refused(less), "refundedAmountis 4, but the refunds are 5 together");
}

#[test]
fn a_line_that_contradicts_itself_is_refused() {
    let line = |status, paid: Vec<MovedItem>, refunded: Option<i64>| {
        let record = payment();
        let said = Registration { status: Some(status), status_at: Some(now()), ..Registration::default() };
        let moved = Moved { payments: Some(paid), refunded_amount: refunded.map(Decimal::from), ..Moved::default() };
        import(&record.key, Some(&record), (&said, &moved), now()).map(drop).map_err(|refusal| refusal.to_string())
    };
    let full = || vec![item(None, 60, 1), item(None, 40, 2)];
    for (status, name) in [(Status::Failed, "Failed"), (Status::Cancelled, "Cancelled"), (Status::Expired, "Expired")] {
        let reason = line(status, full(), None).unwrap_err();
        assert!(
            reason.starts_with(&format!("status: is {name}, but the payments reach the requested amount")),
            "{reason}"
        );
        assert_eq!(line(status, vec![item(None, 60, 1)], None), Ok(()), "a part may have come");
    }
    assert_eq!(line(Status::Pending, full(), None), Ok(()), "the payments say that it has Succeeded");
    assert_eq!(line(Status::Succeeded, full(), Some(100)), Ok(()));
    let refused = |paid, refunded| line(Status::Succeeded, paid, Some(refunded)).unwrap_err();
    assert_eq!(refused(full(), 101), "refundedAmount: is 101, but the payments are 100 together");
    assert_eq!(refused(Vec::new(), 101), "refundedAmount: is 101, but the requested amount is 100");
}
