//! The demo's Transform: the scripted one of the stand-ins, which reads each record that it is told of, and is narrated.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::print::Narrator;
use crate::proof::lock::lock;
use crate::proof::stand_in::{self, Key, Scripted, TRANSFORM_TOKEN, Webhook, get, path, told_of};

/// The demo's Transform.
pub(super) struct Transform {
    stand_in: stand_in::Transform,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    relay: Option<SocketAddr>,
    held: BTreeMap<Key, Value>,
    webhooks: usize,
    failures_left: usize,
}

impl Transform {
    pub(super) fn start(narrator: Narrator) -> anyhow::Result<Self> {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let stand_in = stand_in::Transform::start(move |hook, _| take(hook, &shared, &narrator))?;
        Ok(Self { stand_in, state })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.stand_in.address()
    }

    pub(super) fn reads_from(&self, relay: SocketAddr) {
        lock(&self.state).relay = Some(relay);
    }

    /// Makes it answer the next webhooks with 503.
    pub(super) fn fail_next(&self, times: usize) {
        lock(&self.state).failures_left = times;
    }

    /// The last body read of each record.
    pub(super) fn held(&self) -> BTreeMap<Key, Value> {
        lock(&self.state).held.clone()
    }

    /// The number of webhooks that came.
    pub(super) fn webhooks(&self) -> usize {
        lock(&self.state).webhooks
    }
}

/// Takes a webhook: reads its record, and answers 202 if that succeeds.
fn take(hook: &Webhook, state: &Mutex<State>, narrator: &Narrator) -> Scripted {
    let (relay, fails) = {
        let mut state = lock(state);
        state.webhooks += 1;
        let fails = state.failures_left > 0;
        state.failures_left = state.failures_left.saturating_sub(1);
        (state.relay, fails)
    };
    let Ok(key) = told_of(hook.body.as_bytes()) else { return Scripted::status(400) };
    let status = if fails { 503 } else { 202 };
    narrator.webhook(&key, &hook.body, status);
    if fails {
        return Scripted::status(status);
    }
    let path = path(&key, false);
    let Some(Ok(read)) = relay.map(|relay| get(relay, TRANSFORM_TOKEN, &path)) else { return Scripted::status(502) };
    let body = read.json();
    narrator.read(&path, &body);
    lock(state).held.insert(key, body);
    Scripted::status(status)
}
