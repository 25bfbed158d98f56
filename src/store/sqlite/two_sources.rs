//! Tests of two sources: what one of them has placed on a payment keeps no event of the other from it once it has left.

use super::played::*;
use crate::domain::event::Event;
use crate::domain::ids::Kind;

/// A capture of the source, by its reference.
fn own(n: u128, reference: &str, psp_id: &str) -> Step {
    tell(n, Event { references: vec![reference.parse().unwrap()], ..booked(n, &[psp_id], 40) })
}

/// A booking of another source that names only an authorization.
fn of_other(n: u128, psp_id: &str) -> Step {
    let Step::Tell(n, event) = of_authorization(n, &[psp_id], 40) else { panic!("an event") };
    Step::Other(n, event)
}

#[test]
fn a_payment_takes_the_events_of_its_source_once_what_another_source_placed_has_left() {
    let told = [preauth(), capture("c"), capture_as("d", "cap-2"), of_other(10, "x"), own(11, "c", "cap")];
    let mut ends = orders(&told).into_iter().map(|order| {
        let played = Told::new(&order);
        let record = played.record(Kind::Payment, "c");
        assert_eq!(record.source.as_deref(), Some("s"));
        (played.paid("c"), played.paid("d"), played.reason(), played.waits_for())
    });
    let first = ends.next().unwrap();
    assert_eq!((first.0, first.1), (40, 0));
    ends.enumerate().for_each(|(n, end)| assert_eq!(end, first, "order {n}"));
}

/// The preauthorization turns out to be of the source: what another one placed on its capture was meant for none.
#[test]
fn a_capture_is_free_of_another_source_once_its_preauthorization_is_bound() {
    let bound = tell(9, event(9, Kind::Preauth, &["auth"], Default::default()));
    for (n, order) in orders(&[preauth(), capture("c"), of_other(10, "x"), bound]).into_iter().enumerate() {
        let mut played = Told::new(&order);
        assert_eq!((played.paid("c"), played.record(Kind::Payment, "c").source), (0, None), "order {n}");
        played.step(&own(11, "c", "cap"));
        assert_eq!(played.paid("c"), 40, "order {n}");
    }
}
