//! Tests of rereads: notifications are taken by the rules of then, and read again by the rules of today.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use rusqlite::Connection;
use uuid::Uuid;

use super::super::rehearse::{rehearse, without_limits};
use super::*;
use crate::domain::due::Debounce;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::{Identity, Meaning, Message, Normalised};
use crate::domain::record::Record;
use crate::domain::status::Status;
use crate::domain::view::View;
use crate::store::encoding;
use crate::store::rehearsal::{Left, LeftReason, Past, Rehearsal, Reread, Wanted};
use crate::store::{Judgement, Made, Outcome, Owed, StoreOptions, Taken, Wake};

mod families;

const SOURCE: &str = "psp-a";

/// A store, and the meaning that each notification has by the rules of today.
struct Trial {
    folder: TempDir,
    store: Store,
    today: BTreeMap<Uuid, Message>,
    woken: Arc<Mutex<Vec<Owed>>>,
}

fn now() -> Moment {
    let at = Timestamp::from_second(1_700_100_000).unwrap();
    Moment { wall: at, steady: at }
}

fn key(kind: Kind, id: &str) -> RecordKey {
    RecordKey::new(kind, id.parse().unwrap())
}

/// An event with this status, dated by its number.
fn event(kind: &str, n: u32, psp_ids: &[&str], status: &str) -> Event {
    let at = Timestamp::from_second(1_700_000_000 + i64::from(n)).unwrap();
    let event = json!({
        "event_type": "test", "kinds": [kind], "psp_ids": psp_ids, "shared_ids": [], "references": [],
        "at": at, "key": format!("key {n}#0"), "late": false, "currency": null, "facts": {"status": status},
    });
    serde_json::from_value(event).unwrap()
}

/// A message with one event.
fn says(kind: &str, n: u32, psp_ids: &[&str], status: &str) -> Message {
    Message::new("test".to_owned(), Meaning::Events(vec![event(kind, n, psp_ids, status)]))
}

fn not_understood() -> Message {
    Message::new("test".to_owned(), Meaning::NotUnderstood("?".to_owned()))
}

