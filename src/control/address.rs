//! Where the socket of a store is, in the few bytes that the address of a socket has.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The path of a socket, and the address by which it is bound and reached.
#[derive(Debug)]
pub(super) struct Address {
    /// Its path. The file system takes long ones.
    pub(super) path: PathBuf,
    /// A short way there; good for as long as the folder is open.
    pub(super) short: PathBuf,
    _folder: Option<File>,
}

impl Address {
    /// The socket of this store, which is a path without links: one file has one, whatever links lead to it.
    ///
    /// # Errors
    /// No address leads there.
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

/// The way to a file through the open folder that it is in.
#[cfg(target_os = "linux")]
fn through_its_folder(path: &Path) -> std::io::Result<(PathBuf, File)> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(too_long(path)) };
    // Only as a place: to go through a folder, nobody has to be allowed to list it.
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
