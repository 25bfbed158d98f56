//! What the payment stack states beside events: the end is the same wherever its registration comes among them, and for one attempt
//! it is the newest of all news.

use jiff::Timestamp;
use proptest::prelude::*;

use super::history::{self, record};
use crate::domain::event::{Event, Facts};
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::register::register;
use crate::domain::registration::Registration;
use crate::domain::status::Status;
use crate::domain::transition::Layer;
use crate::domain::view::View;

const STATES: [Status; 5] = [Status::Pending, Status::Succeeded, Status::Failed, Status::Cancelled, Status::Expired];

/// A state that is told or stated: of which attempt, which one, and in which second.
type News = (u8, Status, i64);

fn news() -> impl Strategy<Value = News> {
    (0..2_u8, prop::sample::select(&STATES[..]), 1..20_i64)
}

fn told(record: &Record, (attempt, status, second): News) -> Record {
    let event = Event {
        event_type: "news".into(),
        kinds: vec![Kind::Preauth],
        psp_ids: vec![format!("attempt {attempt}")],
        at: Timestamp::from_second(second).unwrap(),
        key: format!("key {attempt} {status:?} {second}"),
        facts: Facts { status: Some(status), ..Facts::default() },
        ..Event::default()
    };
    history::told(record, &[(event, Layer::Own)])
}

fn stated(record: &Record, (_, status, second): News) -> Record {
    let said = Registration {
        status: Some(status),
        status_at: Some(Timestamp::from_second(second).unwrap()),
        ..Registration::default()
    };
    register(&record.key, Some(record), &said, Timestamp::from_second(20).unwrap()).unwrap().record
}

proptest! {
    #[test]
    fn the_end_is_the_same_wherever_it_is_stated(events in prop::collection::vec(news(), 0..5), said in news()) {
        let start = record(Kind::Preauth, "tx", 100);
        let end = |place: usize| {
            let before = events.iter().take(place).fold(start.clone(), |record, one| told(&record, *one));
            let after = events.iter().skip(place).fold(stated(&before, said), |record, one| told(&record, *one));
            View::of(&after)
        };
        let first = end(0);
        for place in 1..=events.len() {
            prop_assert_eq!(&end(place), &first, "at place {}", place);
        }
    }

    #[test]
    fn of_one_attempt_the_newest_news_stands(events in prop::collection::vec(news(), 0..5), said in news()) {
        let start = record(Kind::Preauth, "tx", 100);
        let events: Vec<News> = events.into_iter().map(|(_, status, second)| (0, status, second)).collect();
        let end = events.iter().fold(stated(&start, said), |record, one| told(&record, *one));
        let newest = events.iter().chain([&said]).max_by_key(|(_, status, second)| (*second, status.rank(Kind::Preauth)));
        prop_assert_eq!(Some(View::of(&end).status), newest.map(|(_, status, _)| *status));
    }
}
