//! Hints: notifications that nobody vouches for. The object that a hint points to is fetched from the PSP. Nothing else
//! of a hint is believed, and only its call is kept.

use rusqlite::Connection;

use super::fetches::{self, Asker};
use super::{fetch_ends, held, inbox, records, waiting};
use crate::store::{Admission, HintError, Hinted, Outcome, Receipt};

/// Takes a hint, or returns the limit of strangers' slots that is reached.
pub(super) fn take(connection: &Connection, hinted: &Hinted) -> rusqlite::Result<Result<Receipt, HintError>> {
    let (mut first, mut displaced) = (None, 0);
    for (id, path) in &hinted.calls {
        let (asker, displacing) = match asker(connection, hinted, path)? {
            Ok(admitted) => admitted,
            Err(full) => return Ok(Err(full)),
        };
        displaced += u32::from(displacing);
        let asked = fetches::ask(connection, &hinted.source, path, asker, hinted.received_at.steady)?;
        let kept = inbox::hint(connection, &hinted.source, path)?;
        let id = match kept {
            Some(kept) => kept,
            None => {
                inbox::insert_hint(connection, *id, hinted, path)?;
                *id
            }
        };
        fetches::wait(connection, asked, id, 0)?;
        first.get_or_insert(id);
    }
    let receipt = |id| Receipt { displaced, fetches: true, ..Receipt::of(id, Outcome::Fetching) };
    Ok(first.map(receipt).ok_or(HintError::Crowded))
}

/// The error of a hint that is refused. A reader finds it, since a flood must not keep the writer busy. If the counts
/// are not sound, the writer decides.
pub(super) fn refused(connection: &Connection, hinted: &Hinted) -> rusqlite::Result<Option<HintError>> {
    let source = hinted.source.as_str();
    for (_, path) in &hinted.calls {
        if records::is_known(connection, source, path)? || fetches::is_waited_for(connection, source, path)? {
            continue;
        }
        let held = held::of(connection, source, &hinted.address)?;
        return Ok(match hinted.slots.admit(held.taken) {
            Admission::Full if held.sound => Some(HintError::Crowded),
            Admission::AddressFull if held.sound => Some(HintError::AddressFull),
            _ => None,
        });
    }
    Ok(None)
}

/// The asker for an object of a hint, and whether another hint lost its slot to it; or the reason why there is no slot.
/// An object with a registered record is no stranger's: a flood of made-up ids cannot keep it out.
fn asker<'a>(
    connection: &Connection,
    hinted: &'a Hinted,
    path: &str,
) -> rusqlite::Result<Result<(Asker<'a>, bool), HintError>> {
    let (source, address) = (hinted.source.as_str(), hinted.address.as_str());
    if records::is_known(connection, source, path)? {
        return Ok(Ok((Asker::Hint, false)));
    }
    let stranger = Asker::Stranger { address };
    if fetches::is_waited_for(connection, source, path)? {
        return Ok(Ok((stranger, false)));
    }
    let mut held = held::of(connection, source, address)?;
    // By a damaged count, no hint is refused and no slot is taken away.
    if !held.sound && held::recount(connection, source)? {
        tracing::error!(
            source,
            "the counts of hints were damaged; they were made anew. Check the disk and the memory of the machine"
        );
        held = held::of(connection, source, address)?;
    }
    Ok(match hinted.slots.admit(held.taken) {
        Admission::Free => Ok((stranger, false)),
        Admission::Displacing if displace(connection, source, &held.largest)? => Ok((stranger, true)),
        Admission::Displacing | Admission::Full => Err(HintError::Crowded),
        Admission::AddressFull => Err(HintError::AddressFull),
    })
}

