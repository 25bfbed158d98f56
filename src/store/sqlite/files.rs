//! The database file and the files beside it: their names, their identities, and whether they can be used at their
//! place.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::engine::Access;
use crate::store::StoreError;

/// The paths of the files, and the identities that the files had when they were opened. SQLite goes on writing into a
/// removed file, and all of that would be lost at the next start.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, FileId)>);

/// The identity of a file: its device, and its inode number there.
pub(super) type FileId = (u64, u64);

impl Files {
    /// Notes the database and, if they exist by now, its WAL and the WAL's index. The WAL holds the commits that are
    /// not in the database yet. Other processes read the WAL by its index: with another index, a backup would be old or
    /// spoilt.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let mut files = vec![(path.to_owned(), identity(path)?)];
        for beside in [wal(path), index(path)] {
            if beside.exists() {
                let identity = identity(&beside)?;
                files.push((beside, identity));
            }
        }
        Ok(Self(files))
    }

    /// Checks that the files are still there.
    ///
    /// # Errors
    /// A file was removed, or another file is in its place.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|(path, opened)| {
            let name = path.display();
            match identity(path) {
                Ok(file) if file == *opened => Ok(()),
                Ok(_) => Err(StoreError::Unavailable(format!("{name} was replaced; restart the relay"))),
                Err(error) => Err(StoreError::Unavailable(format!("{name} is gone: {error}; restart the relay"))),
            }
        })
    }

    /// The present length of the WAL, in bytes.
    pub(super) fn wal_length(&self) -> u64 {
        self.0.first().map_or(0, |(path, _)| std::fs::metadata(wal(path)).map_or(0, |wal| wal.len()))
    }
}

/// The identity of the file that a path leads to.
pub(super) fn identity(path: &Path) -> std::io::Result<FileId> {
    std::fs::metadata(path).map(|file| identity_of(&file))
}

/// The identity of a file.
pub(super) fn identity_of(file: &Metadata) -> FileId {
    (file.dev(), file.ino())
}

/// The path of a database's WAL.
pub(super) fn wal(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The path of the WAL's index. All processes that have the database open share it.
pub(super) fn index(path: &Path) -> PathBuf {
    beside(path, "-shm")
}

/// The path of a database's rollback journal. There is one only while the database is written without a WAL.
pub(super) fn journal(path: &Path) -> PathBuf {
    beside(path, "-journal")
}

/// The kind of access for reading a database. If there is nothing in its WAL, the database counts as a file that nobody
/// changes.
pub(super) fn access(path: &Path) -> Access {
    if std::fs::metadata(wal(path)).is_ok_and(|wal| wal.len() > 0) { Access::Read } else { Access::AtRest }
}

/// Endings of the files that SQLite makes beside a database.
const MADE_BY_SQLITE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Endings of the files that belong to a store.
const COMPANIONS: [&str; 5] = ["-journal", "-wal", "-shm", ".lock", ".control"];

/// Whether a file has the name of one that belongs to this database.
pub(super) fn is_companion(path: &Path, of: &Path) -> bool {
    COMPANIONS.iter().any(|end| beside(of, end) == path)
}

/// A file that a reader needs beside a database, and that does not exist.
pub(super) fn missing(path: &Path) -> Option<PathBuf> {
    [wal(path), index(path)].into_iter().find(|file| !file.exists())
}

/// The reason why SQLite cannot open a database. SQLite does not name the file that it cannot make, for example on a
/// disk without free inodes.
pub(super) fn cause(path: &Path, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::DiskFull) => {}
        _ => return error.to_string(),
    }
    // SQLite needs all the files at once, so that none is removed before the last one is made.
    let mut made = Vec::new();
    let mut make = |file: PathBuf| {
        match File::options().write(true).create_new(true).mode(0o600).open(&file) {
            Ok(_) => made.push(file),
            Err(reason) if reason.kind() == ErrorKind::AlreadyExists => {}
            Err(reason) => return Some(format!("{error}: {} cannot be made: {reason}", file.display())),
        }
        None
    };
    let cannot_be_made = MADE_BY_SQLITE.iter().find_map(|end| make(beside(path, end)));
    made.iter().for_each(|file| drop(std::fs::remove_file(file)));
    cannot_be_made.unwrap_or_else(|| error.to_string())
}

/// The path of a file that belongs to the database: the database's name with this ending.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Checks that the file has one name only, so that every process finds the same WAL beside it. Two relays with
/// different WALs destroy a store, and the changes in a WAL that is not found are lost.
///
/// # Errors
/// The file has several names, or is mounted without its folder; the text names the remedy. Or its metadata cannot be read.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let links = std::fs::metadata(path).map_err(|error| error.to_string())?.nlink();
    if links > 1 {
        return Err(format!(
            "it has {links} names (hard links), and under each it would have a WAL of its own; remove the other names"
        ));
    }
    if is_mounted_alone(path) {
        return Err(
            "it is mounted without its folder, so that its WAL would lie outside of the mount; mount the folder \
                    that it is in"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether the file itself is the root of a mount, as far as this machine can say.
#[cfg(target_os = "linux")]
fn is_mounted_alone(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::empty()) {
        Ok(file) if file.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) => {
            file.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
        }
        // The kernel is older than 5.8, or a sandbox answers in its place.
        _ => std::fs::read("/proc/self/mountinfo").is_ok_and(|mounts| has_mount_point(&mounts, path)),
    }
}

#[cfg(not(target_os = "linux"))]
const fn is_mounted_alone(_path: &Path) -> bool {
    // Other systems do not mount single files.
    false
}

/// Whether a list of mounts, as in /proc/self/mountinfo, has this mount point. It must be the path without links.
#[cfg(target_os = "linux")]
fn has_mount_point(mounts: &[u8], path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let escaped: Vec<u8> = path.as_os_str().as_bytes().iter().flat_map(|byte| escaped(*byte)).collect();
    mounts.split(|byte| *byte == b'\n').any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(escaped.as_slice()))
}

/// A byte of a path as the kernel writes it in that list.
#[cfg(target_os = "linux")]
fn escaped(byte: u8) -> Vec<u8> {
    match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_is_refused_and_one_with_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("relay.db"), folder.path().join("other.db"));
        std::fs::write(&file, "").unwrap();
        assert_eq!(check(&file), Ok(()));
        std::fs::hard_link(&file, &other).unwrap();
        let refused = check(&other).unwrap_err();
        assert!(refused.contains("2 names (hard links)") && refused.contains("remove the other names"), "{refused}");
        std::fs::remove_file(&other).unwrap();
        assert_eq!(check(&file), Ok(()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_point_is_found_in_the_kernels_list() {
        let mounts = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n61 22 8:1 /a/relay.db /srv/my\\040data/relay.db rw - ext4 /dev/sda1 rw\n";
        assert!(has_mount_point(mounts, Path::new("/srv/my data/relay.db")));
        for other in ["/srv/my data", "/srv/my\\040data/relay.db", "/a/relay.db", "8:1"] {
            assert!(!has_mount_point(mounts, Path::new(other)), "{other}");
        }
    }
}
