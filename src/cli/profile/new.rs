//! `profile new`: writes a commented skeleton of a profile from a notification that the PSP sent.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::input::{read, split_headers};
use crate::cli::profile::told::Told;
use crate::guide::skeleton;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The profile's name for sources: lower case, digits and dashes.
    name: String,
    /// A notification that the PSP sent: JSON, a form or XML.
    #[arg(long, value_name = "SAMPLE")]
    from: PathBuf,
    /// A header that came with it. May be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The file to write instead of stdout. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(in crate::cli::profile) fn run(arguments: &Arguments) -> Result<Told, String> {
    let headers = split_headers(&arguments.headers)?;
    let extension = arguments.from.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let text = skeleton(&arguments.name, extension, &read(&arguments.from)?, headers)
        .map_err(|reason| format!("{}: {reason}", arguments.from.display()))?;
    let Some(output) = &arguments.output else { return Ok((text, true)) };
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", output.display());
    let mut file = File::options().write(true).create_new(true).open(output).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok((format!("{} is a skeleton; look for TODO in it", output.display()), true))
}
