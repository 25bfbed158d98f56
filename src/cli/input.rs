//! Input of commands: files, stdin, and headers on the command line.

use std::io::Read;
use std::path::Path;

/// The content of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// The content of a file, or of stdin if the file is called `-`.
pub(super) fn read_or_stdin(file: &Path) -> Result<Vec<u8>, String> {
    if file != Path::new("-") {
        return read(file);
    }
    let mut content = Vec::new();
    let read = std::io::stdin().read_to_end(&mut content);
    read.map(|_| content).map_err(|error| format!("cannot read stdin: {error}"))
}

/// The headers of a notification from the command line, with names in lower case.
pub(super) fn split_headers(headers: &[String]) -> Result<Vec<(String, String)>, String> {
    let split = |header: &String| {
        let (name, value) = header.split_once(':').ok_or("--header must be 'Name: value'")?;
        Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    headers.iter().map(split).collect()
}