fn normalised(n: u32, message: Message) -> Normalised {
    Normalised { dedupe_key: format!("key {n}"), beside: String::new(), messages: vec![message] }
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(u128::from(n))
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let wakes = Arc::clone(&woken);
        let debounce = Debounce { quiet: Duration::from_secs(1), max_wait: Duration::from_secs(1) };
        let options =
            StoreOptions { path: folder.path().join("relay.db"), debounce, max_waiting: 9, ..without_limits() };
        let store = Store::open(options, Wake::new(move |one| wakes.lock().unwrap().push(one.clone()))).unwrap();
        Self { folder, store, today: BTreeMap::new(), woken }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("relay.db")
    }

    async fn register(&self, kind: Kind, id: &str, said: Value) {
        let mut said = said;
        said["requestedAmount"] = json!(10);
        said["currency"] = json!("EUR");
        if kind == Kind::Agreement {
            said = json!({"pspAgreementId": said["pspTransactionId"]});
        }
        self.store.register(key(kind, id), serde_json::from_value(said).unwrap(), now()).await.unwrap();
    }

    /// Payments p1, p2 …, with the ids pi_1, pi_2 ….
    async fn payments(&self, most: u32) {
        for n in 1..=most {
            self.register(Kind::Payment, &format!("p{n}"), json!({"pspTransactionId": format!("pi_{n}")})).await;
        }
    }

    /// The n-th notification is taken: it means `then` at that time, and `today` by the rules of today.
    async fn take(&mut self, n: u32, then: Message, today: Message) -> Outcome {
        self.today.insert(id(n), today);
        self.take_of(SOURCE, n, normalised(n, then)).await
    }

    /// The n-th notification, of this source, is taken.
    async fn take_of(&self, source: &str, n: u32, normalised: Normalised) -> Outcome {
        let at = Timestamp::from_second(1_700_000_000 + i64::from(n)).unwrap();
        let taken = Taken {
            id: id(n),
            source: source.to_owned(),
            received_at: Moment { wall: at, steady: at },
            headers: Vec::new(),
            body: n.to_string().into_bytes(),
            form: "form".to_owned(),
            signed_at: None,
            partly_signed: false,
            vouched: false,
            is_pointer: false,
            normalised,
        };
        self.store.take(taken, |_| ()).await.unwrap().outcome
    }

    fn rehearse(&self) -> Rehearsal {
        self.rehearse_without(&[])
    }

    /// The rehearsal where these notifications cannot be read as they were.
    fn rehearse_without(&self, left_out: &[u32]) -> Rehearsal {
        let wanted = Wanted { sources: BTreeSet::from([SOURCE.to_owned()]), since: None, repaired: None };
        let read = |past: &Past| {
            let n: u32 = std::str::from_utf8(&past.body).unwrap().parse().unwrap();
            let normalised = normalised(n, self.today[&past.id].clone());
            Reread { normalised, keys: vec![format!("key {n}")], left_out: left_out.contains(&n) }
        };
        rehearse(&self.path(), &wanted, read).unwrap()
    }

    async fn correct(&self, rehearsal: Rehearsal) -> Corrected {
        let correction = |family: Vec<Differing>| family.into_iter().map(Correction::of).collect();
        let families = rehearsal.differing.into_iter().map(correction).collect();
        let judgement = |one: crate::store::rehearsal::Rehearsed| {
            let (notification, source, was, now) = (one.id, one.source, one.was, one.now.0);
            Some(Judgement { notification, source, was, now, normalised: one.anew? })
        };
        let judgements = rehearsal.notifications.into_iter().filter_map(judgement).collect();
        self.store.correct(Corrections { families, judgements }, now()).await.unwrap()
    }

    /// Rereads once, and then proves that a second reread finds nothing.
    async fn reread(&self) -> Corrected {
        let corrected = self.correct(self.rehearse()).await;
        let again = self.correct(self.rehearse()).await;
        assert_eq!(again, Corrected::default(), "the second run changes something");
        corrected
    }

    async fn record(&self, kind: Kind, id: &str) -> Record {
        self.store.record(key(kind, id)).await.unwrap().unwrap()
    }

    async fn status(&self, id: &str) -> Status {
        View::of(&self.record(Kind::Payment, id).await).status
    }

    fn ask<T: rusqlite::types::FromSql>(&self, question: &str) -> Vec<T> {
        let store = Connection::open(self.path()).unwrap();
        let mut query = store.prepare(question).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn outcomes(&self) -> Vec<String> {
        self.ask("SELECT outcome FROM notifications ORDER BY rowid")
    }

    fn change(&self, change: &str) {
        assert_ne!(Connection::open(self.path()).unwrap().execute(change, []).unwrap(), 0, "{change}");
    }
}

fn differing(rehearsal: &Rehearsal) -> Vec<Vec<String>> {
    let id = |one: &Differing| one.stands.key.id.to_string();
    rehearsal.differing.iter().map(|family| family.iter().map(id).collect()).collect()
}

