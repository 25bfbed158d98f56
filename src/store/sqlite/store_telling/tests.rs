//! Tests of telling again, on a store with a file: many debts, the host of which fails or refuses, and records by id.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;

use super::super::rehearse::without_limits;
use super::super::{given_up, migrations, prune};
use super::*;
use crate::domain::ids::Kind;
use crate::store::{Attempt, GivenUpSought, Settlement, StoreOptions, Wake};

const HOST: &str = "transform.example:443";

/// A store with payments `tx-1` to `tx-N`.
struct Trial {
    folder: TempDir,
    store: Store,
    woken: Arc<Mutex<Vec<Owed>>>,
}

fn at(second: i64) -> Moment {
    let at = Timestamp::from_second(1_700_000_000 + second).unwrap();
    Moment { wall: at, steady: at }
}

fn id(text: &str) -> TransformId {
    text.parse().unwrap()
}

fn payment(id: &str) -> RecordKey {
    RecordKey::new(Kind::Payment, id.parse().unwrap())
}

impl Trial {
    async fn with(payments: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let woken = Arc::<Mutex<Vec<Owed>>>::default();
        let options = StoreOptions { path: folder.path().join("relay.db"), max_waiting: 9, ..without_limits() };
        let wake = Wake::new({
            let woken = Arc::clone(&woken);
            move |owed| woken.lock().unwrap().push(owed.clone())
        });
        let store = Store::open(options, wake).unwrap();
        for n in 1..=payments {
            let said = serde_json::from_str(r#"{"requestedAmount": 10, "currency": "EUR"}"#).unwrap();
            store.register(payment(&format!("tx-{n}")), said, at(0)).await.unwrap();
        }
        Self { folder, store, woken }
    }

    fn connection(&self) -> Connection {
        let connection = Connection::open(self.folder.path().join("relay.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        connection
    }

    fn change(&self, statements: &str) {
        self.connection().execute_batch(statements).unwrap();
    }

    fn one(&self, question: &str) -> i64 {
        self.connection().query_row(question, [], |row| row.get(0)).unwrap()
    }

    /// An attempt from second 10 to 11 has failed for good.
    async fn give_up(&self, id: &str, awaits_host: bool) -> Option<Timestamp> {
        let attempt =
            Attempt { key: payment(id), version: 1, host: Some(HOST.to_owned()), began: at(10), ended: at(11) };
        self.store.settle(attempt, Settlement::GiveUp { reason: "HTTP 503".to_owned(), awaits_host }).await.unwrap()
    }

    async fn given_up(&self) -> Vec<RecordKey> {
        let all = self.store.given_up(GivenUpSought::default(), 0, 100).await.unwrap();
        all.into_iter().map(|one| one.key).collect()
    }
}

/// Ten thousand deliveries were given up behind a dead host, a few were refused, and some wait for another host. The host
/// responds again.
#[tokio::test]
async fn of_ten_thousand_each_that_awaits_its_host_is_owed_again_once_and_no_other() {
    let trial = Trial::with(0).await;
    trial.change(
        "CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10030) SELECT n FROM n;
         INSERT INTO records (id, transform_id, kind, payment_id, record) SELECT n, 'tx-' || n, 2, NULL, '{}' FROM n;
         INSERT INTO outbox (record, version, due_at, dead_at, given_up_at, attempts, reason, host, awaits_host)
             SELECT n, 2, n, n, n, 7, 'HTTP 503', 'transform.example:443', 1 FROM n;
         UPDATE outbox SET awaits_host = 0, reason = 'HTTP 404' WHERE record > 10000;
         UPDATE outbox SET awaits_host = 1, host = 'other.example:443' WHERE record > 10020;",
    );
    assert_eq!(trial.store.given_up_count().await.unwrap(), 10_030);
    assert_eq!(trial.store.awaited_hosts().await.unwrap(), ["other.example:443", HOST]);
    let mut pages = Vec::new();
    while let owed @ 1.. = trial.store.owe_again_of_host(HOST.to_owned(), at(0), at(1), 400).await.unwrap() {
        pages.push(owed);
    }
    assert_eq!((pages.len(), pages.iter().sum::<usize>()), (25, 10_000));
    assert_eq!(trial.store.given_up_count().await.unwrap(), 30);
    let woken = trial.woken.lock().unwrap().clone();
    assert_eq!(woken.len(), 10_000);
    assert_eq!(woken[0].key, payment("tx-1"), "what was given up first is told first");
    assert!(woken.iter().all(|owed| owed.due == at(1).steady));
    assert_eq!(trial.one("SELECT count(*) FROM outbox WHERE attempts = 0 AND dead_at IS NULL"), 10_000);
    assert!(trial.store.is_asked(HOST.to_owned()).await.unwrap());
    assert!(!trial.store.is_asked("other.example:443".to_owned()).await.unwrap());
}

#[tokio::test]
async fn what_is_given_up_meanwhile_is_left_for_the_next_time() {
    let trial = Trial::with(1).await;
    trial.store.tell(vec![id("tx-1")], at(1)).await.unwrap();
    assert_eq!(trial.give_up("tx-1", true).await, None);
    let again = |until| trial.store.owe_again_of_host(HOST.to_owned(), at(until), at(20), 9);
    assert_eq!(again(10).await.unwrap(), 0);
    assert_eq!(again(11).await.unwrap(), 1);
    let (failing, attempts) =
        (trial.one("SELECT count(failing_since) FROM outbox"), trial.one("SELECT attempts FROM outbox"));
    assert_eq!((failing, attempts), (0, 0), "its patience begins anew");
}

/// A record that nothing is owed of, one that is owed later, and one that was given up.
#[tokio::test]
async fn a_record_is_told_whatever_is_owed_of_it() {
    let trial = Trial::with(3).await;
    trial.store.tell(vec![id("tx-2"), id("tx-3")], at(1)).await.unwrap();
    trial.change("UPDATE outbox SET due_at = due_at + 3600000000, not_before = due_at + 3600000000 WHERE record = 2");
    trial.give_up("tx-3", false).await;
    assert_eq!(trial.given_up().await, [payment("tx-3")]);
    trial.woken.lock().unwrap().clear();
    let all = ["tx-1", "tx-2", "tx-3"].map(id).to_vec();
    assert_eq!(trial.store.would_tell(all.clone()).await.unwrap().len(), 3);
    assert_eq!(trial.given_up().await.len(), 1, "nothing is changed");
    let keys = ["tx-1", "tx-2", "tx-3"].map(payment);
    assert_eq!(trial.store.tell(all, at(30)).await.unwrap(), keys);
    assert_eq!(trial.given_up().await, []);
    let due = at(30).steady;
    assert_eq!(trial.one("SELECT sum(due_at) FROM outbox"), due.as_microsecond() * 3);
    assert_eq!(trial.one("SELECT count(not_before) FROM outbox"), 0);
    let woken: Vec<_> = trial.woken.lock().unwrap().iter().map(|owed| (owed.key.clone(), owed.due)).collect();
    assert_eq!(woken, keys.map(|key| (key, due)));
}

#[tokio::test]
async fn an_id_that_is_unknown_is_named_and_nothing_is_changed() {
    let trial = Trial::with(1).await;
    let ids = || ["tx-8", "tx-1", "tx-9"].map(id).to_vec();
    let told = trial.store.tell(ids(), at(1)).await.unwrap_err();
    assert_eq!(told.to_string(), "not registered: tx-8, tx-9");
    assert!(matches!(trial.store.would_tell(ids()).await, Err(TellError::Unknown(unknown)) if unknown.len() == 2));
    assert_eq!(trial.one("SELECT count(*) FROM outbox"), 0);
}

/// The attempt under way is the last one of a delivery, and does not end what was asked for meanwhile.
#[tokio::test]
async fn what_is_asked_for_during_the_last_attempt_is_told_after_it() {
    let trial = Trial::with(1).await;
    trial.store.tell(vec![id("tx-1")], at(1)).await.unwrap();
    trial.store.tell(vec![id("tx-1")], at(10)).await.unwrap();
    trial.change("UPDATE outbox SET first_untold_at = first_untold_at + 1");
    assert_eq!(trial.give_up("tx-1", true).await, Some(at(11).steady));
    assert_eq!(trial.given_up().await, []);
    assert_eq!(trial.give_up("tx-1", true).await, None, "it was asked for once");
}

#[tokio::test]
async fn a_refund_is_told_before_its_payment() {
    let trial = Trial::with(1).await;
    let said = r#"{"requestedAmount": 5, "currency": "EUR", "paymentTransactionId": "tx-1"}"#;
    let refund = RecordKey::new(Kind::Refund, id("re-1"));
    trial.store.register(refund.clone(), serde_json::from_str(said).unwrap(), at(0)).await.unwrap();
    trial.store.tell(vec![id("tx-1"), id("re-1")], at(1)).await.unwrap();
    let woken = trial.woken.lock().unwrap().clone();
    assert_eq!((&woken[0].key, &woken[0].after), (&payment("tx-1"), &vec![refund]));
}

/// However old it is, a debt stays. Its attempts go when they are old.
#[tokio::test]
async fn a_debt_is_never_deleted() {
    let trial = Trial::with(1).await;
    trial.store.tell(vec![id("tx-1")], at(1)).await.unwrap();
    trial.give_up("tx-1", true).await;
    let options = without_limits();
    let keep = std::time::Duration::from_secs(1);
    let keep = crate::store::Keep { dead_letters: keep, attempts: keep, history: keep, ..options.keep };
    let options = StoreOptions { keep, ..options };
    prune::step(&trial.connection(), &options, at(100 * 365 * 24 * 3600), 100).unwrap();
    assert_eq!(trial.given_up().await, [payment("tx-1")]);
    assert_eq!(trial.one("SELECT count(*) FROM attempts"), 0);
}

#[tokio::test]
async fn what_was_given_up_is_chosen_by_host_and_time() {
    let trial = Trial::with(4).await;
    trial.store.tell(["tx-1", "tx-2", "tx-3", "tx-4"].map(id).to_vec(), at(1)).await.unwrap();
    for n in 1..=4 {
        trial.give_up(&format!("tx-{n}"), n != 2).await;
    }
    trial.change(
        "UPDATE outbox SET host = 'transform.example:8443', given_up_at = given_up_at - 5000000 WHERE record = 3;
        UPDATE outbox SET host = 'transform.example.org:443' WHERE record = 4;",
    );
    let listed = async |host: &str, since| {
        let host = (!host.is_empty()).then(|| host.to_owned());
        let sought = GivenUpSought { host, since, until: None };
        trial.store.given_up(sought, 0, 9).await.unwrap().into_iter().map(|one| one.cursor).collect::<Vec<_>>()
    };
    assert_eq!(listed("", None).await, [1, 2, 3, 4]);
    assert_eq!(listed("transform.example", None).await, [1, 2, 3]);
    assert_eq!(listed(HOST, None).await, [1, 2]);
    assert_eq!(listed("transform.example", Some(at(11).wall)).await, [1, 2]);
    assert_eq!(listed("", Some(at(12).wall)).await, [0; 0]);
    assert_eq!(listed("example", None).await, [0; 0]);
}

#[test]
fn what_waits_for_a_host_is_found_by_its_index() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations::migrate(&mut connection).unwrap();
    for (question, index) in given_up::BY_INDEX {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
        let wanted = plan.parameter_count();
        let plan: Vec<String> = plan
            .query_map(params_from_iter([0, 0, 0].iter().take(wanted)), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(plan[0].contains(index) && plan.iter().all(|line| !line.contains("B-TREE")), "{question}: {plan:#?}");
    }
}

/// What an earlier version gave up waits for an unknown host, if its last failure was the host's.
#[test]
fn what_an_earlier_version_gave_up_awaits_a_host_by_its_reason() {
    for (reason, awaits) in [
        ("'HTTP 503'", 1),
        ("'HTTP 500'", 1),
        ("'HTTP 408'", 1),
        ("'HTTP 429'", 1),
        ("'HTTP 404'", 0),
        ("'HTTP 302'", 0),
        ("'connection refused'", 1),
        ("'webhook target missing: neither the record nor transform.webhook_target has one'", 0),
        ("NULL", 0),
    ] {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::before(&connection, given_up::STEP);
        let rows = format!(
            "INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (1, 'a', 2, NULL, '{{}}'), (2, 'b', 2, NULL, '{{}}');
             INSERT INTO outbox (record, version, due_at, dead_at, reason) VALUES (1, 1, 0, 5, {reason}), (2, 1, 0, NULL, {reason});"
        );
        connection.execute_batch(&rows).unwrap();
        migrations::migrate(&mut connection).unwrap();
        let awaited = given_up::awaited(&connection).unwrap();
        assert_eq!(awaited.len(), awaits, "{reason}: {awaited:?}");
        assert!(awaited.iter().all(String::is_empty));
        assert_eq!(given_up::of_host(&connection, "", Timestamp::MAX, 9).unwrap().rows.len(), awaits);
        assert!(!given_up::is_asked(&connection, "").unwrap());
    }
}
