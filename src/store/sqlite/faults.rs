//! Fault tests: the engine fails at every point of a piece of work. After a fault nothing of the work stays, nobody is
//! told that it is done, and nobody is woken. When the work is done again, it ends as if nothing had happened.

mod rig;
mod scenarios;
mod work;

use std::collections::BTreeSet;

use self::rig::{Fault, GroupFault, Point, Rig};
use self::scenarios::Scenario;
use self::work::{Work, notified, paid, payment};

/// Tables that no notification, registration or settlement writes.
const NOT_HIT: [&str; 1] = ["probe"];
const WRITES: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// A history with two records that a scenario does not concern.
fn history(scenario: &Scenario) -> Vec<Work> {
    let bystanders = [payment("by-1", "pi_by_1"), payment("by-2", "pi_by_2")];
    bystanders.into_iter().chain(scenario.history.iter().cloned()).collect()
}

/// Work that comes in together with a scenario's, before and after it.
fn bystanders() -> [Work; 2] {
    [notified(901, vec![paid(10, &["pi_by_1"], 10)]), notified(902, vec![paid(10, &["pi_by_2"], 10)])]
}

/// The end of a run: the store's content, what the callers were told, and what was woken.
#[derive(Debug, PartialEq, Eq)]
struct End {
    dump: String,
    told: Vec<String>,
    woken: Vec<String>,
}

async fn end_of(rig: &Rig, works: &[&Work]) -> End {
    let mut told = Vec::new();
    for work in works {
        told.push(rig.run(work).await.unwrap());
    }
    End { dump: rig.dump(), told, woken: rig.woken() }
}

/// The end of a scenario without a fault.
async fn undisturbed(scenario: &Scenario) -> End {
    end_of(&Rig::new(&history(scenario)).await, &[&scenario.work]).await
}

/// The points of a scenario's work, without the points of its savepoint.
async fn points(scenario: &Scenario) -> BTreeSet<Point> {
    let rig = Rig::new(&history(scenario)).await;
    let told = rig.run_with(Fault::None, &scenario.work).await.unwrap();
    assert!(told.contains(scenario.says), "{}: {told}", scenario.name);
    rig.points().into_iter().filter(|(action, _)| *action != "SAVEPOINT").collect()
}

#[tokio::test]
async fn every_table_is_hit() {
    let mut hit = BTreeSet::new();
    for scenario in scenarios::all() {
        hit.extend(points(&scenario).await);
    }
    let written: BTreeSet<_> = hit.iter().filter(|(action, _)| WRITES.contains(action)).collect();
    let tables = Rig::new(&[]).await.tables();
    assert!(!tables.is_empty());
    for table in tables {
        let hit = written.iter().any(|(_, written)| *written == table);
        assert_eq!(hit, !NOT_HIT.contains(&table.as_str()), "{table}: {written:?}");
    }
}

/// The engine refuses one action on one table in the middle of a piece of work.
#[tokio::test]
async fn what_fails_leaves_nothing_and_can_be_done_again() {
    for scenario in scenarios::all() {
        let expected = undisturbed(&scenario).await;
        let rig = Rig::new(&history(&scenario)).await;
        let before = rig.dump();
        for point in points(&scenario).await {
            let context = format!("{}, {point:?}", scenario.name);
            let told = rig.run_with(Fault::Deny(point), &scenario.work).await;
            assert!(told.is_err(), "{context}: {told:?}");
            assert_eq!(rig.dump(), before, "{context}");
            assert_eq!(rig.woken(), Vec::<String>::new(), "{context}");
        }
        assert_eq!(end_of(&rig, &[&scenario.work]).await, expected, "{}", scenario.name);
    }
}

/// After each single fault the work is done again, each time on a new store.
#[tokio::test]
async fn what_failed_once_ends_as_if_it_had_not() {
    for scenario in scenarios::all() {
        let expected = undisturbed(&scenario).await;
        for point in points(&scenario).await.into_iter().filter(|(action, _)| *action != "READ") {
            let rig = Rig::new(&history(&scenario)).await;
            let context = format!("{}, {point:?}", scenario.name);
            rig.run_with(Fault::Deny(point), &scenario.work).await.unwrap_err();
            assert_eq!(end_of(&rig, &[&scenario.work]).await, expected, "{context}");
        }
    }
}

/// One piece of work fails. The other work that was queued and is committed with it is not affected.
#[tokio::test]
async fn what_is_in_the_same_group_is_not_taken_along() {
    let [first, last] = bystanders();
    for scenario in scenarios::all() {
        let expected = end_of(&Rig::new(&history(&scenario)).await, &[&first, &last]).await;
        for point in points(&scenario).await.into_iter().filter(|(action, _)| WRITES.contains(action)) {
            let rig = Rig::new(&history(&scenario)).await;
            let context = format!("{}, {point:?}", scenario.name);
            let [before, told, after] = rig.group(Fault::Deny(point), [&first, &scenario.work, &last]).await;
            assert!(told.is_err(), "{context}: {told:?}");
            let told = vec![before.unwrap(), after.unwrap()];
            assert_eq!(End { dump: rig.dump(), told, woken: rig.woken() }, expected, "{context}");
        }
    }
}

