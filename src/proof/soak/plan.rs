//! The plan of a life's telling: the times, repetitions and batches of its notifications, which of them are also forged or
//! broken off, and the times at which the payment stack registers its records. Pure, like the lives.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::lives::{Chance, Fate, Life, Notification, Registration};

/// An action, and its time after the beginning of the life.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) after: Duration,
    pub(super) act: Act,
}

/// The action of a step.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Register(Arc<Registration>),
    /// Send a notification again and again until it is acknowledged.
    Post(Arc<Post>),
    /// Send a notification signed without the secret.
    Forge(Arc<Post>),
    /// Send half of a notification, and break the connection.
    BreakOff(Arc<Post>),
}

/// A notification to be signed and sent.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) source: &'static str,
    pub(super) form: Option<&'static str>,
    pub(super) body: Value,
    pub(super) fate: Fate,
    /// The records of which it speaks, by type code and id.
    pub(super) concerns: Vec<(u8, String)>,
    /// The life's label, for people.
    pub(super) label: Arc<str>,
}

/// The steps of a life, in the order of their times.
pub(super) fn plan(life: &Life, chance: &mut Chance) -> Vec<Step> {
    let label: Arc<str> = life.label.as_str().into();
    let span = chance.millis(0, 6_000);
    let mut steps = Vec::new();
    // Often all records are registered first. Otherwise notifications overtake registrations.
    let registered_by = if chance.one_in(3) { 0 } else { span };
    for one in &life.registrations {
        for _ in 0..chance.pick(&[1, 1, 1, 2]) {
            let after = chance.millis(0, registered_by);
            steps.push(step(after, Act::Register(Arc::new(one.clone()))));
        }
    }
    let posts = posts(life, &label, chance);
    let in_order = chance.one_in(3);
    let count = u64::try_from(posts.len()).unwrap_or(1).max(1);
    for (number, post) in posts.into_iter().enumerate() {
        let number = u64::try_from(number).unwrap_or_default();
        let post = Arc::new(post);
        for copy in 0..chance.pick(&[1, 1, 1, 2, 2, 3, 5]) {
            let after = match (in_order, copy) {
                (true, 0) => span * number / count,
                // This repetition is sent concurrently with the first.
                (true, 1) => span * number / count,
                _ => chance.millis(0, span),
            };
            steps.push(step(after, Act::Post(Arc::clone(&post))));
        }
        if chance.one_in(25) {
            let after = chance.millis(0, span);
            steps.push(step(after, Act::BreakOff(Arc::clone(&post))));
        }
        if chance.one_in(25) {
            let mut forged = Post { concerns: Vec::new(), label: Arc::clone(&label), body: post.body.clone(), ..*post };
            forged.body["forged"] = chance.hex(8).into();
            let after = chance.millis(0, span);
            steps.push(step(after, Act::Forge(Arc::new(forged))));
        }
    }
    // Steps at the same moment come in any order.
    chance.shuffle(&mut steps);
    steps.sort_by_key(|step| step.after);
    steps
}

const fn step(millis: u64, act: Act) -> Step {
    Step { after: Duration::from_millis(millis), act }
}

/// The notifications of a life, without repetitions of the very same bytes. Adyen's items come alone and in batches.
/// Stripe's events come also in the form of their later repetitions.
fn posts(life: &Life, label: &Arc<str>, chance: &mut Chance) -> Vec<Post> {
    let mut posts = Vec::new();
    let mut batch: Vec<&Notification> = Vec::new();
    for one in &life.notifications {
        let items = one.body.get("notificationItems").is_some() && one.fate == Fate::Reaches;
        if items && chance.one_in(3) {
            batch.push(one);
            if batch.len() < 4 && !chance.one_in(3) {
                continue;
            }
            posts.push(batched(&batch, label));
            batch.clear();
            // Now and then the item comes alone as well.
            if !chance.one_in(3) {
                continue;
            }
        }
        posts.push(alone(one, label));
        if one.body.get("pending_webhooks").is_some() && chance.one_in(5) {
            let mut again = alone(one, label);
            again.body["pending_webhooks"] = 0.into();
            posts.push(again);
        }
    }
    if !batch.is_empty() {
        posts.push(batched(&batch, label));
    }
    posts
}

fn alone(one: &Notification, label: &Arc<str>) -> Post {
    Post {
        source: one.source,
        form: one.form,
        body: one.body.clone(),
        fate: one.fate,
        concerns: vec![one.concerns.clone()],
        label: Arc::clone(label),
    }
}

fn batched(batch: &[&Notification], label: &Arc<str>) -> Post {
    let items: Vec<_> = batch.iter().map(|one| one.body["notificationItems"][0].clone()).collect();
    Post {
        source: batch.first().map_or("", |one| one.source),
        form: None,
        body: json!({"live": "false", "notificationItems": items}),
        fate: Fate::Reaches,
        concerns: batch.iter().map(|one| one.concerns.clone()).collect(),
        label: Arc::clone(label),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The items of a notification, or the whole if it has none, without the fields that a repetition may change.
    fn said(body: &Value) -> Vec<String> {
        match body["notificationItems"].as_array() {
            Some(items) => items.iter().map(ToString::to_string).collect(),
            None => {
                let mut body = body.clone();
                body.as_object_mut().unwrap().shift_remove("pending_webhooks");
                vec![body.to_string()]
            }
        }
    }

    #[test]
    fn everything_is_told_and_registered_and_the_same_seed_tells_it_the_same_way() {
        for number in 0..200 {
            let life = Life::of(7, number);
            let steps = plan(&life, &mut Chance::of(7, "plan", number));
            let again = plan(&life, &mut Chance::of(7, "plan", number));
            assert_eq!(format!("{steps:?}"), format!("{again:?}"));
            let (mut told, mut registered) = (BTreeSet::new(), BTreeSet::new());
            for step in &steps {
                match &step.act {
                    Act::Post(post) => told.extend(said(&post.body)),
                    Act::Register(one) => drop(registered.insert(one.id.clone())),
                    Act::Forge(post) => assert!(post.body.get("forged").is_some()),
                    Act::BreakOff(_) => {}
                }
            }
            let all: BTreeSet<_> = life.notifications.iter().flat_map(|one| said(&one.body)).collect();
            assert_eq!(told, all, "{}", life.label);
            assert_eq!(registered, life.registrations.iter().map(|one| one.id.clone()).collect());
        }
    }
}
