//! Histories of few steps, each in every order in which its steps can come. They are played on the core alone, on all processors.

use std::env;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::time::Instant;

use super::plays::play;
use super::steps::{RECORDS, Step, can_be_without_id, event, registration, tell};
use crate::store::core::InMemory;

/// The histories that are played without `HISTORIES`. A debug build plays them in some seconds.
const HISTORIES: usize = 5_000;

/// The steps of a history.
const STEPS: usize = 4;

/// The orders of the steps of a history.
const ORDERS: usize = 24;

/// The kinds of families: the places of their records in [`RECORDS`], and the objects of the PSP that concern these.
const FAMILIES: [(&[usize], &[usize]); 3] =
    [(&[0, 1, 2, 6], &[0, 1, 2, 3, 8, 9, 11, 12]), (&[3, 4, 5, 7], &[4, 5, 6, 7]), (&[3, 7, 8], &[4, 10])];

/// A number from the environment.
fn given(name: &str) -> Option<u64> {
    let said = env::var(name).ok()?;
    Some(said.parse().unwrap_or_else(|_| panic!("{name} = {said:?} is not a whole number")))
}

/// The chance behind the histories with this number: they are the same for one seed.
fn runner(number: usize) -> TestRunner {
    let seed = given("PROPTEST_RNG_SEED").unwrap_or_default();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&u64::try_from(number).unwrap().to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn pick<T: Debug>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

/// The steps of a history: registrations of one family, and at least one event that concerns it.
fn history(runner: &mut TestRunner) -> Vec<Step> {
    let (records, objects) = FAMILIES[pick(runner, &(0..FAMILIES.len()))];
    let registrations = pick(runner, &(1..STEPS));
    let mut steps: Vec<Step> = (0..registrations)
        .map(|_| {
            let record = RECORDS[records[pick(runner, &(0..records.len()))]];
            registration(record, !can_be_without_id(record) || pick(runner, &(0..3)) > 0)
        })
        .collect();
    let events = event(objects.to_vec());
    steps.extend((registrations..STEPS).map(|number| tell(pick(runner, &events), number)));
    steps
}

/// Each order of these steps, by Heap's algorithm: two of them change their places from one order to the next.
fn in_each_order(mut steps: Vec<Step>, mut told: impl FnMut(&[Step])) {
    let mut turns = [0; STEPS];
    told(&steps);
    let mut place = 1;
    while place < STEPS {
        if turns[place] < place {
            steps.swap(if place.is_multiple_of(2) { 0 } else { turns[place] }, place);
            told(&steps);
            turns[place] += 1;
            place = 1;
        } else {
            turns[place] = 0;
            place += 1;
        }
    }
}

/// Plays a history in each of its orders.
///
/// # Panics
/// If two orders end in different states.
fn ends_the_same(steps: Vec<Step>) {
    let first = play(&InMemory::new(), &steps);
    in_each_order(steps.clone(), |order| {
        assert_eq!(play(&InMemory::new(), order), first, "one order:\n{order:#?}\nthe other:\n{steps:#?}");
    });
}

#[test]
fn few_steps_end_the_same_in_each_of_their_orders_on_the_core() {
    let wanted = given("HISTORIES").map_or(HISTORIES, |said| usize::try_from(said).unwrap());
    let (began, next) = (Instant::now(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number * ORDERS >= wanted {
                        return;
                    }
                    ends_the_same(history(&mut runner(number)));
                }
            });
        }
    });
    println!("{wanted} histories in {:?}", began.elapsed());
}

#[test]
fn each_order_comes_once() {
    let steps: Vec<Step> = RECORDS.iter().take(STEPS).map(|record| registration(*record, true)).collect();
    let mut orders = std::collections::BTreeSet::new();
    in_each_order(steps, |order| assert!(orders.insert(format!("{order:?}")), "it comes twice"));
    assert_eq!(orders.len(), ORDERS);
}
