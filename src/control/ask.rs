//! The command's end of the control socket: asks the relay that has a store, and waits for a relay that starts or ends.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::address::Address;
use super::words::{
    CorrectionsAnswer, CorrectionsAsked, ImportAnswer, ImportAsked, Outcome, RepairAnswer, RepairAsked, TellAnswer,
    Time, Wish,
};
use crate::domain::telling::ToTell;
use crate::store::is_taken;

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// There is no such store, so no relay runs on it.
    #[error("there is no store at {0}")]
    NoStore(PathBuf),
    /// There is a store, but no relay has it.
    #[error("no relay runs on {0}")]
    NotRunning(PathBuf),
    /// A relay may run, but did not answer.
    #[error("the relay on {store} cannot be asked: {reason}")]
    Failed {
        /// The relay's store.
        store: PathBuf,
        /// The fault.
        reason: String,
    },
    /// A process has the store, but nothing listens at the socket.
    #[error("the relay on {0} cannot be asked: it has been starting or ending for too long, or has lost its socket")]
    NoSocket(PathBuf),
}

/// The thing that a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The socket of a relay that starts or ends.
    Socket,
    /// The answer of a running relay.
    Answer,
}

/// The longest wait for an answer: a configuration is read within this time, also from a slow disk.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The longest wait for a relay that starts or ends.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The longest wait of a command in all, roughly.
pub const LONGEST: Duration = READY_WITHIN.saturating_add(ANSWER_WITHIN);
/// The time without an answer after which the user is told that the command waits.
const SAY_AFTER: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks the relay that has this store to reload. `waiting` is told the store and what the command waits for.
///
/// # Errors
/// There is no relay, or it does not answer.
pub fn reload(store: &Path, waiting: impl Fn(&Path, Wait)) -> Result<Outcome, Unanswered> {
    ask(store, Wish::Reload, &[], waiting, READY_WITHIN)
}

/// Asks the relay that has this store for its time, on the machine's clock, and for the secrets in force.
///
/// # Errors
/// There is no relay, or it does not answer.
pub fn time(store: &Path, waiting: impl Fn(&Path, Wait)) -> Result<Time, Unanswered> {
    ask(store, Wish::Time, &[], waiting, READY_WITHIN)
}

/// Asks the relay that has this store to make corrections.
///
/// # Errors
/// There is no relay, or it does not answer.
pub fn correct(
    store: &Path,
    asked: &CorrectionsAsked,
    waiting: impl Fn(&Path, Wait),
) -> Result<CorrectionsAnswer, Unanswered> {
    ask(store, Wish::Correct, &json(store, asked)?, waiting, READY_WITHIN)
}

/// Asks the relay that has this store to tell Transform again.
///
/// # Errors
/// There is no relay, or it does not answer.
pub fn tell(store: &Path, wish: &ToTell, waiting: impl Fn(&Path, Wait)) -> Result<TellAnswer, Unanswered> {
    ask(store, Wish::Tell, &json(store, wish)?, waiting, READY_WITHIN)
}

/// Asks the relay that has this store to import lines.
///
/// # Errors
/// There is no relay, or it does not answer.
pub fn import(store: &Path, asked: &ImportAsked, waiting: impl Fn(&Path, Wait)) -> Result<ImportAnswer, Unanswered> {
    ask(store, Wish::Import, &json(store, asked)?, waiting, READY_WITHIN)
}

/// Asks the relay that has this store to repair a record.
///
/// # Errors
/// There is no relay, or it does not answer.
pub fn repair(store: &Path, asked: &RepairAsked, waiting: impl Fn(&Path, Wait)) -> Result<RepairAnswer, Unanswered> {
    ask(store, Wish::Repair, &json(store, asked)?, waiting, READY_WITHIN)
}

fn json(store: &Path, asked: &impl Serialize) -> Result<Vec<u8>, Unanswered> {
    serde_json::to_vec(asked).map_err(|error| Unanswered::Failed { store: store.to_owned(), reason: error.to_string() })
}

