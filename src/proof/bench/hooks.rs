//! The Transform of a bench: it counts webhooks, remembers when each record was told of, and can hold its responses back.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::proof::lock::lock;
use crate::proof::stand_in::{Scripted, Transform, told_of};

/// The pause between two looks at what has come.
const LOOKS: Duration = Duration::from_millis(2);

/// What has come so far.
#[derive(Debug, Default)]
struct Came {
    /// When a webhook came, and the Transform id of its record. Empty if the webhook has a wrong form.
    hooks: Mutex<Vec<(Instant, String)>>,
    /// Whether responses are held back.
    held: Mutex<bool>,
    released: Condvar,
}

impl Came {
    fn take(&self, at: Instant, body: &str) {
        let id = told_of(body.as_bytes()).map(|(_, id)| id).unwrap_or_default();
        lock(&self.hooks).push((at, id));
        let mut held = lock(&self.held);
        while *held {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hold(&self, yes: bool) {
        *lock(&self.held) = yes;
        self.released.notify_all();
    }
}

/// A Transform that counts. What it holds back is released when this is dropped.
#[derive(Debug)]
pub(super) struct Hooks {
    transform: Transform,
    came: Arc<Came>,
}

impl Hooks {
    pub(super) fn listen() -> std::io::Result<Self> {
        let came = Arc::<Came>::default();
        let taking = Arc::clone(&came);
        let transform = Transform::start(move |hook, _| {
            taking.take(hook.at, &hook.body);
            Scripted::With(200, Vec::new(), String::new())
        })?;
        Ok(Self { transform, came })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.transform.address()
    }

    /// Holds all responses back from now on, or releases them.
    pub(super) fn hold(&self, yes: bool) {
        self.came.hold(yes);
    }

    /// The number of webhooks so far.
    pub(super) fn count(&self) -> usize {
        lock(&self.came.hooks).len()
    }

    /// The webhooks after this many.
    pub(super) fn after(&self, many: usize) -> Vec<(Instant, String)> {
        lock(&self.came.hooks).get(many..).unwrap_or_default().to_vec()
    }

    /// Waits until this many webhooks have come in all.
    ///
    /// # Errors
    /// They do not come in time.
    pub(super) async fn until(&self, many: usize, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.count() < many {
            if began.elapsed() > patience {
                bail!("{} of {many} webhooks have come within {patience:?}", self.count());
            }
            sleep(LOOKS).await;
        }
        Ok(())
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.came.hold(false);
    }
}
