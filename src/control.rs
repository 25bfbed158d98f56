//! The relay's own door for whoever runs it: a socket beside the store, through which a command asks the running relay
//! to reload and hears what came of it.
//!
//! Only who may write there gets in, which is who may write the store; no token is needed, and none of the tokens that
//! are just being replaced. Whoever connects gets the outcome of a reload that began afterwards.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What came of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Keys whose new values need a restart; all else is in force.
    pub restart: Vec<String>,
    /// All that is wrong with the configuration. If there is anything, the old one stays in force.
    pub errors: Vec<String>,
    /// The names of each source's secrets that are in force now.
    pub secrets: BTreeMap<String, Vec<String>>,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No relay runs on this store.
    #[error("no relay runs on {0}")]
    NotRunning(PathBuf),
    /// A relay may run, but did not answer.
    #[error("the relay did not answer at {path}: {reason}")]
    Failed {
        /// Its socket.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

/// The one thing that can be asked for.
const RELOAD: &[u8] = b"reload\n";
/// Who connects has something to say at once.
const SAY_WITHIN: Duration = Duration::from_secs(5);
/// A configuration is read within this, also from a slow disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The relay's end.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the socket that this relay has made. Nothing else gets them while the listener has it open.
    made: (u64, u64),
}

/// Somebody who is at the door, and waits for the outcome.
#[derive(Debug)]
pub struct Asked(UnixStream);

impl Control {
    /// Opens the door of a relay that has the store: another socket that lies there is a dead relay's.
    ///
    /// # Errors
    /// The socket cannot be made; its path may be too long.
    pub fn open(store: &Path) -> std::io::Result<Self> {
        let path = socket(store)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let made = identity(&path)?;
        Ok(Self { listener, path, made })
    }

    /// Waits until somebody is there. May be cancelled: then they wait for the next call.
    pub async fn next(&self) -> Asked {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Asked(stream),
                Err(error) => {
                    tracing::warn!(%error, "nobody can ask for a reload now");
                    tokio::time::sleep(SAY_WITHIN).await;
                }
            }
        }
    }
}

impl Drop for Control {
    /// Another relay may have the store by now, and have put its own socket there.
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.made) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Which file is at a path; a link is the link itself.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    path.symlink_metadata().map(|file| (file.dev(), file.ino()))
}

impl Asked {
    /// Whether they ask for a reload; there is nothing else to ask for.
    pub async fn wants_reload(&mut self) -> bool {
        let mut said = [0; RELOAD.len()];
        let heard = tokio::time::timeout(SAY_WITHIN, self.0.read_exact(&mut said)).await;
        matches!(heard, Ok(Ok(_))) && said == *RELOAD
    }

    /// Says what came of it. Whoever asked may have gone.
    pub async fn answer(mut self, outcome: &Outcome) {
        let text = serde_json::to_vec(outcome).unwrap_or_default();
        let said = async {
            self.0.write_all(&text).await?;
            self.0.shutdown().await
        };
        if !matches!(tokio::time::timeout(SAY_WITHIN, said).await, Ok(Ok(()))) {
            tracing::debug!("whoever asked for the reload has gone");
        }
    }
}

/// The command's end: asks the relay that runs on this store to reload, and waits for what comes of it.
///
/// # Errors
/// There is none, or it does not answer.
pub fn ask(store: &Path) -> Result<Outcome, Unanswered> {
    let not_running = || Unanswered::NotRunning(store.to_owned());
    let path = socket(store).map_err(|_| not_running())?;
    let failed = |reason: String| Unanswered::Failed { path: path.clone(), reason };
    let mut stream = std::os::unix::net::UnixStream::connect(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => not_running(),
        _ => failed(error.to_string()),
    })?;
    let mut answer = Vec::new();
    let talk = |stream: &mut std::os::unix::net::UnixStream, answer: &mut Vec<u8>| {
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(RELOAD)?;
        stream.read_to_end(answer)
    };
    talk(&mut stream, &mut answer).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&answer).map_err(|_| failed("it stopped meanwhile".to_owned()))
}

/// Where the socket of a store is. One file has one, whatever links lead to it.
fn socket(store: &Path) -> std::io::Result<PathBuf> {
    Ok(PathBuf::from(format!("{}.control", store.canonicalize()?.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_hears_the_outcome_and_nobody_is_there_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("relay.db");
        assert!(matches!(ask(&store), Err(Unanswered::NotRunning(_))), "no store");
        std::fs::write(&store, "").unwrap();
        std::fs::write(folder.path().join("relay.db.control"), "what a dead relay left").unwrap();
        let control = Control::open(&store).unwrap();
        let asking = std::thread::spawn({
            let store = store.clone();
            move || ask(&store)
        });
        let outcome =
            Outcome { restart: vec!["server.listen".into()], errors: vec!["a: b".into()], ..Outcome::default() };
        let mut asked = control.next().await;
        assert!(asked.wants_reload().await);
        asked.answer(&outcome).await;
        assert_eq!(asking.join().unwrap().unwrap(), outcome);
        drop(control);
        assert!(matches!(ask(&store), Err(Unanswered::NotRunning(_))));
    }

    /// The first relay has let go of the store, and ends a moment later than the next one begins.
    #[tokio::test]
    async fn a_relay_that_ends_leaves_the_socket_of_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("relay.db");
        std::fs::write(&store, "").unwrap();
        let first = Control::open(&store).unwrap();
        let next = Control::open(&store).unwrap();
        drop(first);
        let path = socket(&store).unwrap();
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok(), "the next one can be asked");
        drop(next);
        assert!(!path.exists(), "the last one leaves nothing");
    }
}
