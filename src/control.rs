//! The control socket, a Unix socket beside the store. Through it a command asks the running relay for the time and the
//! names of secrets, for a reload, for the corrections of a reread, to tell Transform again, to import records, or to repair one. It
//! gets the outcome.
//!
//! Only users who may write the socket get in, and these are the users who may write the store. So no token is needed, not
//! even one that is just being replaced. Likewise a command believes only a socket of the store's owner, of root or of its
//! own user. It believes that socket only while a relay has the store. A command that connects gets the outcome of a reload that began
//! afterwards. A relay reads its configuration once more when its socket is open. So if a command finds no socket, a relay
//! that is starting still reads what the command has written.

mod address;
mod ask;
mod fingerprint;
mod words;

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use self::address::Address;
pub use self::ask::{ANSWER_WITHIN, LONGEST, Unanswered, Wait, correct, import, reload, repair, tell, time};
pub use self::fingerprint::Fingerprints;
pub use self::words::{
    CorrectionsAnswer, CorrectionsAsked, ImportAnswer, ImportAsked, InForce, Known, Outcome, RepairAnswer, RepairAsked,
    RuleBySource, TellAnswer, Time, Wish,
};

/// The longest time to hear a request or to send an answer: a command speaks at once.
const SAY_WITHIN: Duration = Duration::from_secs(5);
/// The most bytes that follow a request.
const MORE_MAX: u64 = 256 * 1024 * 1024;

/// The relay's end of the control socket.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    address: Address,
    /// Device and inode of the socket that this relay made. No other file gets them while the listener has it open.
    made: (u64, u64),
}

/// A command that has connected and waits for an answer.
#[derive(Debug)]
pub struct Asked(UnixStream);

impl Control {
    /// Opens the socket. The caller has the store, so any socket that lies there is a dead relay's.
    ///
    /// # Errors
    /// The socket cannot be made. Its name may be too long.
    pub fn open(store: &Path) -> std::io::Result<Self> {
        let address = Address::of(&store.canonicalize()?)?;
        match std::fs::remove_file(&address.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&address.short)?;
        std::fs::set_permissions(&address.path, std::fs::Permissions::from_mode(0o600))?;
        let made = identity(&address.path)?;
        Ok(Self { listener, address, made })
    }

    /// Waits for a command. May be cancelled: the command then waits for the next call.
    pub async fn next(&self) -> Asked {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Asked(stream),
                Err(error) => {
                    tracing::warn!(%error, "the control socket accepts nobody now: `reload`, `reread`, `repair`, `tell`, `import` and `secret rotate` are refused; SIGHUP reloads");
                    tokio::time::sleep(SAY_WITHIN).await;
                }
            }
        }
    }
}

impl Drop for Control {
    /// Removes only this relay's socket: another relay may have the store by now, with its own socket there.
    fn drop(&mut self) {
        if identity(&self.address.path).is_ok_and(|found| found == self.made) {
            drop(std::fs::remove_file(&self.address.path));
        }
    }
}

/// Device and inode of the file at a path. A link counts as itself.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    path.symlink_metadata().map(|file| (file.dev(), file.ino()))
}

impl Asked {
    /// Hears the command's request. `None` if it is unknown or does not come in time.
    pub async fn wish(&mut self) -> Option<Wish> {
        let mut said = Vec::new();
        let hear = async {
            let mut words = (&mut self.0).take(Wish::WORDS_MAX);
            while !said.ends_with(b"\n") && words.read_buf(&mut said).await? > 0 {}
            std::io::Result::Ok(())
        };
        tokio::time::timeout(SAY_WITHIN, hear).await.ok()?.ok()?;
        Wish::ALL.into_iter().find(|wish| wish.words() == said)
    }

