//! A rollback journal beside the database, and whether it belongs to it. By a journal, SQLite undoes the half-written
//! work of a killed process. SQLite does not notice that the database beside the journal was replaced: it would spoil a
//! restored copy.
//!
//! The relay itself writes a journal only when it makes a new store, or switches a new store or a restored copy to a WAL.
//! The switch changes only two bytes and some counters in the header. By that the relay's own journal is recognised. A new
//! store is a part of a page: a power cut may have torn it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files;
use crate::store::OpenError;

/// The first bytes of a journal.
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// The length of the part of its header with values.
const HEADER: usize = 28;
/// The bytes beside each page of the database in the journal: its number before it, a checksum behind it.
const AROUND: u64 = 8;
/// The bytes of a database's header that change when it is switched to a WAL: the way of writing, and counters.
const MAY_DIFFER: [std::ops::Range<usize>; 3] = [18..20, 24..28, 92..100];
/// The places of page 1 for the kind of its tree, and for the number of its cells, which are the tables.
const KIND_AT: usize = 100;
const LEAF: u8 = 13;
const CELLS_AT: std::ops::Range<usize> = 103..105;
/// The first bytes of a database, and the length of the first page of a new one.
const DATABASE: &[u8] = b"SQLite format 3\0";
const FIRST_PAGE: u64 = 4096;

/// Checks that a journal undoes only work that a relay left half done. It must be called before SQLite looks at the
/// files. Returns whether there is such a journal.
///
/// # Errors
/// The journal is another database's, or another program's half-written transaction. The error names the remedy.
pub(super) fn check(path: &Path, database: &File) -> Result<bool, OpenError> {
    let journal = files::journal(path);
    let failed = |error: std::io::Error| OpenError::failed(&journal, error);
    let Some(file) = hot(&journal).map_err(failed)? else { return Ok(false) };
    if is_own(&file, database).map_err(failed)? {
        return Ok(true);
    }
    let (name, journal) = (path.display(), journal.display());
    let reason = format!(
        "{journal} would change it; if a copy was restored, remove {journal}; if not, another program was killed while it \
         wrote: undo its work with `sqlite3 {name} 'PRAGMA quick_check'`"
    );
    Err(OpenError::Place { path: path.to_owned(), reason })
}

/// Checks that no journal waits to be undone, before a database is only read.
///
/// # Errors
/// A journal waits. The error names the remedy.
pub(super) fn check_for_reading(path: &Path) -> Result<(), String> {
    let journal = files::journal(path);
    match hot(&journal) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(format!(
            "{} is not empty; start the relay first, which undoes what is in it or says why not",
            journal.display()
        )),
        Err(error) => Err(format!("{}: {error}", journal.display())),
    }
}

/// The journal, if SQLite would undo anything by it.
fn hot(journal: &Path) -> std::io::Result<Option<File>> {
    let file = match File::open(journal) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut first = [0];
    Ok((file.read_at(&mut first, 0)? == 1 && first != [0]).then_some(file))
}

/// Whether undoing the journal would change only bytes of the database that may differ, or only a database that is new.
fn is_own(journal: &File, database: &File) -> std::io::Result<bool> {
    let header = match Header::read(journal)? {
        Some(header) if header.pages > 0 => header,
        // SQLite undoes nothing by a journal without a header. By one of no pages it empties the database.
        _ => return is_new(database),
    };
    let length = database.metadata()?.len();
    let page_1 = read(database, 0, header.page)?;
    let Some(page_1) = page_1.filter(|_| header.pages.checked_mul(header.page) == Some(length)) else {
        return Ok(false);
    };
    let mut at = header.sector;
    for _ in 0..header.records {
        // SQLite ignores a journal that is not whole.
        let Some(record) = read(journal, at, header.page.saturating_add(AROUND))? else { break };
        let (number, page) = record.split_at_checked(4).unwrap_or_default();
        if number != [0, 0, 0, 1] || !is_alike(page, &page_1) {
            return Ok(false);
        }
        at = at.saturating_add(header.page).saturating_add(AROUND);
    }
    Ok(true)
}

/// Whether there is nothing to lose in a database: it is not longer than the first page of a store, and has no tables, or
/// a power cut has torn its beginning.
fn is_new(database: &File) -> std::io::Result<bool> {
    let length = database.metadata()?.len();
    if length > FIRST_PAGE {
        return Ok(false);
    }
    let page = read(database, 0, length)?.unwrap_or_default();
    Ok(!page.starts_with(DATABASE) || has_no_tables(&page))
}

fn has_no_tables(page_1: &[u8]) -> bool {
    page_1.get(KIND_AT) == Some(&LEAF) && page_1.get(CELLS_AT).is_some_and(|cells| cells == [0, 0])
}

/// Whether two first pages are the same except for the bytes that may differ. `one` has a checksum behind it, which is
/// not compared.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    let may_differ = |at: usize| MAY_DIFFER.iter().any(|range| range.contains(&at));
    one.iter().zip(other).enumerate().all(|(at, (one, other))| one == other || may_differ(at))
}

/// The values in a journal's header.
struct Header {
    /// The number of pages in the journal. It is the greatest number where the journal's length decides; 0 until the journal
    /// is on disk.
    records: u64,
    /// The number of pages that the database had.
    pages: u64,
    /// The length of the header.
    sector: u64,
    /// The length of a page.
    page: u64,
}