#[tokio::test]
async fn a_record_is_corrected_and_told_and_a_second_run_finds_nothing() {
    let mut trial = Trial::new();
    trial.payments(2).await;
    for n in 1..=2 {
        let psp_id = format!("pi_{n}");
        let right = says("payment", n, &[&psp_id], "Succeeded");
        let then = if n == 1 { says("payment", n, &[&psp_id], "Failed") } else { right.clone() };
        assert_eq!(trial.take(n, then, right).await, Outcome::Applied);
    }
    let before = trial.record(Kind::Payment, "p1").await;
    let untouched = trial.record(Kind::Payment, "p2").await;
    trial.woken.lock().unwrap().clear();
    assert_eq!(differing(&trial.rehearse()), [["p1"]]);
    assert_eq!(trial.record(Kind::Payment, "p1").await, before, "a rehearsal changes nothing");
    let (once, twice) = (trial.rehearse(), trial.rehearse());
    assert_eq!(trial.correct(once).await.families, [Made::Now]);
    assert_eq!(trial.correct(twice).await.families, [Made::Before], "the answer was lost, and it is asked once more");
    assert_eq!(trial.reread().await, Corrected::default());
    let after = trial.record(Kind::Payment, "p1").await;
    assert_eq!(View::of(&after).status, Status::Succeeded);
    assert!(after.version == before.version + 1 && after.last_updated > before.last_updated, "{after:?}");
    assert_eq!(after.registered, before.registered);
    assert_eq!(trial.record(Kind::Payment, "p2").await, untouched);
    let told: Vec<_> = trial.woken.lock().unwrap().iter().map(|one| one.key.clone()).collect();
    assert_eq!(told, [key(Kind::Payment, "p1")]);
    let history = trial.store.history(key(Kind::Payment, "p1"), 9).await.unwrap().unwrap();
    assert_eq!((history.versions[0].event_type.as_str(), history.versions[0].notification), ("reread", None));
    // The version that the reread has made does not keep the next reread from correcting.
    trial.today.insert(id(1), says("payment", 1, &["pi_1"], "Pending"));
    assert_eq!(trial.reread().await.families, [Made::Now]);
    assert_eq!(trial.status("p1").await, Status::Pending);
}

/// A record that differs only in what Transform does not see is corrected in silence.
#[tokio::test]
async fn what_transform_does_not_see_is_corrected_and_not_told() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    trial.take(1, says("payment", 1, &["pi_1"], "Succeeded"), says("payment", 1, &["pi_1"], "Succeeded")).await;
    let mut older = event("payment", 2, &["pi_1"], "Succeeded");
    let today = Message::new("test".to_owned(), Meaning::Events(vec![older.clone()]));
    older.at = Timestamp::from_second(1_600_000_000).unwrap();
    trial.take(2, Message::new("test".to_owned(), Meaning::Events(vec![older])), today).await;
    let before = trial.record(Kind::Payment, "p1").await;
    trial.woken.lock().unwrap().clear();
    assert_eq!(trial.reread().await.families, [Made::Now]);
    let after = trial.record(Kind::Payment, "p1").await;
    assert_ne!(after, before);
    assert_eq!((after.version, after.last_updated), (before.version, before.last_updated));
    assert!(trial.woken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_record_that_has_changed_since_is_left_for_the_next_run() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    let [failed, right] = ["Failed", "Succeeded"].map(|status| says("payment", 1, &["pi_1"], status));
    trial.take(1, failed, right).await;
    let rehearsal = trial.rehearse();
    let news = says("payment", 2, &["pi_1"], "Pending");
    trial.take(2, news.clone(), news).await;
    let before = trial.record(Kind::Payment, "p1").await;
    assert_eq!(trial.correct(rehearsal).await.families, [Made::Not]);
    assert_eq!(trial.record(Kind::Payment, "p1").await, before);
    assert_eq!(trial.reread().await.families, [Made::Now]);
}

