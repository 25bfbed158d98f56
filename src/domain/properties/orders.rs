//! Order, repetition and parts of a telling leave no trace. The count of changes rises with each visible one.

use jiff::Timestamp;
use proptest::prelude::*;

use super::history::{Told, histories, retold, settled, told};
use crate::domain::record::{Record, Seen};
use crate::domain::transition::{Layer, Transition, apply};
use crate::domain::view::View;

/// What the events of one part of a history say.
fn seen(record: &Record, events: &[Told]) -> Seen {
    let bare = Record { seen: Seen::default(), ..record.clone() };
    let own: Vec<Told> = events.iter().map(|(event, _)| (event.clone(), Layer::Own)).collect();
    told(&bare, &own).seen
}

fn joined(one: &Seen, other: &Seen) -> Seen {
    let mut one = one.clone();
    one.join(other.clone());
    one
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_end_in_the_same_record((start, told_once, retold) in retold()) {
        prop_assert_eq!(settled(&told(&start, &told_once)), settled(&told(&start, &retold)));
    }

    #[test]
    fn an_event_that_came_before_changes_nothing(
        (start, events) in histories(), again in any::<prop::sample::Index>()
    ) {
        let end = told(&start, &events);
        let (event, layer) = again.get(&events);
        let (after, transition, _) = apply(&end, event, *layer, Timestamp::MAX).unwrap();
        prop_assert_eq!(&after, &end);
        prop_assert_ne!(transition, Transition::Changed);
    }

    #[test]
    fn versions_and_last_updated_rise_with_every_visible_change_and_only_then(
        (start, events) in histories(), clock in prop::collection::vec(-5..5_i64, 12)
    ) {
        let mut now = start;
        for ((event, layer), second) in events.iter().zip(clock) {
            // The clock steps back and forth.
            let (next, transition, _) = apply(&now, event, *layer, Timestamp::from_second(second).unwrap()).unwrap();
            let changed = View::of(&now) != View::of(&next);
            prop_assert_eq!(changed, transition == Transition::Changed);
            prop_assert_eq!(next.version, now.version + u64::from(changed));
            prop_assert_eq!(changed, next.last_updated > now.last_updated);
            now = next;
        }
    }

    #[test]
    fn partial_tellings_join_to_the_whole(
        (start, events) in histories(), cuts in prop::array::uniform2(any::<prop::sample::Index>())
    ) {
        let mut cuts = cuts.map(|cut| cut.index(events.len()));
        cuts.sort_unstable();
        let [a, b, c] = [&events[..cuts[0]], &events[cuts[0]..cuts[1]], &events[cuts[1]..]].map(|part| seen(&start, part));
        let whole = seen(&start, &events);
        prop_assert_eq!(&joined(&joined(&a, &b), &c), &whole);
        prop_assert_eq!(&joined(&a, &joined(&b, &c)), &whole, "associative");
        prop_assert_eq!(&joined(&joined(&c, &b), &a), &whole, "commutative");
        prop_assert_eq!(&joined(&whole, &whole), &whole, "idempotent");
        prop_assert_eq!(&joined(&b, &whole), &whole, "a part is in the whole");
    }
}
