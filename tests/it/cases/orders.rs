//! The orders in which a case is played.

use fastrand::Rng;

use super::case::{Case, Registered, Step};

/// The shuffled orders of a case.
const SHUFFLES: u64 = 20;

/// An order of all steps, and its name.
pub(super) type Order = (String, Vec<Step>);

/// All orders of a case, the order of the events first. Registrations after the first ones amend each other, so they keep
/// their order.
pub(super) fn orders(case: &Case) -> Vec<Order> {
    let first = registrations(&case.records);
    let steps = &case.notifications;
    let told: Vec<Step> = steps.iter().filter(|step| step.registered().is_none()).cloned().collect();
    let amended: Vec<Step> = steps.iter().filter(|step| step.registered().is_some()).cloned().collect();
    let backwards: Vec<Step> = told.iter().rev().cloned().collect();
    let after = |steps: Vec<Step>| [first.clone(), steps].concat();
    let last = |told: &[Step], records: &[Step]| [told, records, &amended].concat();
    let mut orders = vec![
        ("forward".to_owned(), after(steps.clone())),
        ("each twice".to_owned(), after(steps.iter().flat_map(twice).collect())),
        ("registered last".to_owned(), last(&told, &first)),
    ];
    if case.ordered {
        return orders;
    }
    let first_backwards: Vec<Step> = first.iter().rev().cloned().collect();
    orders.extend([
        ("reversed".to_owned(), after(rearranged(steps, |steps| steps.reverse()))),
        ("all twice".to_owned(), after([steps.clone(), told.clone()].concat())),
        ("registered last, reversed".to_owned(), last(&told, &first_backwards)),
        ("reversed, registered last".to_owned(), last(&backwards, &first)),
        ("reversed, registered last, reversed".to_owned(), last(&backwards, &first_backwards)),
    ]);
    orders.extend((0..SHUFFLES).map(|seed| {
        let shuffled = rearranged(steps, |steps| Rng::with_seed(seed).shuffle(steps));
        (format!("shuffled by {seed}"), after(shuffled))
    }));
    orders
}

fn registrations(records: &[Registered]) -> Vec<Step> {
    records.iter().map(|register| Step::Register { register: register.clone() }).collect()
}

/// A notification twice in a row.
fn twice(step: &Step) -> Vec<Step> {
    let times = if step.registered().is_some() { 1 } else { 2 };
    vec![step.clone(); times]
}

/// The steps in another order; the registrations among them keep theirs.
fn rearranged(steps: &[Step], by: impl FnOnce(&mut [Step])) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let amended: Vec<Step> = steps.iter().filter(|step| step.registered().is_some()).cloned().collect();
    by(&mut steps);
    let places = steps.iter_mut().filter(|step| step.registered().is_some());
    places.zip(amended).for_each(|(place, step)| *place = step);
    steps
}

/// The steps of all orders, as letters: A and B are registered first, a and b between the notifications 1, 2 and 3.
#[test]
fn every_order_has_all_steps_and_keeps_the_order_of_the_registrations_between() {
    let register = |id: &str| format!(r#"{{"kind":"payment","id":"{id}","body":{{}}}}"#);
    let between = |id: &str| format!(r#"{{"register":{}}}"#, register(id));
    let notify = |id: &str| format!(r#"{{"profile":"stripe","body":"{id}"}}"#);
    let steps = [notify("1"), between("a"), notify("2"), between("b"), notify("3")].join(",");
    let text = format!(
        r#"{{"title":"","kind":"","why":"","records":[{},{}],"notifications":[{steps}],"expected":{{}}}}"#,
        register("A"),
        register("B"),
    );
    let mut case: Case = serde_json::from_str(&text).unwrap();
    let letters = |case: &Case| -> Vec<String> {
        let letter = |step: &Step| match step {
            Step::Register { register } => register.key().id.to_string(),
            Step::Notify(notification) => notification.body.as_str().unwrap().to_owned(),
        };
        orders(case).iter().map(|(_, steps)| steps.iter().map(letter).collect()).collect()
    };
    let played = letters(&case);
    let first = ["AB1a2b3", "AB11a22b33", "123ABab", "AB3a2b1", "AB1a2b3123", "123BAab", "321ABab", "321BAab"];
    assert_eq!(played[..8], first);
    let shuffled = &played[8..];
    assert_eq!(shuffled.len(), 20);
    for order in shuffled {
        assert!("AB123ab".chars().all(|step| order.matches(step).count() == 1), "{order}");
        assert!(order.find('a') < order.find('b'), "{order}");
    }
    assert!(shuffled.iter().collect::<std::collections::BTreeSet<_>>().len() > 10, "{shuffled:?}");
    case.ordered = true;
    assert_eq!(letters(&case), first[..3]);
}
