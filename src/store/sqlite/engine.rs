//! SQLite's connections: kinds of access, names of files as URIs, waits for locks, and temporary files.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use rusqlite::{Connection, OpenFlags};

/// The purpose for which a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To write.
    Write,
    /// To read, even while others write.
    Read,
    /// To read a file that nobody changes. SQLite then makes no files beside it.
    AtRest,
}

/// Characters of a path that are escaped in a `file:` URI.
const IN_URI: &AsciiSet = &CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');
/// The longest wait for another process's lock on the database.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens an existing file.
pub(super) fn open(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let kind =
        if access == Access::Write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let more = if access == Access::AtRest { "?immutable=1" } else { "" };
    let flags = kind | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("{}{more}", uri(path)), flags)?;
    wait_for_locks(&connection)?;
    connection.pragma_update(None, "temp_store", IN_MEMORY)?;
    Ok(connection)
}

/// A path as a URI for SQLite. A plain relative path that begins with `file:` would be taken for a URI itself.
pub(super) fn uri(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("file://{}", percent_encode(path.as_os_str().as_bytes(), IN_URI))
}

/// Sets the longest wait for another process's lock on the database.
pub(super) fn wait_for_locks(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_TIMEOUT)
}

/// The place of the data that SQLite needs to roll back a savepoint: memory. A file would need a folder for temporary
/// files, which a container may lack; it would also contain payer data.
const IN_MEMORY: &str = "MEMORY";

/// Does work that may need as much room as the store itself. Its temporary data is in files beside the store. SQLite
/// removes the names of these files at once, so that none is left behind.
pub(super) fn with_room_beside<T>(
    connection: &mut Connection,
    path: &Path,
    does: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let Some(folder) = path.parent().and_then(Path::to_str) else { return does(connection) };
    // The setting of the folder holds for the whole process, but no other connection makes such files.
    connection.pragma_update(None, "temp_store_directory", folder)?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    let done = does(connection);
    connection.pragma_update(None, "temp_store", IN_MEMORY)?;
    connection.pragma_update(None, "temp_store_directory", "")?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_and_no_address() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["file:relay.db", "a b?c#d%41.db", ":memory:", "-"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            let connection = open(&path, Access::Write).unwrap();
            connection.execute_batch("CREATE TABLE t (x)").unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() > 0, "{name}");
            let copy = folder.path().join(format!("{name}.copy"));
            connection.execute("VACUUM INTO ?1", [uri(&copy)]).unwrap();
            assert!(copy.exists(), "{name}");
        }
        assert!(uri(Path::new("file:copy.db")).starts_with("file:///"));
    }
}
