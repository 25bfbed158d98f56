//! The soak's Transform, as the rest of the soak sees it: its mood, and the records that it holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;

use super::memory::{Held, Memory};
use crate::proof::soak::script::Mood;
use crate::proof::soak::world::World;
use crate::proof::stand_in::{self, Key, Relay};

/// The soak's Transform.
#[derive(Debug)]
pub(in crate::proof::soak) struct Transform {
    stand_in: stand_in::Transform,
    memory: Arc<Memory>,
}

impl Transform {
    /// Starts a healthy Transform.
    pub(in crate::proof::soak) fn start(world: Arc<World>) -> anyhow::Result<Self> {
        let memory = Arc::new(Memory::new(world));
        let answering = Arc::clone(&memory);
        let stand_in = stand_in::Transform::start(move |hook, connection| answering.answer(hook, connection))?;
        Ok(Self { stand_in, memory })
    }

    pub(in crate::proof::soak) const fn address(&self) -> SocketAddr {
        self.stand_in.address()
    }

    pub(in crate::proof::soak) fn reads_from(&self, relay: &Arc<Relay>) {
        self.memory.reads_from(relay);
    }

    /// Sets the mood.
    pub(in crate::proof::soak) fn is(&self, mood: Mood) {
        self.memory.is(mood);
        if let Err(error) = self.stand_in.refuses(mood == Mood::Refused) {
            self.memory.world.violated(format!("the stand-in cannot listen again: {error:#}"));
        }
    }

    pub(in crate::proof::soak) fn mood(&self) -> Mood {
        self.memory.mood()
    }

    /// The last reading of each record.
    pub(in crate::proof::soak) fn held(&self) -> BTreeMap<Key, Held> {
        self.memory.held()
    }

    /// The status and body that the relay answers now. The error is `None` if the relay is not there or cannot answer now
    /// (503), and otherwise the fault.
    pub(in crate::proof::soak) async fn fetch(&self, key: &Key) -> Result<(u16, Value), Option<String>> {
        let (memory, key) = (Arc::clone(&self.memory), key.clone());
        let read = tokio::task::spawn_blocking(move || memory.fetch(&key, false));
        read.await.unwrap_or_else(|error| Err(Some(error.to_string())))
    }
}
