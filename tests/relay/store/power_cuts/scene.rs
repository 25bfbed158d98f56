//! A relay that is recorded, with PSPs and a payment stack that note what they were answered.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::judge::{Answered, Known, Promised};
use super::recording::Recorder;
use super::trial::Trial;
use crate::support::letters::letters;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, Transform, payment, psp, stripe};

const AT: i64 = 1_700_000_000;
/// The bytes of a notification that says nothing. So the WAL is soon long enough to be brought into the store.
const PADDING: usize = 120_000;

/// What one task needs to ask the relay and to note its answer.
#[derive(Debug, Clone)]
struct Desk {
    client: Client,
    url: String,
    log: PathBuf,
    known: Arc<Mutex<Known>>,
}

/// A recorded relay.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) relay: Relay,
    pub(super) recorder: Recorder,
    known: Arc<Mutex<Known>>,
    _transform: Transform,
}

/// A folder for a relay, by its path without links: the recorder knows files by their names.
pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(std::env::temp_dir().canonicalize().unwrap()).unwrap()
}

/// The length of a recording.
fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |log| log.len())
}

/// The notification that pays the n-th payment.
pub(super) fn paid(n: u32) -> Value {
    padded(stripe::paid(&format!("pi_{n}"), AT, 1000))
}

fn padded(mut event: Value) -> Value {
    event["padding"] = json!(letters(PADDING));
    event
}

impl Scene {
    /// Starts a relay on a folder with files, of which this is known.
    pub(super) async fn begin(folder: tempfile::TempDir, setup: Setup, known: Known) -> Self {
        let recorder = Recorder::begin(folder.path());
        let known = Arc::new(Mutex::new(known));
        let (log, notes) = (recorder.log(), Arc::clone(&known));
        let transform = Transform::noting(move |hook| {
            let now = length(&log);
            // All records here are payments.
            let record = format!("payment/{}", hook.json()["TransactionId"].as_str().unwrap());
            notes.lock().unwrap().told.push((now, record));
        });
        let environment = recorder.environment();
        let relay = Relay::spawn_in(folder, Setup { environment, ..setup }, &transform).await;
        Self { relay, recorder, known, _transform: transform }
    }

    fn desk(&self) -> Desk {
        let client = Client::builder().no_proxy().build().unwrap();
        Desk { client, url: self.relay.url.clone(), log: self.recorder.log(), known: Arc::clone(&self.known) }
    }

    /// The length of the recording by now.
    pub(super) fn length(&self) -> u64 {
        length(&self.recorder.log())
    }

    /// Notes what was answered just now.
    pub(super) fn note(&self, what: Promised) {
        self.known.lock().unwrap().answered.push(Answered { at: self.length(), what });
    }

    /// Registers payments, has them paid and disputed, with payments that are paid before they are registered, many at
    /// once. With `kill_after`, the relay is killed after so many answers.
    pub(super) async fn crowd(&self, numbers: std::ops::Range<u32>, kill_after: Option<usize>) {
        let mut crowd = JoinSet::new();
        for n in numbers {
            crowd.spawn(self.desk().life(n));
        }
        let mut over = 0;
        while let Some(life) = crowd.join_next().await {
            life.unwrap();
            over += 1;
            if kill_after == Some(over) {
                self.relay.program.signal("KILL");
            }
        }
        if kill_after.is_some() {
            self.relay.program.ended().await;
        }
    }

    /// The trial of what was recorded, after the end of the relay.
    pub(super) fn trial(self) -> Trial {
        assert!(!self.relay.program.runs(), "it still runs");
        let recording = self.recorder.so_far();
        let known = std::mem::take(&mut *self.known.lock().unwrap());
        Trial { recording, known }
    }
}

impl Desk {
    /// A payment from its registration to its chargeback. Every third one is paid before it is registered. A relay that is
    /// killed ends it.
    async fn life(self, n: u32) {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        let is_early = n.is_multiple_of(3);
        let lived = async {
            if !is_early {
                self.register(&id, &psp_id).await?;
            }
            let paid = self.notify(&paid(n), &id, is_early).await?;
            if is_early {
                self.register(&id, &psp_id).await?;
            }
            self.note(self.shows(&id, "/status", "Succeeded"));
            self.note(self.owes(&id, paid));
            let lost = padded(stripe::dispute("funds_withdrawn", &format!("dp_{n}"), &psp_id, AT + 1, 400));
            let disputed = self.notify(&lost, &id, false).await?;
            self.note(self.shows(&id, "/chargebacks/0/amount", "4"));
            self.note(self.owes(&id, disputed));
            Some(())
        };
        lived.await;
    }

    fn note(&self, what: Promised) {
        self.known.lock().unwrap().answered.push(Answered { at: length(&self.log), what });
    }

    fn shows(&self, id: &str, place: &'static str, value: &str) -> Promised {
        Promised::Shows { record: format!("payment/{id}"), place, value: value.to_owned() }
    }

    fn owes(&self, id: &str, since: u64) -> Promised {
        Promised::Owed { record: format!("payment/{id}"), since }
    }

    async fn register(&self, id: &str, psp_id: &str) -> Option<()> {
        let request = self.client.put(format!("{}/records/payment/{id}", self.url)).bearer_auth(INTEGRATOR_TOKEN);
        let body = payment(psp_id, "10").to_string();
        let answer = request.header("Content-Type", "application/json").body(body).send().await.ok()?;
        assert_eq!(answer.status(), 201);
        self.note(self.shows(id, "/transactionId", id));
        Some(())
    }

    /// Posts a notification about this payment. Returns the length of the recording before it.
    async fn notify(&self, event: &Value, id: &str, waits: bool) -> Option<u64> {
        let sealed = psp::seal("stripe-main", event.to_string().as_bytes());
        let mut request = self.client.post(format!("{}/notifications/stripe-main", self.url)).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        let before = length(&self.log);
        let answer = request.send().await.ok()?;
        assert_eq!(answer.status(), 200);
        let receipt: Value = serde_json::from_str(&answer.text().await.ok()?).unwrap();
        let notification = receipt["notification"].as_str().unwrap().parse().unwrap();
        assert_eq!(receipt["outcome"], if waits { "parked" } else { "applied" });
        self.note(Promised::Kept(notification));
        if waits {
            self.note(Promised::Waits { notification, record: format!("payment/{id}") });
        }
        Some(before)
    }
}