/// The event names only the authorization: it is placed on the only capture, and leads there by its own id. By the rules of
/// then it had failed.
#[tokio::test]
async fn what_is_placed_on_a_record_is_corrected_with_it_and_can_be_taken_back() {
    let mut trial = Trial::new();
    trial.register(Kind::Preauth, "a", json!({"pspTransactionId": "auth"})).await;
    trial.register(Kind::Payment, "c", json!({"preauthTransactionId": "a"})).await;
    let [failed, right] = ["Failed", "Succeeded"].map(|status| {
        let captured = Event { originals: vec!["auth".to_owned()], ..event("payment", 1, &["capt"], status) };
        Message::new("test".to_owned(), Meaning::Events(vec![captured]))
    });
    trial.take(1, failed, right).await;
    assert!(!trial.record(Kind::Payment, "c").await.placed.is_empty());
    assert_eq!(trial.status("c").await, Status::Failed);
    let rehearsal = trial.rehearse();
    assert_eq!((differing(&rehearsal), rehearsal.partly.len()), (vec![vec!["a".to_owned(), "c".to_owned()]], 0));
    assert_eq!(trial.reread().await.families, [Made::Now]);
    assert!(!trial.record(Kind::Payment, "c").await.placed.is_empty());
    assert_eq!(trial.status("c").await, Status::Succeeded);
    assert_eq!(trial.ask::<String>("SELECT psp_id FROM psp_ids WHERE placed"), ["capt"]);
    let placed = trial.ask::<Vec<u8>>("SELECT event FROM placed");
    assert!(encoding::json_of(&placed[0]).unwrap().contains("Succeeded"));
    // The corrected event is the one that is taken back, and not the first reading of it.
    trial.register(Kind::Payment, "d", json!({"preauthTransactionId": "a"})).await;
    assert!(trial.record(Kind::Payment, "c").await.placed.is_empty());
    assert_eq!(trial.outcomes(), ["dead_letter"]);
    assert_eq!(trial.reread().await, Corrected::default());
}

/// The notification is gone, or cannot be read as it was: the record keeps its claims. Only the second is said of the record.
#[tokio::test]
async fn a_record_keeps_its_claims_if_not_all_that_made_them_is_read() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    let [failed, right] = ["Failed", "Succeeded"].map(|status| says("payment", 1, &["pi_1"], status));
    trial.take(1, failed, right).await;
    let left_out = trial.rehearse_without(&[1]);
    assert_eq!((differing(&left_out).len(), left_out.partly.len()), (0, 1));
    assert_eq!(left_out.left, [Left { key: key(Kind::Payment, "p1"), why: LeftReason::LeftOut }]);
    trial.change("DELETE FROM notifications");
    let gone = trial.rehearse();
    assert_eq!((differing(&gone).len(), gone.partly.len(), gone.left), (0, 1, Vec::new()));
}

/// By the rules of today the event names another id, and so would not find its record any more.
#[tokio::test]
async fn a_fact_that_would_wait_for_a_record_stays_where_it_is() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    let [refused, another] = ["pi_1", "pi_2"].map(|id| says("payment", 1, &[id], "Failed"));
    trial.take(1, refused, another).await;
    let rehearsal = trial.rehearse();
    assert_eq!((differing(&rehearsal).len(), rehearsal.partly.len()), (0, 1));
    assert_eq!(rehearsal.left, [Left { key: key(Kind::Payment, "p1"), why: LeftReason::NowhereElse }]);
    assert_eq!(trial.reread().await, Corrected::default());
    assert_eq!((trial.status("p1").await, trial.outcomes()), (Status::Failed, vec!["applied".to_owned()]));
}

/// An event of a former means of payment has reached its agreement, and reaches it again.
#[tokio::test]
async fn an_agreement_with_a_former_id_is_compared() {
    for companion in [true, false] {
        let mut trial = Trial::new();
        trial.register(Kind::Agreement, "g", json!({"pspTransactionId": "pm_1"})).await;
        let usable = Event { companion, ..event("agreement", 1, &["pm_1"], "Active") };
        let usable = Message::new("test".to_owned(), Meaning::Events(vec![usable]));
        assert_eq!(trial.take(1, usable.clone(), usable).await, Outcome::Applied);
        trial.register(Kind::Agreement, "g", json!({"pspTransactionId": "pm_2"})).await;
        let rehearsal = trial.rehearse();
        assert_eq!((differing(&rehearsal).len(), rehearsal.partly.len(), &rehearsal.left[..]), (0, 0, &[][..]));
        assert_eq!(trial.reread().await, Corrected::default());
    }
}

