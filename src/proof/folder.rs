//! The temporary folder of a proof, for its user alone, and its path in TOML and in a shell.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Makes a folder in the folder for temporary files (TMPDIR). Nobody else can look into it.
///
/// # Errors
/// The folder cannot be made, or its path is no UTF-8. A configuration could not name such a path.
pub(super) fn made(name: &str) -> anyhow::Result<PathBuf> {
    let folder =
        std::path::absolute(std::env::temp_dir().join(name)).context("there is no folder for temporary files")?;
    folder.to_str().with_context(|| format!("the path in TMPDIR must be UTF-8: {}", folder.display()))?;
    DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// A path as a TOML string with its quotes.
pub(super) fn toml(path: &Path) -> String {
    toml::Value::from(path.display().to_string()).to_string()
}

/// A path as one word for a shell, in quotes where it needs them.
pub(super) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().all(|one| one.is_ascii_alphanumeric() || "/._-+,:@%".contains(one)) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(word(Path::new("/tmp/a-b_1/relay.toml")), "/tmp/a-b_1/relay.toml");
        assert_eq!(word(Path::new("/tmp/a b")), "'/tmp/a b'");
        assert_eq!(word(Path::new("/tmp/$it's")), r"'/tmp/$it'\''s'");
    }

    #[test]
    fn a_path_is_a_string_in_toml() {
        for path in ["/tmp/a", "/tmp/a \"b\" c", r"/tmp/a\nb", "/tmp/a'b\"c", "/tmp/a\nb", "/tmp/a'''b\"\"\""] {
            let text = format!("path = {}", toml(Path::new(path)));
            let read: toml::Table = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read["path"].as_str(), Some(path), "{text}");
        }
    }
}
