//! `profile`: see and try the PSP profiles.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;

use super::EXIT_USAGE;
use crate::psp::catalogue::{Catalogue, Entry};
use crate::psp::normalise::{Meaning, normalise};
use crate::psp::profile::Profile;
use crate::psp::received::Received;
use crate::psp::sign::sign;
use crate::psp::verify::{Means, Verified, check_secret, verify};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the profiles.
    List,
    /// Print a profile's TOML.
    Show {
        /// The profile.
        name: String,
    },
    /// Say whether a notification verifies and which events come out of it.
    Test {
        /// The profile.
        name: String,
        /// The notification's body.
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
        /// A header of the notification; may be given several times.
        #[arg(long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
        /// The source's secret. Without it the notification is read as if it were verified.
        #[arg(long)]
        secret: Option<String>,
        /// When it is received, in unix seconds; now, if absent. For old notifications with a signed time.
        #[arg(long, value_name = "SECONDS")]
        at: Option<i64>,
    },
    /// Sign a body as the PSP would, and print the headers to send with it.
    Sign {
        /// The profile.
        name: String,
        /// The notification's body. Where the signature stands inside it, the signed body goes to stdout.
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
        /// The source's secret.
        #[arg(long)]
        secret: String,
    },
}

/// Exit code of `test` for a notification that does not verify or is not understood.
const EXIT_NOT_VERIFIED: u8 = 1;

pub(super) fn run(command: Command, dir: Option<&Path>) -> ExitCode {
    let done = catalogue(dir).and_then(|catalogue| match command {
        Command::List => Ok((list(&catalogue), true)),
        Command::Show { name } => Ok((entry(&catalogue, &name)?.text.clone(), true)),
        Command::Test { name, body, headers, secret, at } => {
            let body = read(&body)?;
            test(entry(&catalogue, &name)?, &body, &headers, secret.as_deref(), at)
        }
        Command::Sign { name, body, secret } => signed(entry(&catalogue, &name)?, &read(&body)?, &secret),
    });
    match done {
        Ok((text, good)) => {
            anstream::println!("{}", text.trim_end());
            if good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_VERIFIED) }
        }
        Err(reason) => {
            anstream::eprintln!("{reason}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn catalogue(dir: Option<&Path>) -> Result<Catalogue, String> {
    let mut catalogue = Catalogue::built_in().map_err(|error| error.to_string())?;
    if let Some(dir) = dir {
        crate::config::add_folder(&mut catalogue, dir).map_err(|errors| errors.join("\n"))?;
    }
    Ok(catalogue)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn entry<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Entry, String> {
    catalogue.get(name).ok_or_else(|| format!("there is no profile {name:?}; `profile list` shows them"))
}

fn list(catalogue: &Catalogue) -> String {
    let mut text = String::new();
    for entry in catalogue.iter() {
        let origin = if entry.built_in { "" } else { "  (yours)" };
        let rules: usize = entry.profile.forms.iter().map(|form| form.get_ref().rules.len()).sum();
        text.push_str(&format!("{:<20} {:<28} {rules} rules{origin}\n", entry.profile.name, entry.profile.title));
    }
    text
}

fn test(
    entry: &Entry,
    body: &[u8],
    headers: &[String],
    secret: Option<&str>,
    at: Option<i64>,
) -> Result<(String, bool), String> {
    let headers: Vec<_> = headers.iter().map(|header| split_header(header)).collect::<Result<_, _>>()?;
    let at = at.map_or_else(|| Ok(Timestamp::now()), Timestamp::from_second).map_err(|error| error.to_string())?;
    let profile = &entry.profile;
    let Some(secret) = secret else { return read_unverified(profile, &headers, body, at) };
    let received = Received { headers: &headers, body, at };
    check_secret(profile, secret)?;
    match verify(profile, &Means::secret(&secret.to_owned().into()), received) {
        Ok(verified) => {
            let (text, good) = meaning(&normalise(profile, &verified, false));
            Ok((format!("verified as {:?}\n{text}", verified.form().name), good))
        }
        Err(reason) => Ok((format!("refused: {reason}"), false)),
    }
}

/// Without a secret the first form that can read the body reads it.
fn read_unverified(
    profile: &Profile,
    headers: &[(String, String)],
    body: &[u8],
    at: Timestamp,
) -> Result<(String, bool), String> {
    let received = Received { headers, body, at };
    let mut forms = profile.forms.iter().map(toml::Spanned::get_ref);
    let Some(form) = forms.find(|form| form.content.message(body).is_ok()) else {
        return Err("the body is of none of the forms that the profile knows".to_owned());
    };
    let (text, good) = meaning(&normalise(profile, &Verified::before(form, None, received), false));
    Ok((format!("not verified: no --secret; read as {:?}\n{text}", form.name), good))
}

fn split_header(header: &str) -> Result<(String, String), String> {
    let (name, value) = header.split_once(':').ok_or_else(|| "a --header is not 'Name: value'".to_owned())?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

fn meaning(normalised: &crate::psp::normalise::Normalised) -> (String, bool) {
    let mut text = format!("dedupe key {:?}\n", normalised.dedupe_key);
    let mut good = true;
    for message in &normalised.messages {
        match &message.meaning {
            Meaning::Ignored => text.push_str(&format!("{}: ignored\n", message.event_type)),
            Meaning::Fetch(path) => text.push_str(&format!("{}: to be fetched: GET {path}\n", message.event_type)),
            Meaning::NotUnderstood(reason) => {
                good = false;
                text.push_str(&format!("{}: not understood: {reason}\n", message.event_type));
            }
            Meaning::Events(events) => {
                for event in events {
                    text.push_str(&format!("{}: {}\n", message.event_type, json(event)));
                }
            }
        }
    }
    (text, good)
}

fn signed(entry: &Entry, body: &[u8], secret: &str) -> Result<(String, bool), String> {
    check_secret(&entry.profile, secret)?;
    let secret = secret.to_owned().into();
    let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let signed = sign(&entry.profile, None, &Means::secret(&secret), Timestamp::now().as_second(), &id, body)?;
    if signed.headers.is_empty() {
        return String::from_utf8(signed.body).map(|body| (body, true)).map_err(|error| error.to_string());
    }
    let lines = signed.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    Ok((lines.collect::<Vec<_>>().join("\n"), true))
}

fn json(event: &crate::domain::event::Event) -> String {
    serde_json::to_string_pretty(event).unwrap_or_else(|error| error.to_string())
}
