//! A play of a case: its steps through the library's own parts, into a store of its own, as the relay does it. Nothing is
//! signed: each notification is read by the form that fits it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use transform_relay::domain::due::{Debounce, Moment};
use transform_relay::domain::ids::RecordKey;
use transform_relay::domain::message::Meaning;
use transform_relay::domain::registration::Registration;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::call::hint;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::{normalise, normalise_fetched};
use transform_relay::psp::profile::{FetchMode, Form, Profile};
use transform_relay::store::{
    Answered, Fetch, FetchFailed, FetchesSought, HintSlots, Hinted, Keep, ParkedLimits, Store, StoreOptions, TakeError,
    Taken, Wake,
};
use transform_relay::transform::response::{FailedAs, fetched};
use uuid::Uuid;

use super::case::{Case, Notification, Registered, Step};
use super::posted::{form, posted, set_up};
use crate::support::contents::{profile, wrapped};

/// Later than any time in a case: a time ahead of the receipt would count as the receipt.
const BEGINNING: Timestamp = Timestamp::constant(1_798_718_400, 0);
/// The time between two steps. It is longer than the time between two fetches of an object.
const STEP: SignedDuration = SignedDuration::from_secs(40);
/// So long that nothing is deleted in a play.
const LONG: Duration = Duration::from_hours(24 * 365);
const SLOTS: HintSlots = HintSlots { all: 1000, each: 1000 };

/// What Transform reads of a record at the end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) status: u16,
    pub(super) body: Value,
    /// Whether a webhook was owed at any time.
    pub(super) told: bool,
}

/// The end of a play.
pub(super) struct End {
    /// What Transform reads, by Transform id.
    pub(super) read: BTreeMap<String, Read>,
    /// What had no effect: the reasons of dead letters, and what parked events wait for.
    pub(super) in_vain: Vec<String>,
}

/// A play under way.
struct Play<'a> {
    case: &'a Case,
    profile: &'static Profile,
    store: Store,
    told: Arc<Mutex<BTreeSet<RecordKey>>>,
    now: Timestamp,
}

/// Plays these steps of a case.
///
/// # Errors
/// The relay refuses a step.
pub(super) async fn play(case: &Case, steps: &[Step]) -> Result<End, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut play = Play::begin(case, &folder.path().join("store.db"));
    for step in steps {
        match step {
            Step::Register { register } => play.register(register).await?,
            Step::Notify(notification) => play.notify(notification).await?,
        }
    }
    Ok(play.end().await)
}

impl<'a> Play<'a> {
    fn begin(case: &'a Case, path: &Path) -> Self {
        let told = Arc::<Mutex<BTreeSet<RecordKey>>>::default();
        let owed = Arc::clone(&told);
        let wake = Wake::new(move |one| {
            owed.lock().unwrap().insert(one.key.clone());
        });
        fs::write(path, empty_store()).unwrap();
        let profile = profile(set_up(case.source()));
        Self { case, profile, store: open(path, wake), told, now: BEGINNING }
    }

    /// The time of the next step.
    fn tick(&mut self) -> Moment {
        self.now += STEP;
        Moment { wall: self.now, steady: self.now }
    }

    async fn register(&mut self, registered: &Registered) -> Result<(), String> {
        let mut body = registered.body.clone();
        body.entry("source").or_insert_with(|| self.case.source().into());
        let said: Registration = serde_json::from_value(body.into()).map_err(|error| error.to_string())?;
        let now = self.tick();
        self.store.register(registered.key(), said, now).await.map(drop).map_err(|error| error.to_string())
    }

    async fn notify(&mut self, notification: &Notification) -> Result<(), String> {
        let now = self.tick();
        let headers: Vec<_> =
            notification.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let text = posted(notification);
        let form = form(self.profile, Received { headers: &headers, body: &text, at: now.wall });
        let body = wrapped(form, text);
        let received = Received { headers: &headers, body: &body, at: now.wall };
        let taken = if form.signature.is_empty() && form.pointer_only && self.fetches() {
            Err(TakeError::PointsElsewhere)
        } else {
            self.store.take(self.taken(form, received, now), |_| ()).await
        };
        match taken {
            Ok(_) => {}
            Err(TakeError::TooManyContents { .. } | TakeError::PointsElsewhere) if self.fetches() => {
                self.hint(received, now).await?;
            }
            Err(error) => return Err(error.to_string()),
        }
        self.fetch().await;
        Ok(())
    }

    fn fetches(&self) -> bool {
        !self.case.api.is_empty()
    }

    fn taken(&self, form: &Form, received: Received<'_>, now: Moment) -> Taken {
        let fetch = self.profile.forms.iter().find_map(|form| form.fetch.as_ref());
        let always = self.fetches() && fetch.is_some_and(|fetch| fetch.mode != FetchMode::Unverified);
        let mut normalised = normalise(self.profile, &InForm::new(form, received), always);
        if !self.fetches() {
            let pointers = normalised.messages.iter_mut().filter(|one| matches!(one.meaning, Meaning::Fetch(_)));
            pointers.for_each(|one| one.meaning = Meaning::NotUnderstood("nothing is fetched".to_owned()));
        }
        Taken {
            id: Uuid::now_v7(),
            source: self.case.source().to_owned(),
            received_at: now,
            headers: received.headers.to_vec(),
            body: received.body.to_vec(),
            form: form.name.clone(),
            signed_at: None,
            partly_signed: form.is_partly_signed(),
            vouched: false,
            is_pointer: form.pointer_only && self.fetches(),
            normalised,
        }
    }