/// The engine rolls a whole group back. Each caller gets the error, and all work of the group can be done again.
#[tokio::test]
async fn what_was_taken_back_was_told_to_nobody() {
    let [first, last] = bystanders();
    for scenario in scenarios::all() {
        let works = [&first, &scenario.work, &last];
        let expected = end_of(&Rig::new(&history(&scenario)).await, &works).await;
        for fault in [GroupFault::Begin, GroupFault::Commit, GroupFault::CommitAndRollback, GroupFault::Hook] {
            let rig = Rig::new(&history(&scenario)).await;
            let (before, context) = (rig.dump(), format!("{}, {fault:?}", scenario.name));
            for work in works {
                rig.break_group(fault);
                rig.run(work).await.unwrap_err();
                assert!(rig.broken(), "{context}");
                assert_eq!(rig.dump(), before, "{context}");
                if fault == GroupFault::CommitAndRollback {
                    // The transaction that could not be rolled back makes the next group fail, which rolls it back.
                    rig.run(work).await.unwrap_err();
                    assert_eq!(rig.dump(), before, "{context}");
                }
            }
            assert_eq!(rig.woken(), Vec::<String>::new(), "{context}");
            assert_eq!(end_of(&rig, &works).await, expected, "{context}");
        }
    }
}

/// Up to `most` of the engine's steps in a scenario's work, spread over all of them.
async fn steps(scenario: &Scenario, most: u32) -> impl Iterator<Item = u32> + use<> {
    let rig = Rig::new(&history(scenario)).await;
    rig.run_with(Fault::None, &scenario.work).await.unwrap();
    let steps = rig.steps();
    assert!(steps > 10, "{}: {steps}", scenario.name);
    (1..=steps).step_by(usize::try_from(steps / most + 1).unwrap())
}

/// The engine breaks off at any step, between statements and in the middle of them.
#[tokio::test]
async fn what_is_broken_off_leaves_nothing() {
    for scenario in scenarios::all() {
        let expected = undisturbed(&scenario).await;
        let rig = Rig::new(&history(&scenario)).await;
        let before = rig.dump();
        for step in steps(&scenario, 100).await {
            let told = rig.run_with(Fault::Interrupt(step), &scenario.work).await;
            assert!(told.is_err(), "{}, step {step}: {told:?}", scenario.name);
            assert_eq!((rig.dump(), rig.woken()), (before.clone(), vec![]), "{}, step {step}", scenario.name);
        }
        assert_eq!(end_of(&rig, &[&scenario.work]).await, expected, "{}", scenario.name);
    }
}

/// The engine breaks off in a group: in the middle of a writing statement it rolls the whole group back. Work that is
/// reported as done is in the store; work that is reported as failed leaves nothing.
#[tokio::test]
async fn broken_off_with_others_it_is_there_or_it_is_not() {
    let [first, last] = bystanders();
    let mut ends = BTreeSet::new();
    for scenario in scenarios::all() {
        let works = [&first, &scenario.work, &last];
        let before = Rig::new(&history(&scenario)).await.dump();
        let all = end_of(&Rig::new(&history(&scenario)).await, &works).await;
        let others = end_of(&Rig::new(&history(&scenario)).await, &[&first, &last]).await;
        for step in steps(&scenario, 8).await {
            let rig = Rig::new(&history(&scenario)).await;
            let context = format!("{}, step {step}", scenario.name);
            let told = rig.group(Fault::Interrupt(step), works).await;
            ends.insert(told.each_ref().map(Result::is_ok));
            match told {
                [Ok(one), Err(_), Ok(two)] => {
                    let end = End { dump: rig.dump(), told: vec![one, two], woken: rig.woken() };
                    assert_eq!(end, others, "{context}");
                }
                [Err(_), Err(_), Err(_)] => {
                    assert_eq!((rig.dump(), rig.woken()), (before.clone(), vec![]), "{context}");
                    assert_eq!(end_of(&rig, &works).await, all, "{context}");
                }
                other => panic!("{context}: {other:?}"),
            }
        }
    }
    assert_eq!(ends.len(), 2, "a group was taken back, and another was not: {ends:?}");
}

/// The engine refuses to begin the savepoint of a piece of work, to release it, or to roll back to it.
#[tokio::test]
async fn a_savepoint_that_cannot_be_ended_leaves_nothing() {
    let [first, last] = bystanders();
    for scenario in scenarios::all() {
        let before = Rig::new(&history(&scenario)).await.dump();
        let others = end_of(&Rig::new(&history(&scenario)).await, &[&first, &last]).await;
        let begin = Fault::Deny(("SAVEPOINT", "BEGIN".to_owned()));
        let release = Fault::Deny(("SAVEPOINT", "RELEASE".to_owned()));
        let keep = points(&scenario).await.into_iter().filter(|(action, _)| WRITES.contains(action));
        for fault in [begin, release].into_iter().chain(keep.map(Fault::DenyAndKeep)) {
            let rig = Rig::new(&history(&scenario)).await;
            let context = format!("{}, {fault:?}", scenario.name);
            match rig.group(fault, [&first, &scenario.work, &last]).await {
                [Ok(one), Err(_), Ok(two)] => {
                    let end = End { dump: rig.dump(), told: vec![one, two], woken: rig.woken() };
                    assert_eq!(end, others, "{context}");
                }
                [Err(_), Err(_), Err(_)] => {
                    assert_eq!((rig.dump(), rig.woken()), (before.clone(), vec![]), "{context}");
                }
                other => panic!("{context}: {other:?}"),
            }
        }
    }
}
