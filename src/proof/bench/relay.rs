//! The relay that is measured: the real program on a store of its own, with records that are registered.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use rusqlite::{Connection, OpenFlags};

use super::load::Load;
use super::wire::{SECRET, SOURCE, registrations};
use crate::proof::folder::toml;
use crate::proof::stand_in::{self, STACK_TOKEN, TRANSFORM_TOKEN, database};

/// The connections over which records are registered.
const CONNECTIONS: usize = 64;
/// The longest time for registering the records of a relay.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a relay is configured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Where Transform is.
    pub(super) transform: SocketAddr,
    /// `debounce.quiet` and `debounce.max_wait`, in milliseconds.
    pub(super) debounce: (u64, u64),
}

impl Options {
    /// Nobody is told while this relay is measured.
    pub(super) const fn silent(transform: SocketAddr) -> Self {
        let hour = 3_600_000;
        Self { transform, debounce: (hour, hour) }
    }
}

/// A relay that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) child: stand_in::Relay,
    pub(super) address: SocketAddr,
}

impl Relay {
    /// Starts a relay with a folder of its own, and registers payments there.
    ///
    /// # Errors
    /// It does not start, or does not take a registration.
    pub(super) async fn start(
        program: &Path,
        folder: PathBuf,
        options: Options,
        records: usize,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // The file that rotations write. There was no rotation yet.
        std::fs::write(folder.join("secrets.toml"), "")?;
        let relay = Self::again(program, folder, options).await?;
        relay.register(records).await?;
        Ok(relay)
    }

    /// Starts a relay on the store of an earlier one.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn again(program: &Path, folder: PathBuf, options: Options) -> anyhow::Result<Self> {
        let child = stand_in::Relay::new(program.to_owned(), &folder, &config(&folder, options))?;
        child.start().await?;
        let address = child.address().ok_or_else(|| anyhow!("the relay does not listen"))?;
        Ok(Self { child, address })
    }

    /// Ends it by SIGTERM.
    ///
    /// # Errors
    /// It does not end, or its exit code is not 0.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let code = self.child.terminate().await?;
        ensure!(code == Some(0), "SIGTERM ended the relay with exit code {code:?}");
        Ok(())
    }

    async fn register(&self, records: usize) -> anyhow::Result<()> {
        if records == 0 {
            return Ok(());
        }
        let requests = registrations(0..records);
        let load = Load {
            address: self.address,
            requests,
            connections: CONNECTIONS,
            lasts: PATIENCE,
            again: false,
            rate: None,
        };
        let window = load.send().await?;
        ensure!(window.answered == records, "{} of {records} records were registered", window.answered);
        Ok(())
    }

    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.pid().ok_or_else(|| anyhow!("the relay does not run"))
    }

    /// A connection that reads its store.
    pub(super) fn store(&self) -> anyhow::Result<Connection> {
        let open = Connection::open_with_flags(self.child.database(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        open.context("the relay's store cannot be read")
    }

    /// The number that a query of its store gives.
    pub(super) fn counted(&self, query: &str) -> anyhow::Result<usize> {
        let counted = self.store()?.query_row(query, [], |row| row.get::<_, i64>(0));
        Ok(usize::try_from(counted.context("the relay's store cannot be read")?)?)
    }
}

fn config(folder: &Path, options: Options) -> String {
    let Options { transform, debounce: (quiet, max_wait) } = options;
    format!(
        r#"[server]
listen = "127.0.0.1:0"
shutdown_grace = "2s"

[store]
path = {}

[debounce]
quiet = "{quiet}ms"
max_wait = "{max_wait}ms"

[transform]
allowed_hosts = ["{transform}"]
webhook_target = "http://{transform}/webhooks"
tokens = ["{TRANSFORM_TOKEN}"]
timeout = "60s"

[integrator]
tokens = ["{STACK_TOKEN}"]

[sources.{SOURCE}]
profile = "stripe"
secrets = ["{SECRET}"]
secrets_file = "secrets.toml"
"#,
        toml(&database(folder))
    )
}
