//! Where the database file is: whether it can be used there, and whether it is still the same.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::engine::Access;
use crate::store::StoreError;

/// Where the files are, and which they were when they were opened. SQLite would go on writing into one that has been removed,
/// and nothing of that would be there after a restart.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, FileId)>);

/// Device and number on it.
pub(super) type FileId = (u64, u64);

impl Files {
    /// The database and, if they are there by now, the WAL, which has what is not in the database yet, and its index, by
    /// which other processes know what is in the WAL: with another one a backup would be of another moment, or spoilt.
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
    /// One was removed, or another is in its place.
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

    /// How long the WAL is by now, in bytes.
    pub(super) fn wal_length(&self) -> u64 {
        self.0.first().map_or(0, |(path, _)| std::fs::metadata(wal(path)).map_or(0, |wal| wal.len()))
    }
}

/// Which file a path leads to.
pub(super) fn identity(path: &Path) -> std::io::Result<FileId> {
    std::fs::metadata(path).map(|file| identity_of(&file))
}

/// Which file this is.
pub(super) fn identity_of(file: &Metadata) -> FileId {
    (file.dev(), file.ino())
}

/// Where the WAL of a database lies.
pub(super) fn wal(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// Where the index of that WAL lies, which all processes that have the database open share.
pub(super) fn index(path: &Path) -> PathBuf {
    beside(path, "-shm")
}

/// Where a rollback journal of a database lies: only while it is not written by a WAL.
pub(super) fn journal(path: &Path) -> PathBuf {
    beside(path, "-journal")
}

/// How to read a database as it lies there: where nothing waits in a WAL, as a file that nobody changes.
pub(super) fn access(path: &Path) -> Access {
    if std::fs::metadata(wal(path)).is_ok_and(|wal| wal.len() > 0) { Access::Read } else { Access::AtRest }
}

/// What SQLite makes beside a database, by the ends of their names.
const MADE_BY_SQLITE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// What belongs to a store, by the ends of their names.
const COMPANIONS: [&str; 5] = ["-journal", "-wal", "-shm", ".lock", ".control"];

/// Whether a file would be found as one that belongs to this database.
pub(super) fn is_companion(path: &Path, of: &Path) -> bool {
    COMPANIONS.iter().any(|end| beside(of, end) == path)
}

/// What a process that reads a database needs beside it and has not found or made.
pub(super) fn missing(path: &Path) -> Option<PathBuf> {
    [wal(path), index(path)].into_iter().find(|file| !file.exists())
}

/// Why SQLite cannot open a database. It does not say which file cannot be made, as where a disk has no more inodes.
pub(super) fn cause(path: &Path, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::DiskFull) => {}
        _ => return error.to_string(),
    }
    // All of them are needed at once, so none goes before the last one is there.
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

/// A file that belongs to the database: its name with this at the end.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Checks that there is one name for the file, so that everybody finds the one WAL beside it: two relays with a WAL each
/// destroy a store, and what is in a WAL that nobody finds is lost.
///
/// # Errors
/// It has several names, or is mounted without its folder; with the remedy. Or nothing can be learned of it.
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
        // The kernel is older than 5.8, or a sandbox stands in its place.
        _ => std::fs::read("/proc/self/mountinfo").is_ok_and(|mounts| has_mount_point(&mounts, path)),
    }
}

#[cfg(not(target_os = "linux"))]
const fn is_mounted_alone(_path: &Path) -> bool {
    // Single files are not mounted here.
    false
}

/// Whether a list of mounts, as in /proc/self/mountinfo, has this mount point. It must be the path without links.
#[cfg(target_os = "linux")]
fn has_mount_point(mounts: &[u8], path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let escaped: Vec<u8> = path.as_os_str().as_bytes().iter().flat_map(|byte| escaped(*byte)).collect();
    mounts.split(|byte| *byte == b'\n').any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(escaped.as_slice()))
}

/// A byte of a path as the kernel writes it there.
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