    /// Hears what follows the request. `None` if it cannot be read or does not come in time.
    pub async fn more<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut said = Vec::new();
        let mut rest = (&mut self.0).take(MORE_MAX);
        tokio::time::timeout(SAY_WITHIN, rest.read_to_end(&mut said)).await.ok()?.ok()?;
        serde_json::from_slice(&said).ok()
    }

    /// Sends the answer. The command may have gone.
    pub async fn answer(mut self, answer: &impl Serialize) {
        let text = serde_json::to_vec(answer).unwrap_or_default();
        let said = async {
            self.0.write_all(&text).await?;
            self.0.shutdown().await
        };
        if !matches!(tokio::time::timeout(SAY_WITHIN, said).await, Ok(Ok(()))) {
            tracing::debug!("a command at the control socket has gone before its answer");
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::Corrections;

    fn asked(store: &Path) -> Result<Outcome, Unanswered> {
        reload(store, |_, _| ())
    }

    /// The lock that a relay has on its store.
    fn locked(store: &Path) -> std::fs::File {
        let lock = std::fs::File::create(store.with_extension("db.lock")).unwrap();
        lock.lock().unwrap();
        lock
    }

    /// Short and long paths: a socket's address has 107 bytes at most.
    #[tokio::test]
    async fn who_asks_hears_the_outcome_and_nobody_is_there_afterwards() {
        for length in [1, 100, 200] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("l".repeat(length));
            std::fs::create_dir(&folder).unwrap();
            let store = folder.join("relay.db");
            assert!(matches!(asked(&store), Err(Unanswered::NoStore(_))));
            std::fs::write(&store, "").unwrap();
            assert!(matches!(asked(&store), Err(Unanswered::NotRunning(_))));
            let lock = locked(&store);
            std::fs::write(folder.join("relay.db.control"), "what a dead relay left").unwrap();
            let control = Control::open(&store).unwrap();
            let asking = std::thread::spawn({
                let store = store.clone();
                move || (time(&store, |_, _| ()), asked(&store))
            });
            let outcome =
                Outcome { restart: vec!["server.listen".into()], errors: vec!["a: b".into()], ..Outcome::default() };
            let mut first = control.next().await;
            assert_eq!(first.wish().await, Some(Wish::Time));
            let known = Known { name: "a".into(), expires_at: None, of_environment: true };
            let told = Time { now: Timestamp::UNIX_EPOCH, secrets: Some([("x".to_owned(), vec![known])].into()) };
            first.answer(&told).await;
            let mut second = control.next().await;
            assert_eq!(second.wish().await, Some(Wish::Reload));
            second.answer(&outcome).await;
            let (now, answered) = asking.join().unwrap();
            assert_eq!((now.unwrap(), answered.unwrap()), (told, outcome));
            drop(control);
            drop(lock);
            std::fs::remove_file(folder.join("relay.db.lock")).unwrap();
            assert!(matches!(asked(&store), Err(Unanswered::NotRunning(_))));
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        }
    }

    /// What follows the request is heard whole, also if it is more than the socket takes at once.
    #[tokio::test]
    async fn corrections_follow_their_request() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("relay.db");
        std::fs::write(&store, "").unwrap();
        let _lock = locked(&store);
        let control = Control::open(&store).unwrap();
        let families = vec![Vec::new(); 1_000_000];
        let wanted = CorrectionsAsked::by_this(RuleBySource::new(), Corrections { families, judgements: Vec::new() });
        let asking = std::thread::spawn(move || correct(&store, &wanted, |_, _| ()));
        let mut asked = control.next().await;
        assert_eq!(asked.wish().await, Some(Wish::Correct));
        let heard: CorrectionsAsked = asked.more().await.unwrap();
        assert!(heard.is_by_this());
        assert_eq!(heard.corrections.families.len(), 1_000_000);
        asked.answer(&CorrectionsAnswer::Busy).await;
        assert_eq!(asking.join().unwrap().unwrap(), CorrectionsAnswer::Busy);
        let other = CorrectionsAsked { version: "0.0.9".to_owned(), ..heard };
        assert!(!other.is_by_this());
    }

    #[test]
    fn a_name_that_no_socket_can_have_is_said_to_be_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("n".repeat(150));
        std::fs::write(&store, "").unwrap();
        let errors = [Control::open(&store).unwrap_err().to_string(), asked(&store).unwrap_err().to_string()];
        for error in errors {
            assert!(error.contains("too long for a socket") && error.contains("store.path"), "{error}");
        }
    }

    #[tokio::test]
    async fn what_nobody_can_ask_for_is_no_wish() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("relay.db");
        std::fs::write(&store, "").unwrap();
        let control = Control::open(&store).unwrap();
        for said in ["", "\n", "reload", "correct", "reloads\n", "GET / HTTP/1.1\r\n", "time\nreload\n"] {
            let mut stream = UnixStream::connect(&control.address.path).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            assert_eq!(control.next().await.wish().await, None, "{said:?}");
        }
    }

    /// The first relay has released the store, but ends a moment after the next relay begins.
    #[tokio::test]
    async fn a_relay_that_ends_leaves_the_socket_of_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("relay.db");
        std::fs::write(&store, "").unwrap();
        let first = Control::open(&store).unwrap();
        let next = Control::open(&store).unwrap();
        drop(first);
        let path = Address::of(&store.canonicalize().unwrap()).unwrap().path;
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok(), "the next one can be asked");
        drop(next);
        assert!(!path.exists(), "the last one leaves nothing");
    }
}
