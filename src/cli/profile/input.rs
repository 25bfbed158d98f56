//! Input of the `profile` commands: files, and headers on the command line.

use std::path::Path;

/// The content of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// The headers of a notification from the command line, with names in lower case.
pub(super) fn split_headers(headers: &[String]) -> Result<Vec<(String, String)>, String> {
    let split = |header: &String| {
        let (name, value) = header.split_once(':').ok_or("--header must be 'Name: value'")?;
        Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    headers.iter().map(split).collect()
}
