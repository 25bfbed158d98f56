//! The soak's relay: the real program as a child process, started, killed and started again on one store.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::lives::SOURCES;
use super::world::lock;
use crate::proof::stand_in::{STACK_TOKEN, TRANSFORM_TOKEN};

/// The longest time for a start or stop of the relay on a working machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The exit code of a relay that cannot use its store.
const STORE_UNUSABLE: i32 = 74;

/// The relay under test.
#[derive(Debug)]
pub(super) struct Relay {
    folder: PathBuf,
    /// The address at which it listens, or listened last. Each start has a port of its own.
    address: watch::Sender<Option<SocketAddr>>,
    child: Mutex<Option<Child>>,
}

impl Relay {
    /// Writes the relay's configuration, with `more` appended. Does not start the relay.
    pub(super) fn new(folder: &Path, transform: SocketAddr, failed_as: &str, more: &str) -> anyhow::Result<Self> {
        let path = folder.join("relay.toml");
        std::fs::write(&path, config(folder, transform, failed_as) + more)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { folder: folder.to_owned(), address: watch::Sender::new(None), child: Mutex::new(None) })
    }

    /// The address at which it listens, or listened last. `None` before it has ever listened.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        *self.address.borrow()
    }

    /// Its process id, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        lock(&self.child).as_ref().map(Child::id)
    }

    pub(super) fn database(&self) -> PathBuf {
        database(&self.folder)
    }

    pub(super) fn log(&self) -> PathBuf {
        log(&self.folder)
    }

    /// Starts it and waits until it listens. A locked store may keep it from starting. Then it is started again, as a
    /// service manager would do.
    pub(super) async fn start(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.start_once(began).await? {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Err(anyhow!("the relay does not start within {PATIENCE:?}"))
    }

    /// Starts it without waiting for it.
    pub(super) fn spawn(&self) -> anyhow::Result<watch::Receiver<Option<SocketAddr>>> {
        let program = std::env::current_exe().context("cannot find the path of this program")?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(self.folder.join("relay.toml"));
        // The environment of the soak's user must not reach the relay's settings.
        command.env_clear().env("RUST_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start the relay")?;
        let (heard, listening) = watch::channel(None);
        let stderr = child.stderr.take().ok_or_else(|| anyhow!("the relay has no stderr"))?;
        let file = OpenOptions::new().create(true).append(true).open(self.log()).context("cannot write the log")?;
        let address = self.address.clone();
        std::thread::spawn(move || {
            listen(stderr, file, |at| {
                // The address is sent at once: the relay tells Transform as soon as it listens, and Transform reads then.
                address.send_replace(Some(at));
                heard.send_replace(Some(at));
            })
        });
        *lock(&self.child) = Some(child);
        Ok(listening)
    }

    async fn start_once(&self, began: Instant) -> anyhow::Result<bool> {
        let listening = self.spawn()?;
        while began.elapsed() < PATIENCE {
            if listening.borrow().is_some() {
                return Ok(true);
            }
            if let Some(code) = self.ended()? {
                ensure!(code == Some(STORE_UNUSABLE), "the relay ended at its start: exit code {code:?}");
                return Ok(false);
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("the relay does not listen within {PATIENCE:?}")
    }

    /// Its exit code, if it ended by itself. `Some(None)` is an end by a signal.
    pub(super) fn ended(&self) -> anyhow::Result<Option<Option<i32>>> {
        let mut child = lock(&self.child);
        let Some(running) = child.as_mut() else { return Ok(None) };
        let Some(status) = running.try_wait()? else { return Ok(None) };
        *child = None;
        Ok(Some(status.code()))
    }

    /// Kills it (kill -9).
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        if let Some(mut child) = lock(&self.child).take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends it a signal by name, with the shell's own `kill`: not every machine has the command.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status()?;
        ensure!(sent.success(), "cannot send SIG{name} to the relay");
        Ok(())
    }

    /// Sends SIGTERM and waits for its end. Returns its exit code.
    pub(super) async fn terminate(&self) -> anyhow::Result<Option<i32>> {
        self.signal("TERM")?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(code) = self.ended()? {
                return Ok(code);
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.kill()?;
        bail!("the relay does not stop within {PATIENCE:?} of SIGTERM")
    }
}

impl Drop for Relay {
    /// Kills the relay, so that no process stays behind.
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// Copies the relay's stderr into the log, and passes on the address at which the relay listens.
fn listen(stderr: ChildStderr, mut file: File, heard: impl Fn(SocketAddr)) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        drop(writeln!(file, "{line}"));
        if let Some(address) = line.split("listening address=").nth(1).and_then(|rest| rest.trim().parse().ok()) {
            heard(address);
        }
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("relay.db")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("relay.log")
}

/// The relay's configuration: quick, so that much happens in little time, but patient, so that nothing is given up.
fn config(folder: &Path, transform: SocketAddr, failed_as: &str) -> String {
    let mut text = format!(
        r#"[server]
listen = "127.0.0.1:0"
shutdown_grace = "3s"

[store]
path = "{}"

[debounce]
quiet = "200ms"
max_wait = "1s"

[transform]
allowed_hosts = ["{transform}"]
webhook_target = "http://{transform}/webhooks"
tokens = ["{TRANSFORM_TOKEN}"]
timeout = "3s"
failed_as = "{failed_as}"

[transform.retry]
first = "100ms"
max = "2s"
give_up_after = "9000h"

[integrator]
tokens = ["{STACK_TOKEN}"]
"#,
        database(folder).display()
    );
    for (source, profile, secret) in SOURCES {
        text.push_str(&format!("\n[sources.{source}]\nprofile = \"{profile}\"\nsecrets = [\"{secret}\"]\n"));
    }
    text
}
