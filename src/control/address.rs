//! The address of a store's control socket, kept within the few bytes of a socket's address.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The path of a socket, and the address by which it is bound and reached.
#[derive(Debug)]
pub(super) struct Address {
    /// The socket's path. It may be long.
    pub(super) path: PathBuf,
    /// A short path to the socket, valid while the folder is open.
    pub(super) short: PathBuf,
    _folder: Option<File>,
}

impl Address {
    /// The socket of a store, given by its path without links. So each store has one socket, whatever links lead to it.
    ///
    /// # Errors
    /// No address leads to the socket.
    pub(super) fn of(store: &Path) -> std::io::Result<Self> {
        let mut path = store.as_os_str().to_owned();
        path.push(".control");
        let path = PathBuf::from(path);
        if SocketAddr::from_pathname(&path).is_ok() {
            return Ok(Self { short: path.clone(), path, _folder: None });
        }
        let (short, folder) = through_its_folder(&path)?;
        SocketAddr::from_pathname(&short).map_err(|_| too_long(&path))?;
        Ok(Self { path, short, _folder: Some(folder) })
    }
}

/// A short path to a file, through its open folder.
#[cfg(target_os = "linux")]
fn through_its_folder(path: &Path) -> std::io::Result<(PathBuf, File)> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(too_long(path)) };
    // O_PATH: going through a folder needs no permission to list it.
    let flags = i32::try_from((OFlags::PATH | OFlags::DIRECTORY).bits()).map_err(|_| too_long(path))?;
    let folder = File::options().read(true).custom_flags(flags).open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((short, folder))
}

#[cfg(not(target_os = "linux"))]
fn through_its_folder(path: &Path) -> std::io::Result<(PathBuf, File)> {
    Err(too_long(path))
}

fn too_long(path: &Path) -> Error {
    let path = path.display();
    Error::new(ErrorKind::InvalidInput, format!("{path} is too long for a socket; give store.path a shorter name"))
}
