//! The end of the WAL, and whether the last commit still stands there. Somebody may cut the WAL while the relay runs.
//! SQLite would go on writing behind the hole. The next start would find nothing from the hole on, although it was
//! acknowledged.
//!
//! SQLite's index of the WAL (the file that ends in -shm) names the last frame, even after another process has emptied
//! the WAL in a checkpoint. So the index and the WAL are compared. SQLite publishes the formats of both.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files;
use crate::store::StoreError;

/// The version of the index that is read here, the only one so far.
const INDEX_VERSION: u32 = 3_007_000;
/// The length of the index's header.
const INDEX_HEADER: usize = 48;
/// The lengths of a WAL's header, and of the header of each frame in it.
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The WAL and its index. They stay open for as long as the store: closing the index would end the locks that SQLite
/// has on it.
#[derive(Debug)]
pub(super) struct WalEnd {
    wal: File,
    index: File,
    path: PathBuf,
}

/// The last frame, as the index names it.
#[derive(Debug, PartialEq, Eq)]
struct LastFrame {
    /// The offsets in the WAL where the frame begins and ends.
    begins: u64,
    ends: u64,
    /// The salts and checksums in the frame's header.
    mark: [u8; 16],
}

impl WalEnd {
    /// Opens the WAL and its index. SQLite must have made them.
    pub(super) fn open(database: &Path) -> std::io::Result<Self> {
        let path = files::wal(database);
        Ok(Self { wal: File::open(&path)?, index: File::open(files::index(database))?, path })
    }

    /// Checks that the last frame is in the WAL. No other process may write meanwhile.
    ///
    /// # Errors
    /// The last frame is missing, or the files cannot be read.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.is_whole() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Unavailable(format!(
                "{} was cut or written over while the relay runs, and what was written last may be lost; stop the relay, and \
                 restore a backup, or start it and have PSPs send again",
                self.path.display()
            ))),
            Err(error) => Err(StoreError::Unavailable(format!("{} cannot be read: {error}", self.path.display()))),
        }
    }

    /// The bytes of the WAL that are in use: up to the last frame.
    pub(super) fn length(&self) -> std::io::Result<u64> {
        Ok(last_frame(&self.header()?).map_or(0, |last| last.ends))
    }

    fn header(&self) -> std::io::Result<[u8; INDEX_HEADER]> {
        let mut header = [0; INDEX_HEADER];
        self.index.read_exact_at(&mut header, 0)?;
        Ok(header)
    }

    fn is_whole(&self) -> std::io::Result<bool> {
        let Some(last) = last_frame(&self.header()?) else { return Ok(true) };
        let mut mark = [0; 16];
        match self.wal.read_exact_at(&mut mark, last.begins.saturating_add(8)) {
            Ok(()) => Ok(mark == last.mark && self.wal.metadata()?.len() >= last.ends),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The last frame by the header of the index; none if the WAL is empty, or the index is of another version.
fn last_frame(header: &[u8; INDEX_HEADER]) -> Option<LastFrame> {
    let (version, last, page) = (number(header, 0)?, number(header, 16)?, bytes::<2>(header, 14)?);
    if version != INDEX_VERSION || last == 0 {
        return None;
    }
    // The lowest bit stands for 65536.
    let page = match u16::from_ne_bytes(page) {
        1 => 65_536,
        page => u64::from(page),
    };
    let begins = u64::from(last - 1).checked_mul(page.checked_add(FRAME_HEADER)?)?.checked_add(WAL_HEADER)?;
    let ends = begins.checked_add(FRAME_HEADER)?.checked_add(page)?;
    let [first, second] = [number(header, 24)?.to_be_bytes(), number(header, 28)?.to_be_bytes()];
    let mut mark = [0; 16];
    let parts = bytes::<8>(header, 32)?.into_iter().chain(first).chain(second);
    mark.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    Some(LastFrame { begins, ends, mark })
}

fn number(header: &[u8], at: usize) -> Option<u32> {
    bytes(header, at).map(u32::from_ne_bytes)
}

fn bytes<const N: usize>(header: &[u8], at: usize) -> Option<[u8; N]> {
    header.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::connection;
    use super::*;

    /// Nothing that SQLite does with its WAL is an error; a WAL that was cut or filled with zeros is.
    #[test]
    fn a_wal_that_was_cut_is_told_from_one_that_was_checkpointed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.db");
        let opened = connection::open(&path, false).unwrap();
        let end = WalEnd::open(&opened.path).unwrap();
        let other = Connection::open(&path).unwrap();
        let write = |connection: &Connection| {
            connection.execute("UPDATE probe SET at = at + 1, room = randomblob(20000)", []).unwrap();
            end.check().unwrap();
        };
        let checkpoint = |how: &str| {
            let busy: i64 = other.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| row.get(0)).unwrap();
            assert_eq!(busy, 0);
            end.check().unwrap();
        };
        for how in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
            write(&opened.connection);
            write(&other);
            checkpoint(how);
            write(&opened.connection);
        }
        let wal = File::options().write(true).read(true).open(files::wal(&opened.path)).unwrap();
        // From here on no frames of an earlier, longer WAL stand behind the last frame.
        checkpoint("TRUNCATE");
        write(&opened.connection);
        let whole = std::fs::read(files::wal(&opened.path)).unwrap();
        let length = u64::try_from(whole.len()).unwrap();
        for cut in [0, 31, length / 2, length - 1] {
            wal.set_len(cut).unwrap();
            assert!(end.check().unwrap_err().to_string().contains("relay.db-wal was cut"), "{cut}");
            wal.set_len(length).unwrap();
            if cut < length - 1 {
                assert!(end.check().is_err(), "{cut}, and as many zeros");
            }
            wal.write_all_at(&whole, 0).unwrap();
            end.check().unwrap();
        }
    }
}
