//! What is imported beside events: the end is the same wherever the import comes among them, and nothing is counted twice.

use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::facts::{DAYS, day, quarters, statuses};
use super::history::{Told, events, record, settled, told};
use crate::domain::due::utc_date;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Movement};
use crate::domain::ids::Kind;
use crate::domain::import::{Moved, MovedChargeback, MovedItem};
use crate::domain::record::Record;
use crate::domain::register::import;
use crate::domain::registration::Registration;
use crate::domain::status::Status;
use crate::domain::transition::Layer;
use crate::domain::view::{Detail, PaymentDetail, View, paid};

/// A line of an import.
type Line = (Registration, Moved);

const IDS: [&str; 5] = ["a", "b", "ra", "elsewhere", ""];

/// A booking: its id, if there is one, its amount in quarters of the whole, and its day.
fn booking() -> impl Strategy<Value = (Option<String>, i64, Date)> {
    let id = prop::sample::select(&IDS[..]).prop_map(|id| Some(id.to_owned()).filter(|id| !id.is_empty()));
    (id, 1..5_i64, (0..DAYS).prop_map(|number| utc_date(day(number))))
}

fn bookings() -> impl Strategy<Value = Vec<(Option<String>, i64, Date)>> {
    prop::collection::vec(booking(), 0..3).prop_map(|mut all| {
        all.dedup_by(|one, other| one.0.is_some() && one.0 == other.0);
        all
    })
}

fn item((external_item_id, amount, date): (Option<String>, i64, Date)) -> MovedItem {
    MovedItem { external_item_id, amount: Some(quarters(amount)), booking_date: Some(date), description: None }
}

fn chargeback((external_item_id, amount, date): (Option<String>, i64, Date)) -> MovedChargeback {
    let (amount, booking_date) = (Some(quarters(amount)), Some(date));
    MovedChargeback { external_item_id, amount, booking_date, ..MovedChargeback::default() }
}

fn line(kind: Kind) -> BoxedStrategy<Line> {
    let said = (statuses(kind), prop::option::of((0..DAYS).prop_map(day)))
        .prop_map(|(status, status_at)| Registration { status: Some(status), status_at, ..Registration::default() });
    let (day, amount) =
        ((0..DAYS).prop_map(|number| utc_date(day(number))), prop::option::of((1..5_i64).prop_map(quarters)));
    let moved = match kind {
        Kind::Payment => (bookings(), bookings(), bookings())
            .prop_map(|(payments, refunds, chargebacks)| Moved {
                payments: Some(payments.into_iter().map(item).collect()),
                refunds: Some(refunds.into_iter().map(item).collect()),
                chargebacks: Some(chargebacks.into_iter().map(chargeback).collect()),
                ..Moved::default()
            })
            .boxed(),
        Kind::Refund => (amount, day)
            .prop_map(|(refunded_amount, day)| Moved { refunded_amount, booking_date: Some(day), ..Moved::default() })
            .boxed(),
        Kind::Preauth => amount.prop_map(|authorized_amount| Moved { authorized_amount, ..Moved::default() }).boxed(),
        Kind::Agreement => Just(Moved::default()).boxed(),
    };
    (said, moved)
        .prop_map(|(mut said, moved)| {
            let needs_a_day =
                moved.payments.as_ref().is_some_and(Vec::is_empty) && said.status == Some(Status::Succeeded);
            said.status_at = said.status_at.or(needs_a_day.then_some(Timestamp::UNIX_EPOCH));
            // What has been paid in full has not ended without success: such a line is refused.
            let booked = moved.payments.iter().flatten().filter_map(|item| item.amount).sum::<Decimal>();
            if booked >= quarters(4) && said.status.is_some_and(Status::has_ended) {
                said.status = Some(Status::Pending);
            }
            (said, moved)
        })
        .boxed()
}

/// A record without a PSP id or with that of an attempt, its events, and two lines of an import.
fn imports() -> impl Strategy<Value = (Record, Vec<Told>, [Line; 2])> {
    prop::sample::select(Kind::ALL.to_vec()).prop_flat_map(|kind| {
        let start = prop::option::of(prop::sample::select(vec!["a", "ra"])).prop_map(move |id| {
            let mut record = record(kind, "tx", 100);
            record.registered.psp_id = id.map(str::to_owned);
            record
        });
        (start, events(kind), [line(kind), line(kind)])
    })
}

