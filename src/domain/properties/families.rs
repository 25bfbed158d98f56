//! A family: a preauthorization, the payments that capture it, and their refunds, told in any order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::history::{Told, events, record, settled, told};
use crate::domain::family;
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::status::Status;
use crate::domain::view::{Detail, View, confirmed_refund, is_cancellation, paid};

/// The records by their names; each with the events that concern it.
const MEMBERS: [(&str, Kind); 5] = [
    ("preauth", Kind::Preauth),
    ("capture", Kind::Payment),
    ("another", Kind::Payment),
    ("refund", Kind::Refund),
    ("rest", Kind::Refund),
];

type Family = BTreeMap<&'static str, Record>;
type News = (&'static str, Told);

fn family() -> Family {
    let member = |(name, kind)| {
        let mut record = record(kind, name, 100);
        match kind {
            Kind::Payment => record.registered.preauth_id = Some("preauth".parse().unwrap()),
            Kind::Refund => record.registered.payment_id = Some("capture".parse().unwrap()),
            _ => {}
        }
        (name, record)
    };
    MEMBERS.into_iter().map(member).collect()
}

fn news() -> impl Strategy<Value = Vec<News>> {
    let of = |(name, kind): (&'static str, Kind)| {
        events(kind).prop_map(move |events| {
            let named = |(mut event, layer): Told| {
                event.key = format!("{name} {}", event.key);
                (name, (event, layer))
            };
            events.into_iter().map(named).collect::<Vec<_>>()
        })
    };
    MEMBERS.map(of).prop_map(|all| all.into_iter().flatten().collect())
}

/// One telling, and another one: shuffled, with repetitions.
fn retold() -> impl Strategy<Value = (Vec<News>, Vec<News>)> {
    news().prop_flat_map(|news| {
        let twice: Vec<_> = news.iter().chain(&news).cloned().collect();
        (Just(news), Just(twice).prop_shuffle())
    })
}

fn tell(mut family: Family, news: &[News]) -> Family {
    for (name, (event, layer)) in news {
        let parent = family::parent(&family[name]).map(|(_, id)| id.clone());
        let parent = parent.and_then(|id| family.values().find(|record| record.key.id == id));
        let before = parent.cloned();
        let moved = family::apply(&family[name], parent, (event, *layer), Timestamp::UNIX_EPOCH).unwrap();
        family.insert(name, moved.record);
        let Some((before, after)) = before.zip(moved.parent) else { continue };
        let changed = View::of(&before) != View::of(&after);
        assert_eq!((changed, changed), (moved.parent_changed, after.last_updated > before.last_updated));
        assert_eq!(after.version, before.version + u64::from(changed));
        let (name, _) = MEMBERS.into_iter().find(|(name, _)| *name == after.key.id.as_str()).unwrap();
        family.insert(name, after);
    }
    family
}

proptest! {
    #[test]
    fn a_family_ends_the_same_in_any_order((once, again) in retold()) {
        let ends = [once, again].map(|news| tell(family(), &news));
        for (name, _) in MEMBERS {
            prop_assert_eq!(settled(&ends[0][name]), settled(&ends[1][name]));
        }
    }

    #[test]
    fn refunds_and_captures_move_their_parents(news in news()) {
        let alone = |name: &str| {
            let own: Vec<Told> = news.iter().filter(|(of, _)| *of == name).map(|(_, told)| told.clone()).collect();
            told(&family()[name], &own)
        };
        let end = tell(family(), &news);
        for refund in ["refund", "rest"] {
            let known = end["capture"].refunds.get(&refund.parse().unwrap());
            prop_assert_eq!(known.copied(), confirmed_refund(&alone(refund)));
            let is_known = end["capture"].cancelled_by.contains(&refund.parse().unwrap());
            prop_assert_eq!(is_known, is_cancellation(&alone(refund)));
        }
        for name in ["capture", "another"] {
            let Detail::Payment(detail) = View::of(&end[name]).detail else { panic!("a payment") };
            let (paid, gone) = (paid(&end[name]), detail.chargebacks.iter().map(|one| one.amount).sum::<Decimal>());
            prop_assert!(detail.refunded + detail.refundable <= paid);
            prop_assert_eq!(detail.refundable, (paid - detail.refunded - gone).max(Decimal::ZERO));
            let captured = end["preauth"].captures.get(&name.parse().unwrap()).copied().unwrap_or_default();
            prop_assert_eq!(captured, paid);
            let full = paid >= Decimal::from(100);
            prop_assert_eq!(View::of(&end[name]).status == Status::Succeeded, full, "only with the full amount");
        }
        let view = View::of(&end["preauth"]);
        let captured: Decimal = end["preauth"].captures.values().sum();
        let named = View::of(&alone("preauth"));
        if named.status.has_ended() && captured > Decimal::ZERO {
            let Detail::Preauth { authorized, .. } = view.detail else { panic!("a preauthorization") };
            prop_assert_eq!((view.status, authorized), (Status::Succeeded, captured));
        } else {
            prop_assert_eq!(view, named);
        }
    }
}