/// A message that meant nothing has a companion today, whose agreement nobody has registered.
#[tokio::test]
async fn a_companion_that_waits_in_silence_has_no_other_meaning() {
    let mut trial = Trial::new();
    let nothing = Message::new("test".to_owned(), Meaning::Ignored);
    let waits = Event { companion: true, ..event("agreement", 1, &["pm_1"], "Active") };
    let waits = Message::new("test".to_owned(), Meaning::Events(vec![waits]));
    trial.take(1, nothing, waits).await;
    assert!(trial.rehearse().notifications.iter().all(|one| !one.another && one.anew.is_some()));
    trial.reread().await;
    assert_eq!(trial.ask::<String>("SELECT reason FROM parked"), ["companion"]);
    assert_eq!(trial.outcomes(), ["ignored"]);
}

/// By the rules of today the event concerns another record. It moves there, if that record can take it.
#[tokio::test]
async fn a_fact_moves_to_another_record_or_stays_where_it_is() {
    for other_is_covered in [true, false] {
        let mut trial = Trial::new();
        trial.payments(2).await;
        let before = says("payment", 1, &["pi_2"], "Pending");
        trial.take(1, before.clone(), before).await;
        trial.take(2, says("payment", 2, &["pi_1"], "Succeeded"), says("payment", 2, &["pi_2"], "Succeeded")).await;
        if !other_is_covered {
            trial.change("DELETE FROM notifications WHERE rowid = 1");
        }
        let corrected = trial.reread().await;
        let ends = (trial.status("p1").await, trial.status("p2").await);
        if other_is_covered {
            assert_eq!((corrected.families.len(), ends), (2, (Status::Initiated, Status::Succeeded)));
        } else {
            assert_eq!((corrected.families.len(), ends), (0, (Status::Succeeded, Status::Pending)));
        }
    }
}

/// A PSP id that an event taught to the wrong record leads to the right one afterwards.
#[tokio::test]
async fn a_learned_id_leads_where_it_leads_today() {
    let mut trial = Trial::new();
    trial.payments(2).await;
    let [wrong, right] = [&["pi_1", "ch_2"][..], &["pi_1"]].map(|ids| says("payment", 1, ids, "Pending"));
    trial.take(1, wrong, right).await;
    let second = says("payment", 2, &["pi_2", "ch_2"], "Pending");
    trial.take(2, second.clone(), second).await;
    let leads = "SELECT r.transform_id FROM psp_ids p JOIN records r ON r.id = p.record WHERE psp_id = 'ch_2'";
    assert_eq!(trial.ask::<String>(leads), ["p1"]);
    assert_eq!(trial.reread().await.families, [Made::Now; 2]);
    assert_eq!(trial.ask::<String>(leads), ["p2"]);
}

/// A dead letter, and a notification that meant nothing, are judged by the rules of today. Their record has their events by
/// its correction.
#[tokio::test]
async fn what_is_understood_today_is_applied() {
    let mut trial = Trial::new();
    trial.payments(2).await;
    let ignored = Message::new("test".to_owned(), Meaning::Ignored);
    for (n, then) in [(1, not_understood()), (2, ignored)] {
        let psp_id = format!("pi_{n}");
        trial.take(n, then, says("payment", n, &[&psp_id], "Succeeded")).await;
    }
    assert_eq!(trial.outcomes(), ["dead_letter", "ignored"]);
    trial.woken.lock().unwrap().clear();
    let corrected = trial.reread().await;
    assert_eq!((corrected.families, corrected.judgements), (vec![Made::Now; 2], vec![Made::Now; 2]));
    assert_eq!(trial.outcomes(), ["applied", "applied"]);
    assert_eq!((trial.status("p1").await, trial.status("p2").await), (Status::Succeeded, Status::Succeeded));
    assert_eq!(trial.woken.lock().unwrap().len(), 2, "each record is told once");
}

