//! The unfinished copy of a backup: it has a name of its own, and is locked for as long as it is written.
//!
//! If an unfinished copy is not locked, its backup was killed. The copy is of no use and holds payer data, so that it
//! is removed.

use std::fs::{DirEntry, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::files;

/// The text between the name of the copy and a unique number.
const MARK: &str = ".unfinished-";
/// The number of hexadecimal digits in that number. A file with fewer is not the relay's.
const DIGITS: usize = 32;
/// The attempts to make an unfinished copy: another process may remove it before it is locked.
const ATTEMPTS: u32 = 10;
/// The first bytes of SQLite's databases.
const MAGIC: [u8; 16] = *b"SQLite format 3\0";

/// An unfinished copy that is being written. Its descriptor outlives SQLite's connections to it (see [`super::lock`]).
pub(super) struct Unfinished {
    pub(super) path: PathBuf,
    file: File,
}

impl Unfinished {
    /// Makes and locks an unfinished copy. Only the operator may read it: it holds payer data, as the store does.
    pub(super) fn make(copy: &Path) -> std::io::Result<Self> {
        check_name(copy)?;
        for _ in 0..ATTEMPTS {
            let path = files::beside(copy, &format!("{MARK}{}", Uuid::now_v7().simple()));
            let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            file.lock()?;
            let made = Self { path, file };
            if made.is_there() {
                return Ok(made);
            }
            // Before the lock was taken, another process took the copy for one of a killed backup and removed it.
        }
        Err(std::io::Error::other("another process removed each unfinished copy before it was locked; try again"))
    }

    /// Gives the file the name of the copy, if that name is free, and syncs both to disk.
    pub(super) fn finish(self, copy: &Path) -> std::io::Result<()> {
        self.file.sync_all()?;
        rename_without_replacing(&self.path, copy)?;
        File::open(folder_of(copy))?.sync_all()
    }

    fn is_there(&self) -> bool {
        let own = self.file.metadata().map(|file| (file.dev(), file.ino()));
        own.is_ok_and(|own| files::identity(&self.path).is_ok_and(|found| found == own))
    }
}

impl Drop for Unfinished {
    /// Removes the copy if it was not finished. A finished copy has another name.
    fn drop(&mut self) {
        if !self.is_there() {
            return;
        }
        // SQLite's journal of the copy is removed first: without the copy, nobody would find it.
        drop(std::fs::remove_file(files::journal(&self.path)));
        if let Err(error) = std::fs::remove_file(&self.path) {
            stays(&self.path, &error);
        }
    }
}

/// Logs that an unfinished copy cannot be removed by this process.
fn stays(path: &Path, error: &std::io::Error) {
    tracing::warn!(
        path = %path.display(),
        %error,
        "this unfinished copy cannot be removed, and it holds payer data; if no backup runs, remove it as its owner"
    );
}

/// The longest name of a file, in bytes.
const NAME_MAX: usize = 255;
/// The ending of the journal that SQLite writes beside the copy.
const JOURNAL: &str = "-journal";

/// Checks that the name of the copy leaves room for the endings of the unfinished copy and of its journal.
fn check_name(copy: &Path) -> std::io::Result<()> {
    let length = copy.file_name().map_or(0, |name| name.as_encoded_bytes().len());
    let most = NAME_MAX.saturating_sub(MARK.len() + DIGITS + JOURNAL.len());
    if length <= most {
        return Ok(());
    }
    let reason = format!("its name has {length} bytes and may have {most}: the name of the unfinished copy is longer");
    Err(std::io::Error::new(ErrorKind::InvalidFilename, reason))
}

/// Removes the unfinished copies of killed backups from a folder.
pub(super) fn remove_in(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    entries.flatten().filter(is_unfinished).for_each(|entry| remove_dead(&entry.path()));
}

/// Whether a file has the name of an unfinished copy.
fn is_unfinished(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let number = name.to_str().and_then(|name| Some(name.rsplit_once(MARK)?.1));
    // An unfinished copy is a plain file, never a link or a folder.
    number.is_some_and(|number| number.len() == DIGITS && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && entry.file_type().is_ok_and(|kind| kind.is_file())
}

fn remove_dead(path: &Path) {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return stays(path, &error),
    };
    if file.try_lock().is_err() {
        tracing::debug!(path = %path.display(), "a backup is being written");
        return;
    }
    let mut begin = [0; MAGIC.len()];
    let is_empty = file.metadata().is_ok_and(|file| file.len() == 0);
    // SQLite writes the first page last: until then the file begins with zeros.
    let is_ours = |begin: [u8; MAGIC.len()]| begin == MAGIC || begin == [0; MAGIC.len()];
    if !is_empty && (file.read_exact(&mut begin).is_err() || !is_ours(begin)) {
        return;
    }
    let dead = Unfinished { path: path.to_owned(), file };
    drop(dead);
    if !path.exists() {
        tracing::warn!(path = %path.display(), "a backup was killed; its unfinished copy is removed");
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Renames a file, but never over another one. There is never a half-written file with the new name.
///
/// # Errors
/// A file of that name exists, or the file system supports neither way.
fn rename_without_replacing(from: &Path, to: &Path) -> std::io::Result<()> {
    match rename_exclusively(from, to) {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => link(from, to),
        renamed => renamed,
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_exclusively(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_exclusively(_from: &Path, _to: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Renames a file by a second name, for a file system that cannot rename without replacing. A second name never
/// replaces another file.
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::InvalidInput => std::io::Error::new(
            error.kind(),
            "its file system can neither rename a file without replacing another nor link it; write the copy elsewhere",
        ),
        _ => error,
    })?;
    std::fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_nobody_writes_any_more_goes_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        let living = Unfinished::make(&copy).unwrap();
        let living_name = living.path.file_name().unwrap().to_str().unwrap().to_owned();
        let dead = |digit: &str| format!("copy.db.unfinished-{}", digit.repeat(DIGITS));
        let other = format!("other.db.unfinished-{}", "7".repeat(DIGITS));
        let left = [dead("3"), "copy.db.unfinished-4711".to_owned(), "copy.db.unfinished-today".to_owned()];
        for (name, content) in [
            (dead("0"), b"SQLite format 3\0 and payer data".as_slice()),
            (format!("{}-journal", dead("0")), b"what was there before"),
            (dead("1"), b""),
            (dead("2"), &[0; 4096]),
            (left[0].clone(), b"somebody's notes"),
            (left[1].clone(), b"SQLite format 3\0 and somebody's accounts"),
            (left[2].clone(), b"SQLite format 3\0"),
            (other, b"SQLite format 3\0"),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        remove_in(folder.path());
        let mut expected: Vec<_> = left.into_iter().chain([living_name.clone()]).collect();
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        drop(living);
        expected.retain(|name| *name != living_name);
        assert_eq!(names(folder.path()), expected, "one that failed leaves nothing");
    }

    #[test]
    fn a_file_that_is_there_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for way in [rename_exclusively, link, rename_without_replacing] {
            std::fs::write(&from, "new").unwrap();
            way(&from, &to).unwrap();
            assert_eq!(names(folder.path()), ["to"]);
            std::fs::write(&from, "newer").unwrap();
            assert_eq!(way(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read_to_string(&to).unwrap(), "new");
            std::fs::remove_file(&to).unwrap();
        }
    }
}