    /// Takes a notification that nobody vouches for.
    async fn hint(&self, received: Received<'_>, now: Moment) -> Result<(), String> {
        let hint = hint(self.profile, &received, false).ok_or("it points to nothing")?;
        let hinted = Hinted {
            source: self.case.source().to_owned(),
            received_at: now,
            form: hint.form,
            calls: hint.calls.into_iter().map(|path| (Uuid::now_v7(), path)).collect(),
            address: "192.0.2.1".to_owned(),
            slots: SLOTS,
        };
        self.store.take_hint(hinted).await.map(drop).map_err(|error| error.to_string())
    }

    /// Fetches what is due.
    async fn fetch(&mut self) {
        while self.fetches() {
            let now = self.tick().steady;
            let source = self.case.source().to_owned();
            let sought = FetchesSought { source, now, most: 100, strangers: 100, slots: SLOTS };
            let (due, _) = self.store.due_fetches(sought).await.unwrap();
            if due.is_empty() {
                return;
            }
            for fetch in due {
                match self.response(&fetch.path) {
                    Some(answer) => self.answered(fetch, answer.to_string().as_bytes()).await,
                    None => self.failed(fetch).await,
                }
            }
        }
    }

    /// The response of the PSP's API; none if the case has none for the path, with its query or without.
    fn response(&self, path: &str) -> Option<&'a Value> {
        let (bare, _) = path.split_once('?').unwrap_or((path, ""));
        self.case.api.get(path).or_else(|| self.case.api.get(bare))
    }

    async fn answered(&mut self, fetch: Fetch, body: &[u8]) {
        let began = self.tick();
        let mut more = true;
        while more {
            let awaiting = self.store.awaiting(fetch.id, fetch.asked, 50).await.unwrap();
            let read = awaiting.iter().map(|one| {
                let kept = &one.notification;
                let received = Received { headers: &kept.headers, body: &kept.body, at: began.wall };
                let form = self.profile.form(kept.form.as_deref().unwrap()).unwrap();
                let said = normalise_fetched(self.profile, form, &received, None, one.message, body);
                (kept.id, one.message, said)
            });
            let answered = Answered {
                fetch: fetch.id,
                asked: fetch.asked,
                began: began.steady,
                fetched_at: began.wall,
                body: body.to_vec(),
                read: read.collect(),
            };
            more = self.store.fetched(Arc::new(answered), began).await.unwrap().more;
        }
    }

    /// The PSP does not know the object.
    async fn failed(&mut self, fetch: Fetch) {
        let began = self.tick().steady;
        let reason = format!("{}: the case has no response", fetch.path);
        let failed = FetchFailed { fetch: fetch.id, asked: fetch.asked, began, reason, missing: true, again: None };
        while self.store.fetch_failed(failed.clone()).await.unwrap().more {}
    }

    async fn end(self) -> End {
        let mut read = BTreeMap::new();
        for id in self.case.expected.keys() {
            read.insert(id.clone(), self.read(id).await);
        }
        let letters = self.store.dead_letters(0, 100).await.unwrap();
        let letters = letters.into_iter().map(|letter| format!("dead letter: {}", letter.reason));
        let parked = self.store.parked(None, 0, 100).await.unwrap();
        let parked = parked.into_iter().map(|one| format!("{} waits for {}", one.event_type, one.waits_for.join(", ")));
        let in_vain = letters.chain(parked).collect();
        self.store.close();
        End { read, in_vain }
    }

    async fn read(&self, id: &str) -> Read {
        let key = self.case.key(id);
        let found = self.store.with_agreement(key.clone()).await.unwrap();
        let (record, agreement) = found.expect("it was registered");
        let response = fetched(&record, agreement.as_ref(), FailedAs::Error);
        let told = self.told.lock().unwrap().contains(&key);
        Read { status: response.status, body: serde_json::to_value(response.body).unwrap(), told }
    }
}

/// A store without any record. It is made once: most of the time for a play would go into making it.
fn empty_store() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        open(&path, Wake::new(|_| ())).close();
        fs::read(&path).unwrap()
    })
}

fn open(path: &Path, wake: Wake) -> Store {
    let options = StoreOptions {
        path: path.to_owned(),
        must_exist: false,
        debounce: Debounce { quiet: Duration::from_millis(500), max_wait: Duration::from_secs(5) },
        max_waiting: 100,
        parked: ParkedLimits { per_source: 1000, max_age: LONG },
        keep: Keep {
            notifications: LONG,
            dead_letters: LONG,
            dead_letters_size: u64::MAX,
            attempts: LONG,
            history: LONG,
        },
    };
    Store::open(options, wake).unwrap()
}