/// Asks, and waits for a socket if there is none yet. A relay has its store before its socket opens, and for a while after
/// the socket closes. So a missing socket does not mean a free store. And if no process has the store, a socket there is not
/// a relay's.
fn ask<T: DeserializeOwned>(
    store: &Path,
    wish: Wish,
    more: &[u8],
    waiting: impl Fn(&Path, Wait),
    patience: Duration,
) -> Result<T, Unanswered> {
    let store = found(store)?;
    let failed = |reason: String| Unanswered::Failed { store: store.clone(), reason };
    let refused = |error: Error| failed(error.to_string());
    let address = Address::of(&store).map_err(refused)?;
    let mut began = None;
    loop {
        let stream = connect(&address).map_err(refused)?;
        if !is_taken(&store).map_err(refused)? {
            return Err(Unanswered::NotRunning(store));
        }
        if let Some(stream) = stream {
            trust(&stream, &store, &address.path).map_err(failed)?;
            let answer = exchange(stream, wish, more, || waiting(&store, Wait::Answer)).map_err(failed)?;
            if !answer.is_empty() {
                return serde_json::from_slice(&answer).map_err(|_| failed("its answer broke off".to_owned()));
            }
        }
        let began = began.get_or_insert_with(|| {
            waiting(&store, Wait::Socket);
            Instant::now()
        });
        if began.elapsed() > patience {
            return Err(Unanswered::NoSocket(store));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The store's path without links.
fn found(store: &Path) -> Result<PathBuf, Unanswered> {
    let whole = || std::path::absolute(store).unwrap_or_else(|_| store.to_owned());
    store.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unanswered::NoStore(whole()),
        _ => Unanswered::Failed { store: whole(), reason: error.to_string() },
    })
}

/// Connects to the socket. `None` if there is no socket, or a dead relay left it.
fn connect(address: &Address) -> std::io::Result<Option<UnixStream>> {
    match UnixStream::connect(&address.short) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks that the listener at the socket can be the relay: in a folder that others may write, anybody can put a socket.
fn trust(stream: &UnixStream, store: &Path, socket: &Path) -> Result<(), String> {
    let owner = store.metadata().map_err(|error| error.to_string())?.uid();
    let listens = listener(stream).map_err(|error| error.to_string())?;
    if listens.is_none_or(|user| may_be_the_relay(user, owner, rustix::process::geteuid().as_raw())) {
        return Ok(());
    }
    let (user, socket) = (listens.unwrap_or_default(), socket.display());
    Err(format!(
        "user {user} listens at {socket}, but the store is user {owner}'s: this is not its relay. See what runs there, remove \
         the socket, and restart the relay"
    ))
}

/// Whether a user may be the relay's: the owner of the store, root, or the command's own user.
fn may_be_the_relay(listens: u32, owner: u32, own: u32) -> bool {
    [owner, own, 0].contains(&listens)
}

/// The user who listens at the other end. `None` if the machine does not say.
#[cfg(target_os = "linux")]
fn listener(stream: &UnixStream) -> std::io::Result<Option<u32>> {
    Ok(Some(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw()))
}

#[cfg(not(target_os = "linux"))]
const fn listener(_: &UnixStream) -> std::io::Result<Option<u32>> {
    Ok(None)
}

/// Sends a request, with what follows it, and reads the answer: empty if the relay ends meanwhile. `waiting` is called if
/// the answer takes long.
fn exchange(mut stream: UnixStream, wish: Wish, more: &[u8], waiting: impl Fn()) -> Result<Vec<u8>, String> {
    let mut answer = Vec::new();
    let mut talk = || {
        stream.set_read_timeout(Some(SAY_AFTER))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(wish.words())?;
        if !more.is_empty() {
            stream.write_all(more)?;
            stream.shutdown(Shutdown::Write)?;
        }
        match stream.read_to_end(&mut answer) {
            Err(error) if is_late(&error) => {
                waiting();
                stream.set_read_timeout(Some(ANSWER_WITHIN.saturating_sub(SAY_AFTER)))?;
                stream.read_to_end(&mut answer)
            }
            read => read,
        }
    };
    match talk() {
        Ok(_) => Ok(answer),
        Err(error) if is_late(&error) => Err(format!("it did not answer within {ANSWER_WITHIN:?}")),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(Vec::new()),
            _ => Err(error.to_string()),
        },
    }
}

fn is_late(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A store with the lock of a relay that has it.
    fn taken() -> (tempfile::TempDir, PathBuf, std::fs::File) {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().canonicalize().unwrap().join("relay.db");
        std::fs::write(&store, "").unwrap();
        let lock = std::fs::File::create(folder.path().join("relay.db.lock")).unwrap();
        lock.lock().unwrap();
        (folder, store, lock)
    }

    fn outcome(store: &Path, patience: Duration, waiting: impl Fn(&Path, Wait)) -> Result<Outcome, Unanswered> {
        ask(store, Wish::Reload, &[], waiting, patience)
    }

    #[test]
    fn a_relay_that_has_the_store_and_no_socket_is_not_taken_for_none() {
        let (_folder, store, lock) = taken();
        let asked = outcome(&store, Duration::ZERO, |_, _| ()).unwrap_err();
        assert!(matches!(asked, Unanswered::NoSocket(_)), "{asked}");
        drop(lock);
        assert!(matches!(outcome(&store, Duration::ZERO, |_, _| ()), Err(Unanswered::NotRunning(_))));
    }

    /// Without a relay, anybody who may write the folder may listen at its socket.
    #[test]
    fn somebody_at_the_socket_of_a_store_that_nobody_has_is_no_relay() {
        let (_folder, store, lock) = taken();
        drop(lock);
        let _listens = UnixListener::bind(Address::of(&store).unwrap().path).unwrap();
        assert!(matches!(outcome(&store, Duration::ZERO, |_, _| ()), Err(Unanswered::NotRunning(_))));
    }

    #[test]
    fn the_owner_of_the_store_root_and_whoever_asks_are_believed() {
        let believed = [7, 0, 9, 8].map(|listens| may_be_the_relay(listens, 7, 9));
        assert_eq!(believed, [true, true, true, false]);
    }

    /// The peer's user comes from the kernel and is not assumed.
    #[cfg(target_os = "linux")]
    #[test]
    fn who_listens_is_known() {
        let (_folder, store, _lock) = taken();
        let socket = Address::of(&store).unwrap().path;
        let _listens = UnixListener::bind(&socket).unwrap();
        let stream = UnixStream::connect(&socket).unwrap();
        assert_eq!(listener(&stream).unwrap(), Some(rustix::process::geteuid().as_raw()));
        trust(&stream, &store, &socket).unwrap();
    }

    /// A relay that ends hangs up without an answer, and another relay takes its place.
    #[test]
    fn who_is_hung_up_on_asks_the_next_relay() {
        let (_folder, store, _lock) = taken();
        let socket = Address::of(&store).unwrap().path;
        let ending = UnixListener::bind(&socket).unwrap();
        let relays = std::thread::spawn(move || {
            drop(ending.accept().unwrap());
            std::fs::remove_file(&socket).unwrap();
            let next = UnixListener::bind(&socket).unwrap();
            let (mut asked, _) = next.accept().unwrap();
            let mut said = [0; 7];
            asked.read_exact(&mut said).unwrap();
            asked.write_all(&serde_json::to_vec(&Outcome::default()).unwrap()).unwrap();
            said
        });
        assert_eq!(outcome(&store, READY_WITHIN, |_, _| ()).unwrap(), Outcome::default());
        assert_eq!(&relays.join().unwrap(), b"reload\n");
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_said_to_be_absent() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none.db");
        let asked = outcome(&none, Duration::ZERO, |_, _| ()).unwrap_err();
        assert_eq!(asked.to_string(), format!("there is no store at {}", none.display()));
        std::fs::write(folder.path().join("file"), "").unwrap();
        let asked = outcome(&folder.path().join("file/relay.db"), Duration::ZERO, |_, _| ()).unwrap_err();
        assert!(matches!(asked, Unanswered::Failed { .. }), "{asked}");
    }
}