/// Takes a slot from an address. The object that loses it is one that the PSP did not know, or else the one that would
/// be fetched last. An object that was fetched once was not made up, and stays. Returns whether there was a slot to
/// take.
fn displace(connection: &Connection, source: &str, address: &str) -> rusqlite::Result<bool> {
    let Some(fetch) = fetches::least_of(connection, source, address)? else { return Ok(false) };
    let waiting = waiting::awaiting(connection, fetch, i64::MAX, usize::MAX)?;
    fetches::let_go(connection, fetch)?;
    for waiting in waiting.iter().filter(|waiting| waiting.notification.outcome == Outcome::Fetching) {
        fetch_ends::drop_hint(connection, waiting.notification.id)?;
    }
    fetches::delete(connection, fetch)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::{migrations, turns};
    use super::*;
    use crate::domain::due::{Debounce, Moment};
    use crate::store::{
        Answered, AskedBy, Fetch, FetchFailed, FetchesSought, HintSlots, Keep, ParkedLimits, StoreOptions,
    };

    const SLOTS: HintSlots = HintSlots { all: 1000, each: 250 };
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A store where `/known/0` to `/known/19` are objects of ours.
    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut connection).unwrap();
        connection
            .execute(
                "INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (1, 'tx-1', 2, NULL, '{}')",
                [],
            )
            .unwrap();
        for n in 0..20 {
            connection
                .execute("INSERT INTO psp_ids (psp_id, kind, source, record) VALUES (?1, 2, 's', 1)", [format!("{n}")])
                .unwrap();
        }
        connection
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn hint(connection: &Connection, path: &str, now: Timestamp) -> Uuid {
        let hinted = Hinted {
            source: "s".to_owned(),
            received_at: Moment { wall: now, steady: now },
            form: "hint".to_owned(),
            calls: vec![(Uuid::now_v7(), path.to_owned())],
            address: "192.0.2.1".to_owned(),
            slots: SLOTS,
        };
        take(connection, &hinted).unwrap().unwrap().id
    }

    fn due(connection: &Connection, most: usize, now: Timestamp) -> Vec<Fetch> {
        let sought = FetchesSought { source: "s".to_owned(), now, most, strangers: most, slots: SLOTS };
        turns::due(connection, &sought).unwrap().rows
    }

    fn options() -> StoreOptions {
        StoreOptions {
            path: "none".into(),
            must_exist: false,
            debounce: Debounce { quiet: DAY, max_wait: DAY },
            max_waiting: 1,
            parked: ParkedLimits { per_source: 1, max_age: DAY },
            keep: Keep {
                notifications: DAY,
                dead_letters: DAY,
                dead_letters_size: u64::MAX,
                attempts: DAY,
                history: DAY,
            },
        }
    }

    /// Fetches the object, which has not changed.
    fn fetched(connection: &Connection, fetch: &Fetch, now: Timestamp) {
        let waiting = waiting::awaiting(connection, fetch.id, fetch.asked, 50).unwrap();
        let read = waiting.iter().map(|one| {
            let message =
                crate::domain::message::Message::new("x".to_owned(), crate::domain::message::Meaning::Ignored);
            (one.notification.id, one.message, message)
        });
        let read = read.collect();
        let (fetch, asked) = (fetch.id, fetch.asked);
        let answered = Answered { fetch, asked, began: now, fetched_at: now, body: b"{}".to_vec(), read };
        fetch_ends::answered(connection, &options(), &answered, Moment { wall: now, steady: now }).unwrap();
    }

    /// The milliseconds at which one known object is fetched. A hint points to it every half second.
    fn fetches_of_one(connection: &Connection, from: i64, until: i64) -> Vec<i64> {
        let mut begun = Vec::new();
        for millis in (from..until).step_by(500) {
            hint(connection, "/known/0", at(millis));
            for fetch in due(connection, 9, at(millis)) {
                begun.push(millis);
                fetched(connection, &fetch, at(millis));
            }
        }
        begun
    }

    #[test]
    fn a_hint_that_is_repeated_in_vain_waits_longer_each_time() {
        let connection = store();
        let begun = fetches_of_one(&connection, 0, 130_000);
        assert_eq!(begun, [0, 1, 3, 7, 15, 31, 63, 95, 127].map(|second| second * 1000));
        // No hint points to it for a while.
        assert_eq!(fetches_of_one(&connection, 900_000, 903_500), [900_000, 901_000, 903_000]);
    }

    /// Signed news of the PSP waits for no hint, and a later hint is not fetched as the PSP's.
    #[test]
    fn what_the_psp_asks_for_is_fetched_at_once_whatever_hints_were_in_vain() {
        let connection = store();
        fetches_of_one(&connection, 0, 64_000);
        assert!(due(&connection, 9, at(70_000)).is_empty());
        let signed = Uuid::now_v7();
        let row = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
            VALUES (?1, 's', 0, x'00', x'01', 'fetching', '[]', x'')";
        connection.execute(row, [signed.into_bytes()]).unwrap();
        let asked = fetches::ask(&connection, "s", "/known/0", Asker::Trusted, at(70_000)).unwrap();
        fetches::wait(&connection, asked, signed, 0).unwrap();
        let begun = due(&connection, 9, at(70_000));
        assert_eq!(begun.iter().map(|fetch| fetch.by).collect::<Vec<_>>(), [AskedBy::Psp]);
        hint(&connection, "/known/0", at(70_100));
        fetched(&connection, &begun[0], at(70_000));
        assert!(due(&connection, 9, at(70_999)).is_empty());
        let begun = due(&connection, 9, at(71_000));
        assert_eq!(begun.iter().map(|fetch| fetch.by).collect::<Vec<_>>(), [AskedBy::Hint]);
    }

    /// Hints may come before the PSP's API knows the object. Signed news of it is fetched at once, with all its
    /// attempts. A wait that the PSP asked for stands.
    #[test]
    fn what_the_psp_tells_of_is_fetched_at_once_though_it_was_missing() {
        for (wait, first) in [(300, 11_000), (3600, 3_600_000)] {
            let connection = store();
            hint(&connection, "/known/0", at(0));
            let fetch = due(&connection, 1, at(0))[0].id;
            for _ in 0..5 {
                let again = Some(at(wait * 1000));
                let failed =
                    FetchFailed { fetch, asked: 1, began: at(0), reason: "?".to_owned(), missing: true, again };
                fetch_ends::failed(&connection, &failed).unwrap();
            }
            fetches::ask(&connection, "s", "/known/0", Asker::Trusted, at(10_000)).unwrap();
            let found = due(&connection, 9, at(first));
            assert_eq!(found.len(), 1, "{wait}");
            assert_eq!((found[0].by, found[0].attempts), (AskedBy::Psp, if wait == 300 { 0 } else { 5 }));
            let before = if wait == 300 { 9_999 } else { first - 1 };
            let early: Vec<_> = due(&connection, 9, at(before));
            assert!(early.is_empty(), "{wait}: {early:?}");
        }
    }

    /// Hints at nineteen known objects ask for more than ten calls a second. A hint at another object waits behind none
    /// of them.
    #[test]
    fn a_hint_at_an_object_with_news_goes_before_those_that_were_in_vain() {
        let connection = store();
        let mut calls: BTreeMap<String, u32> = BTreeMap::new();
        for millis in (0..120_000).step_by(100) {
            for n in 1..20 {
                hint(&connection, &format!("/known/{n}"), at(millis));
            }
            for fetch in due(&connection, 1, at(millis)) {
                *calls.entry(fetch.path.clone()).or_default() += 1;
                fetched(&connection, &fetch, at(millis));
            }
        }
        assert!(calls.values().all(|calls| (5..=12).contains(calls)), "{calls:?}");
        connection.execute("UPDATE fetches SET due_at = 0", []).unwrap();
        hint(&connection, "/known/0", at(120_000));
        assert_eq!(due(&connection, 1, at(120_000))[0].path, "/known/0");
    }

    /// The steps of SQLite's machine for a refused hint, while this number of addresses have ten waiting objects each.
    fn steps_of_a_refusal(addresses: u32) -> u32 {
        let mut connection = store();
        let rows = format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {addresses} * 10)
             INSERT INTO fetches (source, path, trusted, asked, due_at, hinted_by)
             SELECT 's', '/made-up/' || n, 0, 1, 1, '10.0.0.' || (n % {addresses}) FROM n"
        );
        connection.execute_batch(&rows).unwrap();
        let hinted = Hinted {
            source: "s".to_owned(),
            received_at: Moment { wall: at(9), steady: at(9) },
            form: "hint".to_owned(),
            calls: vec![(Uuid::now_v7(), "/one-more".to_owned())],
            address: "10.0.0.1".to_owned(),
            slots: HintSlots { all: addresses * 10, each: 100 },
        };
        let steps = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = std::sync::Arc::clone(&steps);
        let one = move || count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == u32::MAX;
        connection.progress_handler(1, Some(one)).unwrap();
        for _ in 0..100 {
            let crowded = take(&connection, &hinted).unwrap();
            assert!(matches!(crowded, Err(HintError::Crowded)), "{crowded:?}");
        }
        steps.load(std::sync::atomic::Ordering::Relaxed) / 100
    }

    /// The cost of a refused hint does not grow with the number of waiting ones.
    #[test]
    fn a_hint_is_refused_without_counting_all_that_wait() {
        let (few, many) = (steps_of_a_refusal(10), steps_of_a_refusal(1000));
        assert!(many < few * 2, "{few} steps beside 100 objects, {many} beside 10000");
    }

    #[test]
    fn what_hints_point_to_is_found_by_an_index() {
        let connection = store();
        let mut plan =
            connection.prepare(&format!("EXPLAIN QUERY PLAN SELECT id FROM fetches {}", fetches::HINTED)).unwrap();
        let plan: Vec<String> = plan.query_map([1, 2, 3], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert_eq!(plan.len(), 1);
        assert!(plan[0].contains("fetches_hinted (source=? AND in_vain=? AND due_at<?)"), "{plan:?}");
    }
}