fn imported(record: &Record, (said, moved): &Line) -> Record {
    import(&record.key, Some(record), (said, moved), day(DAYS)).unwrap().record
}

fn detail(record: &Record) -> PaymentDetail {
    let Detail::Payment(detail) = View::of(record).detail else { panic!("a payment") };
    *detail
}

/// An event that books this amount under this id on that day, and says nothing else.
fn booked(id: u8, amount: i64, number: i64) -> Told {
    let (id, amount) = (format!("booked {id}"), quarters(amount));
    let items =
        vec![Item { id: id.clone(), amount, booking: Booking::Booked, date: utc_date(day(number)), description: None }];
    let event = Event {
        kinds: vec![Kind::Payment],
        psp_ids: vec!["p".into()],
        at: day(number),
        key: id,
        facts: Facts { items, ..Facts::default() },
        ..Event::default()
    };
    (event, Layer::Own)
}

/// Events of a refund, or of a dispute in words or with movements: money went, and came back if it is `undone`.
fn gone(id: u8, amount: i64, (sort, is_undone): (usize, bool)) -> Vec<Told> {
    let (id, amount) = (format!("gone {id}"), quarters(amount));
    let by = |number: i64, facts: Facts| {
        let kind = if sort == 0 { Kind::Refund } else { Kind::Payment };
        let (psp_ids, payment_ids) =
            if sort == 0 { (vec![id.clone()], vec!["p".into()]) } else { (vec!["p".into()], vec![]) };
        let key = format!("{id} {number}");
        (Event { kinds: vec![kind], psp_ids, payment_ids, at: day(number), key, facts, ..Event::default() }, Layer::Own)
    };
    let refunded = |status| Facts { refunded: Some(amount), status: Some(status), ..Facts::default() };
    let disputed = |booking, moved: &[(&str, Decimal)], number| {
        let movement = |(name, amount): &(&str, Decimal)| Movement {
            id: format!("{id} {name}"),
            amount: *amount,
            currency: None,
            fee: None,
            at: day(number),
        };
        let movements = (sort == 2).then(|| moved.iter().map(movement).collect());
        let (id, disputed, date) = (id.clone(), Some(amount), utc_date(day(number)));
        let one = Chargeback { id, disputed, fee: None, booking, date, why: None, movements, of: None };
        Facts { chargebacks: vec![one], ..Facts::default() }
    };
    let (went, back) = if sort == 0 {
        (refunded(Status::Succeeded), refunded(Status::Failed))
    } else {
        let went = disputed(Booking::Booked, &[("out", -amount)], 1);
        (went, disputed(Booking::Reversed, &[("out", -amount), ("back", amount)], 2))
    };
    let went = by(1, went);
    if is_undone { vec![went, by(2, back)] } else { vec![went] }
}