/// Of another notification of the record only the claims are left. A dead letter is applied to it as it would be if it came
/// now.
#[tokio::test]
async fn a_dead_letter_is_applied_to_a_record_that_keeps_its_claims() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    let pending = says("payment", 1, &["pi_1"], "Pending");
    trial.take(1, pending.clone(), pending).await;
    trial.take(2, not_understood(), says("payment", 2, &["pi_1"], "Succeeded")).await;
    trial.change("DELETE FROM notifications WHERE rowid = 1");
    trial.woken.lock().unwrap().clear();
    let corrected = trial.reread().await;
    assert_eq!((corrected.families.len(), corrected.judgements), (0, vec![Made::Now]));
    assert_eq!((trial.status("p1").await, trial.outcomes()), (Status::Succeeded, vec!["applied".to_owned()]));
    assert_eq!(trial.woken.lock().unwrap().len(), 1);
}

/// An event that waits under ids of then waits under ids of today, or is applied; one that waits as before is left alone.
#[tokio::test]
async fn what_waits_is_read_again() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    for (n, then, today) in [(1, "none_1", "pi_1"), (2, "none_2", "new_2"), (3, "none_3", "none_3")] {
        let [then, today] = [then, today].map(|psp_id| says("payment", n, &[psp_id], "Succeeded"));
        assert_eq!(trial.take(n, then, today).await, Outcome::Parked);
    }
    let waits = "SELECT parked || ' ' || key FROM parked_keys WHERE key LIKE 'psp:payment:%' ORDER BY key";
    let third = trial.ask::<String>(waits).pop().unwrap();
    let corrected = trial.reread().await;
    assert_eq!((corrected.families, corrected.judgements), (vec![Made::Now], vec![Made::Now; 2]));
    assert_eq!(trial.outcomes(), ["applied", "parked", "parked"]);
    assert_eq!(trial.status("p1").await, Status::Succeeded);
    let waiting: Vec<String> = trial.ask(waits);
    assert!(waiting.len() == 2 && waiting.contains(&third), "{waiting:?}");
    assert!(waiting.iter().any(|one| one.ends_with("psp:payment:new_2")), "{waiting:?}");
}

/// A notification that was judged meanwhile is left alone, and so is one that waited in vain.
#[tokio::test]
async fn a_notification_that_has_changed_since_is_left() {
    let mut trial = Trial::new();
    trial.payments(1).await;
    trial.take(1, not_understood(), says("payment", 1, &["none"], "Succeeded")).await;
    let rehearsal = trial.rehearse();
    trial.change("UPDATE notifications SET outcome = 'ignored', reason = NULL");
    assert_eq!(trial.correct(rehearsal).await.judgements, [Made::Not]);
    assert_eq!(trial.outcomes(), ["ignored"]);
    let in_vain = "UPDATE notifications SET outcome = 'dead_letter', reason = 'its record was not registered in time'";
    trial.change(in_vain);
    assert_eq!(trial.reread().await, Corrected::default());
    assert_eq!(trial.outcomes(), ["dead_letter"]);
}

/// A message without a signed time sets the first time of its identity anew, with all the times of its events.
#[tokio::test]
async fn what_is_read_again_keeps_the_times_of_its_events() {
    let mut trial = Trial::new();
    let undated = |psp_id: &str| {
        let events = [5, 3].map(|n| event("payment", n, &[&format!("{psp_id}_{n}")], "Succeeded"));
        let identity = Identity {
            key: "signed".to_owned(),
            fields: psp_id.to_owned(),
            has_borders: true,
            binds_body: false,
            partly_signed: false,
            needs_owner: false,
            is_behind: false,
            first_time: vec![0, 1],
        };
        Message {
            identity: Some(identity),
            ..Message::new("test".to_owned(), Meaning::Events(events.into_iter().collect()))
        }
    };
    trial.take(1, undated("then"), undated("today")).await;
    assert_eq!(trial.reread().await.judgements, [Made::Now]);
    let events = trial.ask::<Vec<u8>>("SELECT event FROM parked ORDER BY id");
    let seconds = events.iter().map(|event| encoding::read::<Event>(event).unwrap().at.to_string());
    assert_eq!(seconds.collect::<Vec<_>>(), ["2023-11-14T22:13:25Z", "2023-11-14T22:13:23Z"]);
}
