//! The memory of the soak's Transform: its mood, the webhooks in flight, and the records as it last read them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{self, AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::proof::lock::lock;
use crate::proof::soak::script::Mood;
use crate::proof::soak::world::{World, one};
use crate::proof::stand_in::{Key, Relay, TRANSFORM_TOKEN, get, path};

/// The memory of the soak's Transform.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) world: Arc<World>,
    mood: Mutex<Mood>,
    relay: Mutex<Option<Arc<Relay>>>,
    pub(super) dice: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<Key, Held>,
    /// Locks by record: one reading at a time, so that the last reading is the one held.
    reading: HashMap<Key, Arc<Mutex<()>>>,
    in_flight: HashMap<Key, Arc<Flight>>,
}

/// Transform's copy of a record.
#[derive(Debug, Clone)]
pub(in crate::proof::soak) struct Held {
    pub(in crate::proof::soak) status: u16,
    pub(in crate::proof::soak) body: Value,
    /// The last body with the time of its version, and that time.
    dated: Option<(String, Value)>,
}

impl Held {
    /// The reason why a body read now cannot follow this one: the time of its version went back, or stayed while the body
    /// changed.
    pub(in crate::proof::soak) fn contradicts(&self, body: &Value) -> Option<String> {
        let ((old_at, old), (new_at, new)) = (self.dated.as_ref()?, dated(body)?);
        match new_at.cmp(old_at) {
            Ordering::Less => Some(format!("lastUpdated went back from {old_at} to {new_at}")),
            Ordering::Equal if new != *old => Some(format!("one lastUpdated, two bodies: {old} and {new}")),
            Ordering::Equal | Ordering::Greater => None,
        }
    }
}

/// A body with the time of its version, and that time: the `receivedAt` of an error is the `lastUpdated` of its record.
fn dated(body: &Value) -> Option<(String, Value)> {
    body["lastUpdated"].as_str().or_else(|| body["receivedAt"].as_str()).map(|at| (at.to_owned(), body.clone()))
}

/// A webhook that came and is not answered yet.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// Whether another webhook for the same record came meanwhile. That is allowed only if the relay gave up this one.
    overtaken: AtomicBool,
}

/// A failed reading.
pub(super) struct Unread;

impl Memory {
    pub(super) fn new(world: Arc<World>) -> Self {
        let (mood, relay) = (Mutex::default(), Mutex::default());
        Self { world, mood, relay, dice: AtomicU64::new(0), state: Mutex::default() }
    }

    pub(super) fn reads_from(&self, relay: &Arc<Relay>) {
        *lock(&self.relay) = Some(Arc::clone(relay));
    }

    /// Sets the mood.
    pub(super) fn is(&self, mood: Mood) {
        *lock(&self.mood) = mood;
    }

    pub(super) fn mood(&self) -> Mood {
        *lock(&self.mood)
    }

    /// The last reading of each record.
    pub(super) fn held(&self) -> BTreeMap<Key, Held> {
        lock(&self.state).held.clone()
    }

    /// Notes that a webhook came.
    pub(super) fn takes_off(&self, key: &Key) -> Arc<Flight> {
        one(&self.world.count.webhooks);
        let flight = Arc::new(Flight::default());
        if let Some(other) = lock(&self.state).in_flight.insert(key.clone(), Arc::clone(&flight)) {
            other.overtaken.store(true, atomic::Ordering::SeqCst);
        }
        flight
    }

    /// Notes that a webhook is about to be answered. Returns whether another one for the same record came meanwhile.
    pub(super) fn lands(&self, key: &Key, flight: &Arc<Flight>) -> bool {
        let mut state = lock(&self.state);
        if state.in_flight.get(key).is_some_and(|other| Arc::ptr_eq(other, flight)) {
            state.in_flight.remove(key);
        }
        flight.overtaken.load(atomic::Ordering::SeqCst)
    }

    /// Reads a record and keeps the reading.
    pub(super) fn read(&self, key: &Key) -> Result<(), Unread> {
        let turn = Arc::clone(lock(&self.state).reading.entry(key.clone()).or_default());
        let _turn = lock(&turn);
        let by_type = self.dice.fetch_add(1, atomic::Ordering::Relaxed).is_multiple_of(5);
        let (status, body) = self.fetch(key, by_type).map_err(|error| {
            if let Some(what) = error {
                self.world.violated(format!("{} {}: {what}", key.0, key.1));
            }
            Unread
        })?;
        one(&self.world.count.fetches);
        let mut state = lock(&self.state);
        let before = state.held.get(key);
        if let Some(what) = before.and_then(|held| held.contradicts(&body)) {
            self.world.violated(format!("{} {}: {what}", key.0, key.1));
        }
        let dated = dated(&body).or_else(|| before.and_then(|held| held.dated.clone()));
        state.held.insert(key.clone(), Held { status, body, dated });
        Ok(())
    }

    /// The status and body that the relay's fetch endpoint answers. The error is `None` if the relay is not there or cannot
    /// answer now (503), and otherwise the fault.
    pub(super) fn fetch(&self, key: &Key, by_type: bool) -> Result<(u16, Value), Option<String>> {
        let relay = lock(&self.relay).as_ref().and_then(|relay| relay.address()).ok_or(None)?;
        let path = path(key, by_type);
        let response = get(relay, TRANSFORM_TOKEN, &path).map_err(|_| None)?;
        let (status, text) = (response.status, &response.body);
        if status == 503 {
            return Err(None);
        }
        let good = response.header("content-type") == "application/json" && [200, 422, 429, 500].contains(&status);
        // An error that the relay answers for itself says nothing of the record.
        let of_the_record = |body: &Value| status == 200 || body["status"] != "Initiated";
        let body = serde_json::from_str(text).ok().filter(|body| good && of_the_record(body));
        body.map(|body| (status, body)).ok_or_else(|| Some(format!("GET {path} answers {status}: {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_updated_does_not_go_back_and_one_of_it_is_one_body() {
        let body = |at: &str, amount: u8| serde_json::json!({"lastUpdated": at, "amount": amount});
        let first = body("2026-11-28T10:00:00.0000002Z", 1);
        let held = Held { status: 200, dated: dated(&first), body: first };
        assert!(held.contradicts(&body("2001-01-01T00:00:00.0000000Z", 1)).is_some());
        assert!(held.contradicts(&body("2026-11-28T10:00:00.0000002Z", 2)).is_some());
        assert!(held.contradicts(&body("2026-11-28T10:00:00.0000002Z", 1)).is_none());
        assert!(held.contradicts(&body("2026-11-28T10:00:00.0000003Z", 2)).is_none());
        let error = |at: &str| serde_json::json!({"receivedAt": at, "errorCode": "Rejected"});
        assert!(held.contradicts(&error("2026-11-28T10:00:00.0000001Z")).is_some());
        assert!(held.contradicts(&error("2026-11-28T10:00:00.0000003Z")).is_none());
    }
}