proptest! {
    #[test]
    fn what_events_have_explained_stays_explained(
        stated in 1..5_i64,
        sort in 0..3_usize,
        all in prop::collection::btree_map(0..4_u8, (1..3_i64, any::<bool>()), 0..3),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut events: Vec<_> =
            all.iter().flat_map(|(id, (amount, is_undone))| gone(*id, *amount, (sort, *is_undone))).collect();
        let turn = seed.index(events.len().max(1));
        events.rotate_left(turn);
        if turn % 2 == 1 {
            events.reverse();
        }
        let payments = Some(vec![item((Some("paid".into()), 20, utc_date(day(0))))]);
        let chargebacks = (sort > 0).then(|| vec![chargeback((None, stated, utc_date(day(DAYS))))]);
        let refunded_amount = (sort == 0).then(|| quarters(stated));
        let moved = Moved { payments, chargebacks, refunded_amount, ..Moved::default() };
        let said = Registration { status: Some(Status::Succeeded), ..Registration::default() };
        let shown = detail(&told(&imported(&record(Kind::Payment, "tx", 500), &(said, moved)), &events));
        let ever: i64 = all.values().map(|(amount, _)| amount).sum();
        let stands: i64 = all.values().filter(|(_, is_undone)| !is_undone).map(|(amount, _)| amount).sum();
        let back: Decimal = shown.refunded + shown.chargebacks.iter().map(|one| one.amount).sum::<Decimal>();
        prop_assert_eq!(back, quarters(stands + (stated - ever).max(0)));
    }

    #[test]
    fn the_end_is_the_same_wherever_it_is_imported((start, events, [line, _]) in imports(), shuffled in any::<prop::sample::Index>()) {
        let first = settled(&told(&imported(&start, &line), &events));
        let place = shuffled.index(events.len() + 1);
        let (before, after) = events.split_at(place);
        let again = told(&imported(&told(&start, before), &line), after.iter().chain(before).rev());
        prop_assert_eq!(View::of(&first), View::of(&again));
        prop_assert_eq!(&settled(&imported(&again, &line)).seen, &settled(&again).seen);
    }

    #[test]
    fn the_same_line_again_changes_nothing_and_another_one_stands_alone((start, events, [line, other]) in imports()) {
        let once = told(&imported(&start, &line), &events);
        prop_assert_eq!(&imported(&once, &line), &once);
        let replaced = imported(&once, &other);
        prop_assert_eq!(View::of(&replaced), View::of(&told(&imported(&start, &other), &events)));
    }

    #[test]
    fn what_has_no_id_stands_until_bookings_of_events_reach_its_amount(
        stated in prop::collection::vec((1..5_i64, 0..DAYS), 1..4),
        events in prop::collection::btree_map(0..4_u8, (1..5_i64, 0..DAYS), 0..4),
    ) {
        let item = |(amount, number): &(i64, i64)| item((None, *amount, utc_date(day(*number))));
        let moved = Moved { payments: Some(stated.iter().map(item).collect()), ..Moved::default() };
        let said = Registration { status: Some(Status::Succeeded), ..Registration::default() };
        let events: Vec<_> = events.into_iter().map(|(id, (amount, number))| (amount, booked(id, amount, number))).collect();
        let sum = |amounts: &mut dyn Iterator<Item = i64>| quarters(amounts.sum());
        let most = sum(&mut stated.iter().map(|one| one.0)).max(sum(&mut events.iter().map(|one| one.0)));
        let end = told(&imported(&record(Kind::Payment, "tx", 100), &(said, moved)), events.iter().map(|one| &one.1));
        prop_assert_eq!(paid(&end), most);
        let shown = detail(&end).payments;
        prop_assert!(events.iter().all(|(_, (event, _))| shown.contains(&event.facts.items[0])), "events show as they are");
        let stands = |item: &&Item| item.id.is_empty();
        let days: Vec<_> = shown.iter().filter(stands).map(|item| item.date).collect();
        prop_assert!(days.iter().all(|date| stated.iter().any(|(_, number)| utc_date(day(*number)) == *date)));
    }

    #[test]
    fn no_money_is_counted_twice(events in events(Kind::Payment), line in line(Kind::Payment)) {
        let start = record(Kind::Payment, "tx", 100);
        // A state with a time is news like an event, and may be the newest.
        let line = (Registration { status: Some(Status::Pending), ..Registration::default() }, line.1);
        let by_events = told(&start, &events);
        let of_events = detail(&by_events);
        let alone = detail(&imported(&start, &line));
        let both = detail(&told(&imported(&start, &line), &events));
        let sum = |detail: &PaymentDetail| detail.payments.iter().map(|item| item.amount).sum::<Decimal>();
        let most = [sum(&of_events), sum(&alone), Decimal::from(100)].into_iter().max().unwrap();
        prop_assert!(sum(&both) <= most, "{} of {} and {}", sum(&both), sum(&of_events), sum(&alone));
        // An event that tells of a success without a booking implies one. All others show as they are.
        let named = of_events.payments.iter().filter(|item| by_events.claims().items.contains_key(&item.id));
        for item in named {
            prop_assert!(both.payments.iter().any(|shown| (&shown.id, shown.amount) == (&item.id, item.amount)));
        }
        prop_assert!(both.refunded <= sum(&both));
    }
}