impl Header {
    /// Reads the header; none if the file is no journal.
    fn read(journal: &File) -> std::io::Result<Option<Self>> {
        let Some(bytes) = read(journal, 0, u64::try_from(HEADER).unwrap_or(u64::MAX))? else { return Ok(None) };
        let number = |at: usize| {
            let four = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
            four.map_or(0, |four| u64::from(u32::from_be_bytes(*four)))
        };
        let header = Self { records: number(8), pages: number(16), sector: number(20), page: number(24) };
        let is_page = (512..=65_536).contains(&header.page) && header.page.is_power_of_two();
        Ok((bytes.starts_with(&MAGIC) && is_page && header.sector > 0).then_some(header))
    }
}

/// Reads `length` bytes from `at` on; none if they are not all there.
fn read(file: &File, at: u64, length: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    const PAGE: usize = 4096;
    const SECTOR: usize = 512;

    /// A journal as SQLite writes it, for a database with this number of pages, with the former content of these pages.
    fn journal(pages: u32, were: &[(u32, &[u8])]) -> Vec<u8> {
        const NONCE: u32 = 7;
        let numbers = [u32::try_from(were.len()).unwrap(), NONCE, pages, 512, 4096];
        let mut journal: Vec<u8> = MAGIC.into_iter().chain(numbers.into_iter().flat_map(u32::to_be_bytes)).collect();
        journal.resize(SECTOR, 0);
        for (number, page) in were {
            let summed = (1..).map(|n| PAGE.saturating_sub(200 * n)).take_while(|at| *at > 0);
            let sum = summed.fold(NONCE, |sum, at| sum.wrapping_add(page[at].into()));
            journal.extend(number.to_be_bytes());
            journal.extend(*page);
            journal.extend(sum.to_be_bytes());
        }
        journal
    }

    /// A database that is written without a WAL, with this number of rows.
    fn database(path: &Path, rows: usize) -> Vec<u8> {
        let made = Connection::open(path).unwrap();
        made.execute_batch("PRAGMA auto_vacuum = 2; CREATE TABLE t (x)").unwrap();
        for _ in 0..rows {
            made.execute("INSERT INTO t VALUES (randomblob(3000))", []).unwrap();
        }
        drop(made);
        std::fs::read(path).unwrap()
    }

    fn rows(path: &Path) -> i64 {
        Connection::open(path).unwrap().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn its_own_journal_is_heeded_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.db");
        let beside = files::journal(&path);
        let checked = || check(&path, &File::open(&path).unwrap()).map_err(|error| error.to_string());
        let old = database(&folder.path().join("old.db"), 1);
        let copy = database(&path, 9);
        let pages = u32::try_from(copy.len() / PAGE).unwrap();
        let begun = |journal: &[u8]| std::fs::write(&beside, journal).unwrap();
        assert_eq!(checked(), Ok(false));
        check_for_reading(&path).unwrap();

        // A start was killed while it switched the copy to a WAL: SQLite undoes that.
        let mut half = copy.clone();
        half[18..20].copy_from_slice(&[2, 2]);
        half[27] ^= 1;
        std::fs::write(&path, &half).unwrap();
        begun(&journal(pages, &[(1, &copy[..PAGE])]));
        assert_eq!(checked(), Ok(true));
        assert!(check_for_reading(&path).unwrap_err().contains("relay.db-journal is not empty"));
        assert_eq!(rows(&path), 9);
        assert_eq!(std::fs::read(&path).unwrap(), copy, "SQLite has heeded it");

        // Journals of another database, of the same size or not; a journal of another program's half-written work;
        // another file.
        let was = &copy[PAGE * 3..PAGE * 4];
        let old_pages = u32::try_from(old.len() / PAGE).unwrap();
        for other in [
            journal(0, &[]),
            journal(old_pages, &[(1, &old[..PAGE])]),
            journal(pages, &[(1, &old[..PAGE])]),
            journal(pages, &[(1, &copy[..PAGE]), (4, was)]),
            b"somebody's notes".to_vec(),
        ] {
            begun(&other);
            let refused = checked().unwrap_err();
            assert!(refused.contains("relay.db-journal would change it") && refused.contains("remove"), "{refused}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), copy);
        // The reason for the check: without it, SQLite would empty the copy by such a journal.
        begun(&journal(0, &[]));
        drop(Connection::open(&path).unwrap().query_row("SELECT count(*) FROM t", [], |_| Ok(())));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    /// A first start that was killed leaves an empty database, or one without tables. After a power cut that page may be
    /// torn, and so may the journal.
    #[test]
    fn a_start_that_made_a_new_store_and_was_killed_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.db");
        let empty = folder.path().join("empty.db");
        Connection::open(&empty).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
        let page = std::fs::read(&empty).unwrap();
        let torn = [&[7; SECTOR], &page[SECTOR..]].concat();
        let not_synced = [&journal(1, &[])[..], &[0; 4 * SECTOR]].concat();
        for (left, journal) in [
            (Vec::new(), journal(0, &[])),
            (Vec::new(), vec![7; SECTOR]),
            (page.clone(), journal(0, &[])),
            (page[..PAGE - SECTOR].to_vec(), journal(0, &[])),
            (torn, journal(0, &[])),
            (vec![0; PAGE], journal(0, &[])),
            (page.clone(), vec![7; 2 * SECTOR]),
            (page, not_synced),
        ] {
            std::fs::write(&path, &left).unwrap();
            std::fs::write(files::journal(&path), journal).unwrap();
            assert!(check(&path, &File::open(&path).unwrap()).unwrap());
            drop(super::super::connection::open(&path, false).unwrap());
            ["", "-wal", "-shm"].iter().for_each(|end| drop(std::fs::remove_file(files::beside(&path, end))));
        }
        std::fs::write(&path, "").unwrap();
        // SQLite undoes nothing by a journal that begins with zeros.
        std::fs::write(files::journal(&path), [0; SECTOR]).unwrap();
        check_for_reading(&path).unwrap();
    }
}
