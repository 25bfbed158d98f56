//! The relay as a child process on a folder of its own: started, killed and started again on one store.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::program::{Ended, Program};
use crate::proof::lock::lock;

/// The longest time for a start or stop of the relay on a working machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The exit code of a relay that cannot use its store.
const STORE_UNUSABLE: i32 = 74;

/// `transform-relay serve` with `relay.toml`, `relay.db` and `relay.log` in one folder.
#[derive(Debug)]
pub struct Relay {
    program: PathBuf,
    folder: PathBuf,
    /// The address at which it listens, or listened last.
    address: watch::Sender<Option<SocketAddr>>,
    running: Mutex<Option<Program>>,
}

/// The address in a line of the relay's log, where the line says that the relay listens.
#[must_use]
pub fn listening(line: &str) -> Option<SocketAddr> {
    line.split("listening address=").nth(1)?.split_whitespace().next()?.parse().ok()
}

/// The relay's store in its folder.
#[must_use]
pub fn database(folder: &Path) -> PathBuf {
    folder.join("relay.db")
}

impl Relay {
    /// Writes the configuration into the folder. Does not start the relay. `program` is the path of `transform-relay`.
    ///
    /// # Errors
    /// The configuration cannot be written.
    pub fn new(program: PathBuf, folder: &Path, config: &str) -> anyhow::Result<Self> {
        let relay =
            Self { program, folder: folder.to_owned(), address: watch::Sender::new(None), running: Mutex::default() };
        // A relay warns of secrets that everybody can read.
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(relay.config());
        let written = file.and_then(|mut file| file.write_all(config.as_bytes()));
        written.with_context(|| format!("cannot write {}", relay.config().display()))?;
        Ok(relay)
    }

    /// The address at which it listens, or listened last. `None` before it has ever listened.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.borrow()
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        lock(&self.running).as_ref().map(|program| program.pid)
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("relay.toml")
    }

    /// Its store.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        database(&self.folder)
    }

    /// The file with its log, over all starts.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("relay.log")
    }

    /// Starts it and waits until it listens. A locked store may keep it from starting. Then it is started again, as a
    /// service manager would do.
    ///
    /// # Errors
    /// It ends for another reason, or does not listen in time.
    pub async fn start(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.start_once(PATIENCE.saturating_sub(began.elapsed())).await? {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Err(anyhow!("the relay does not start within {PATIENCE:?}"))
    }

    /// Runs another command of the program with the relay's configuration, and returns what it printed. The caller waits for it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn command(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command.arg(name).arg("--config").arg(self.config()).args(arguments).env_clear();
        command.output().with_context(|| format!("cannot run {name}"))
    }

    /// Starts it without waiting for it. Returns its address, as soon as it has one. The address is closed without a value
    /// if the relay ends before.
    ///
    /// # Errors
    /// The program cannot be started, or its log cannot be written.
    pub fn spawn(&self) -> anyhow::Result<watch::Receiver<Option<SocketAddr>>> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.config());
        // The environment of the user must not reach the relay's settings.
        command.env_clear().env("RUST_LOG", "info").stdout(Stdio::null());
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.log())
            .context("cannot write the log")?;
        let (heard, listens) = watch::channel(None);
        let address = self.address.clone();
        let program = Program::heard_by(&mut command, move |line| {
            drop(writeln!(file, "{line}"));
            // The address is passed on at once: the relay tells Transform as soon as it listens, and Transform reads then.
            if let Some(at) = listening(&line) {
                address.send_replace(Some(at));
                heard.send_replace(Some(at));
            }
        });
        *lock(&self.running) = Some(program.context("cannot start the relay")?);
        Ok(listens)
    }

    async fn start_once(&self, patience: Duration) -> anyhow::Result<bool> {
        let mut listens = self.spawn()?;
        let Ok(heard) = timeout(patience, listens.wait_for(Option::is_some)).await else {
            bail!("the relay does not listen within {PATIENCE:?}")
        };
        if heard.is_ok() {
            return Ok(true);
        }
        let code = self.end(patience).await?.code;
        ensure!(code == Some(STORE_UNUSABLE), "the relay ended at its start: exit code {code:?}");
        Ok(false)
    }

    /// Its exit code, if it ended by itself. `Some(None)` is an end by a signal.
    #[must_use]
    pub fn ended(&self) -> Option<Option<i32>> {
        let mut running = lock(&self.running);
        let ended = running.as_ref()?.end()?;
        *running = None;
        Some(ended.code)
    }

    /// Kills it (kill -9).
    pub fn kill(&self) {
        let running = lock(&self.running).take();
        drop(running);
    }

    /// Sends it a signal by name, as [`Program::signal`] does, if it runs.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let running = lock(&self.running);
        let Some(program) = running.as_ref() else { return Ok(()) };
        program.signal(name).with_context(|| format!("cannot send SIG{name} to the relay"))
    }

    /// Sends SIGTERM and waits for its end. Returns its exit code.
    ///
    /// # Errors
    /// It does not stop in time. Then it is killed.
    pub async fn terminate(&self) -> anyhow::Result<Option<i32>> {
        self.signal("TERM")?;
        Ok(self.end(PATIENCE).await?.code)
    }

    /// Waits for its end, and kills it if that does not come in time.
    async fn end(&self, patience: Duration) -> anyhow::Result<Ended> {
        let program = lock(&self.running).take().ok_or_else(|| anyhow!("the relay does not run"))?;
        let ended = timeout(patience, program.ended()).await;
        ended.ok().flatten().ok_or_else(|| anyhow!("the relay does not stop within {patience:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stands_at_the_end_of_its_line() {
        assert_eq!(
            listening("INFO x: listening address=127.0.0.1:80 owed=0\r"),
            Some(SocketAddr::from(([127, 0, 0, 1], 80)))
        );
        assert_eq!(listening("INFO x: stopped address=127.0.0.1:80"), None);
    }
}
