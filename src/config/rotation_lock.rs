//! Lock of a secrets file: keeps two rotations of the file apart.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// The longest wait for another rotation. A rotation that waits for a relay takes some minutes at most.
pub const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The lock on a file that is about to be replaced. It is a file beside that file, and is removed in the end. A lock on the
/// file itself would be nobody's after the replacement, and anybody who can read a folder can lock it.
#[derive(Debug)]
pub(super) struct Lock {
    /// Locked for as long as it is open.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock on a file, given by its path without links. If another rotation has it, `waiting` is called once with the
    /// locked file.
    pub(super) fn take(file: &Path, patience: Duration, waiting: impl Fn(&Path)) -> std::io::Result<Self> {
        let path = folder(file).join(format!(".{}.lock", file.file_name().unwrap_or_default().display()));
        let named = |error: Error| Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut began = None;
        loop {
            let open = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
            let lock = open.map_err(named)?;
            match lock.try_lock() {
                Ok(()) if is_at(&lock, &path) => return Ok(Self { _file: lock, path }),
                // The last holder removed the file after it was opened here.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(named(error)),
            }
            let began = began.get_or_insert_with(|| {
                waiting(&path);
                Instant::now()
            });
            if began.elapsed() >= patience {
                return Err(named(Error::new(ErrorKind::TimedOut, "another `secret rotate` still has it; try again")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Lock {
    /// Removes the file while it is still locked, so that another rotation's file is never removed.
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let found = (file.metadata(), path.symlink_metadata());
    matches!(found, (Ok(file), Ok(at)) if (file.dev(), file.ino()) == (at.dev(), at.ino()))
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The path, without links, of the file that a path leads to. The file itself need not exist.
///
/// # Errors
/// A link leads to a missing file, or the folder is missing.
pub(super) fn target(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => match path.read_link() {
            Ok(to) => Err(Error::new(error.kind(), leads_nowhere(path, &to))),
            Err(_) => Ok(folder(path).canonicalize()?.join(path.file_name().unwrap_or_default())),
        },
        found => found,
    }
}

fn leads_nowhere(path: &Path, to: &Path) -> String {
    let (path, to) = (path.display(), to.display());
    format!("{path} is a link to {to}, which is not there: put the file back, or mount its folder")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn one_has_it_and_the_next_one_is_told_what_it_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.toml");
        let first = Lock::take(&file, Duration::ZERO, |_| panic!("nobody has it")).unwrap();
        let heard = RefCell::new(Vec::new());
        let refused = Lock::take(&file, Duration::ZERO, |path| heard.borrow_mut().push(path.to_owned())).unwrap_err();
        assert_eq!(heard.into_inner(), [folder.path().join(".secrets.toml.lock")]);
        assert!(refused.to_string().contains("another `secret rotate` still has it"), "{refused}");
        drop(first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        drop(Lock::take(&file, Duration::ZERO, |_| panic!("nobody has it any more")).unwrap());
    }

    /// A removed file stays locked, while another file may be locked under its name.
    #[test]
    fn a_lock_that_was_removed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let removed = File::create(&path).unwrap();
        assert!(is_at(&removed, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&removed, &path));
        let _other = File::create(&path).unwrap();
        assert!(!is_at(&removed, &path));
    }

    #[test]
    fn links_lead_to_one_file_or_it_is_said_that_they_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let link = real.join("link.toml");
        std::os::unix::fs::symlink("file.toml", &link).unwrap();
        let nowhere = target(&link).unwrap_err().to_string();
        assert!(nowhere.contains("link.toml is a link to file.toml, which is not there"), "{nowhere}");
        assert_eq!(target(&real.join("file.toml")).unwrap(), real.join("file.toml"));
        std::fs::write(real.join("file.toml"), "").unwrap();
        assert_eq!(target(&link).unwrap(), real.join("file.toml"));
        assert!(target(&real.join("none/file.toml")).is_err());
    }
}
