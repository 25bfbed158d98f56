//! Secrets file of a source, which the relay writes itself: `[[secret]]` tables with name, value and times.

use std::fs::{File, Metadata, Permissions};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::rotation_lock::{folder, target};
use crate::access::secrets::NamedSecret;
use crate::domain::text::shown;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    #[serde(default)]
    secret: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    value: String,
    key_id: Option<String>,
    not_before: Option<toml::Value>,
    expires_at: Option<toml::Value>,
}

/// Reads a secrets file.
pub(super) fn read(path: &Path) -> Result<Vec<NamedSecret>, String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let table: toml::Table = toml::from_str(&text).map_err(|_| format!("{name} is not TOML"))?;
    // serde's own message about the shape could repeat a secret.
    let shape = || format!("{name}: must be [[secret]] tables with name, value, key_id, not_before and expires_at");
    let secrets: Secrets = table.try_into().map_err(|_| shape())?;
    secrets.secret.into_iter().map(|entry| secret(entry).map_err(|reason| format!("{name}: {reason}"))).collect()
}

fn secret(entry: Entry) -> Result<NamedSecret, String> {
    let Entry { name, value, key_id, not_before, expires_at } = entry;
    let at = |field: &str, value: Option<toml::Value>| {
        let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        text.map(|text| time(&text).map_err(|reason| format!("{field} of {name:?} {reason}"))).transpose()
    };
    let (not_before, expires_at) = (at("not_before", not_before)?, at("expires_at", expires_at)?);
    if value.is_empty() {
        return Err(format!("value of {name:?} is empty"));
    }
    Ok(NamedSecret { name, value: value.into(), key_id, not_before, expires_at })
}

/// An instant in RFC 3339.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("is {}, but must be a time such as \"2026-11-22T12:00:00Z\"", shown(text)))
}

/// The result of a write: the secrets are in the file.
#[derive(Debug)]
#[must_use]
pub struct Written {
    /// The error of syncing the folder, if that failed: a power cut may then undo the write. Some file systems, such as some
    /// of FUSE and CIFS, cannot sync a folder.
    pub unsynced: Option<std::io::Error>,
}

/// Writes a secrets file: whole or not at all.
///
/// Only the owner can read a new file. The file is given to the owner of `model`, the relay's user, if this process may give
/// files away. An existing file keeps its owner and permissions: the relay may read it as a member of its group.
pub(super) fn write(path: &Path, secrets: &[NamedSecret], model: Option<&Path>) -> std::io::Result<Written> {
    // A link stays a link: the file that it leads to is replaced.
    let path = target(path)?;
    let folder = folder(&path);
    let new = folder.join(format!(".{}.new", path.file_name().unwrap_or_default().display()));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = (|| {
        file.set_permissions(Permissions::from_mode(0o600))?;
        if let Ok(old) = std::fs::metadata(&path) {
            give(&file, &old)?;
            file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
        } else if let Some(Ok(model)) = model.map(std::fs::metadata) {
            // Only root may give files away. Other users of the command are, as a rule, the relay's user themselves.
            drop(give(&file, &model));
        }
        file.write_all(text(secrets).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path).map_err(not_replaced)
    })();
    if written.is_err() {
        drop(std::fs::remove_file(&new));
    }
    written?;
    // The file is replaced by now, so a failure here is not an error of the write.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(Written { unsynced: synced.err() })
}

/// Gives a file to the owner and the group of another file.
fn give(file: &File, to: &Metadata) -> std::io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (to.uid(), to.gid()) {
        return Ok(());
    }
    fchown(file, Some(to.uid()), Some(to.gid()))
}

/// Adds the remedy to the error of replacing a file. A file that is mounted by itself cannot be replaced.
fn not_replaced(error: Error) -> Error {
    match error.kind() {
        ErrorKind::ResourceBusy => Error::new(error.kind(), format!("{error}: mount its folder, not the file")),
        _ => error,
    }
}

fn text(secrets: &[NamedSecret]) -> String {
    let mut text = "# Written by transform-relay: `transform-relay secret rotate`.\n".to_owned();
    let quoted = |value: &str| toml::Value::String(value.to_owned()).to_string();
    for secret in secrets {
        text.push_str("\n[[secret]]\n");
        text.push_str(&format!("name = {}\n", quoted(&secret.name)));
        text.push_str(&format!("value = {}\n", quoted(secret.value.expose_secret())));
        if let Some(id) = &secret.key_id {
            text.push_str(&format!("key_id = {}\n", quoted(id)));
        }
        for (key, at) in [("not_before", secret.not_before), ("expires_at", secret.expires_at)] {
            if let Some(at) = at {
                text.push_str(&format!("{key} = \"{at}\"\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        let at = |text: &str| Some(text.parse().unwrap());
        let secrets = [
            NamedSecret {
                name: "a".into(),
                value: "x\"y\\z\n".to_owned().into(),
                key_id: None,
                not_before: None,
                expires_at: None,
            },
            NamedSecret {
                name: "b \u{1F511}".into(),
                value: "whsec_AA==".to_owned().into(),
                key_id: Some("WEBHOOK-1".into()),
                not_before: at("2026-01-02T03:04:05Z"),
                expires_at: at("2027-01-02T03:04:05.678901Z"),
            },
        ];
        for _ in 0..2 {
            drop(write(&path, &secrets, None).unwrap());
            let read = read(&path).unwrap();
            assert_eq!(format!("{read:?}"), format!("{secrets:?}"));
            let values =
                |all: &[NamedSecret]| all.iter().map(|one| one.value.expose_secret().to_owned()).collect::<Vec<_>>();
            assert_eq!(values(&read), values(&secrets));
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
        }
    }

    /// A relay that reads its secrets as a member of the file's group can still read them after a replacement.
    #[test]
    fn who_could_read_the_old_file_can_read_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        for mode in [0o640, 0o600, 0o644, 0o440] {
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            drop(write(&path, &[], None).unwrap());
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, mode, "{mode:o}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_mounted_by_itself_is_not_to_be() {
        let busy = not_replaced(Error::from(rustix::io::Errno::BUSY));
        assert!(busy.to_string().contains("mount its folder, not the file"), "{busy}");
        let full = not_replaced(Error::from(rustix::io::Errno::NOSPC));
        assert!(!full.to_string().contains("mount"), "{full}");
    }

    /// A file in the place of a link that leads nowhere would hide the link's target.
    #[test]
    fn a_link_that_leads_nowhere_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("secrets.toml");
        std::os::unix::fs::symlink(folder.path().join("gone.toml"), &link).unwrap();
        let error = write(&link, &[], None).unwrap_err();
        assert!(error.to_string().contains("gone.toml"), "{error}");
        assert!(link.is_symlink() && std::fs::read_dir(folder.path()).unwrap().count() == 1);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        for (text, reason) in [
            ("hidden", "is not TOML"),
            ("secret = \"hidden\"", "must be [[secret]]"),
            ("[[secret]]\nname = \"a\"\nhidden = 1", "must be [[secret]]"),
            ("[[secret]]\nname = \"a\"\nvalue = \"\"", "value of \"a\" is empty"),
            (
                "[[secret]]\nname = \"a\"\nvalue = \"hidden\"\nexpires_at = \"soon\"",
                "expires_at of \"a\" is \"soon\", but",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.contains(reason) && !error.contains("hidden"), "{error}");
        }
        let unquoted = "[[secret]]\nname = \"a\"\nvalue = \"v\"\nexpires_at = 2027-01-02T03:04:05Z";
        std::fs::write(&path, unquoted).unwrap();
        assert!(read(&path).unwrap()[0].expires_at.is_some());
    }
}
