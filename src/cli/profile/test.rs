//! `profile test`: explains a notification, with its signatures, the rules for each message, and the events.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::cli::output::say;
use crate::cli::profile::input::{read, split_headers};
use crate::cli::profile::told::Told;
use crate::guide::account::{hinted, messages, signatures};
use crate::guide::explain;
use crate::psp::document::received::Received;
use crate::psp::meaning::in_form::InForm;
use crate::psp::profile::Profile;
use crate::psp::profile::catalogue::Entry;
use crate::psp::vouch::needs::check_secret;
use crate::psp::vouch::verify::{Means, Secret};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The profile.
    pub(in crate::cli::profile) name: String,
    /// The notification's body.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// A header of the notification. May be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The source's secret. May be given several times. Without one the notification is read as if it were verified.
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    /// A setting of the source that the profile asks for. May be given several times.
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// The URL that the PSP posts to, as the PSP knows it. For PSPs that sign it.
    #[arg(long, value_name = "PUBLIC_URL")]
    url: Option<Url>,
    /// Take the source's credentials (an Authorization header, other headers or an address) as given. For unsigned
    /// notifications.
    #[arg(long)]
    trusted: bool,
    /// The old name of `--trusted`.
    #[arg(long = "door", hide = true)]
    old_trusted: bool,
    /// The time of receipt, in unix seconds. Default: now. For old notifications with a signed time.
    #[arg(long, value_name = "SECONDS")]
    at: Option<i64>,
    /// The PSP's response to the call that fetches the notification's object. For batches several times, in the order of the
    /// messages to be fetched.
    #[arg(long, value_name = "RESPONSE.json")]
    fetched: Vec<PathBuf>,
}

pub(in crate::cli::profile) fn run(entry: &Entry, arguments: &Arguments) -> Result<Told, String> {
    let headers = split_headers(&arguments.headers)?;
    let body = read(&arguments.body)?;
    let answers = arguments.fetched.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let at = arguments.at.map_or_else(|| Ok(Timestamp::now()), Timestamp::from_second);
    let received = Received { headers: &headers, body: &body, at: at.map_err(|error| format!("--at: {error}"))? };
    if arguments.old_trusted {
        say("--door is called --trusted now; a later version takes the new name only");
    }
    entry.renamed().for_each(say);
    let trusted = arguments.trusted || arguments.old_trusted;
    if arguments.secrets.is_empty() && !trusted && asks_for_secrets(&entry.profile) {
        return read_unverified(entry, received, &answers);
    }
    let settings = settings(&entry.profile, &arguments.settings)?;
    arguments.secrets.iter().try_for_each(|secret| check_secret(&entry.profile, secret))?;
    let secrets: Vec<SecretString> = arguments.secrets.iter().map(|secret| secret.clone().into()).collect();
    let numbers: Vec<String> = (1..=secrets.len()).map(|number| number.to_string()).collect();
    let named = secrets.iter().zip(&numbers).map(|(text, name)| Secret { name, ..Secret::from(text) });
    let means = Means {
        secrets: named.collect(),
        settings: Some(&settings),
        public_url: arguments.url.as_ref(),
        credentials: trusted,
        ..Means::default()
    };
    let explained = explain::verification(&entry.profile, &means, received);
    let (mut text, mut good) = match &explained.verdict {
        Ok(verified) => {
            let (read, good) = messages(entry, &verified.into(), &answers);
            let by = verified.secret().map(|secret| format!(" by secret {secret}")).unwrap_or_default();
            (format!("verified as {:?}{by}\n{read}", verified.form().name), good)
        }
        Err(reason) => (format!("refused: {reason}\n"), false),
    };
    text.push_str(&signatures(entry, &explained.signatures));
    if explained.verdict.is_err() {
        let (hinted, unsigned) = hinted(&entry.profile, &received);
        text.push_str(&hinted);
        good = unsigned;
    }
    Ok((text, good))
}

/// Whether nothing can be verified without a secret: the profile needs one, or none of its forms is signed. A form that is
/// signed with a certificate needs none.
fn asks_for_secrets(profile: &Profile) -> bool {
    crate::psp::vouch::needs::needs_secrets(profile) || profile.forms.iter().all(|form| form.signature.is_empty())
}

fn settings(profile: &Profile, given: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut settings = BTreeMap::new();
    for one in given {
        let (name, value) = one.split_once('=').ok_or("--setting must be NAME=VALUE")?;
        if !profile.settings.contains_key(name) {
            let known = profile.settings.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("--setting {name:?}: the profile asks for: {}", or_nothing(&known)));
        }
        settings.insert(name.to_owned(), value.to_owned());
    }
    Ok(settings)
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

/// Reads a notification without a secret, by the first form that can read the body.
fn read_unverified(entry: &Entry, received: Received<'_>, answers: &[Vec<u8>]) -> Result<Told, String> {
    let mut forms = entry.profile.forms.iter();
    let Some(form) = forms.find(|form| form.content.message(received.body).is_ok()) else {
        return Err("the body fits none of the profile's forms".to_owned());
    };
    let (text, good) = messages(entry, &InForm::new(form, received), answers);
    let why = if form.signature.is_empty() { "nobody signs it" } else { "no --secret" };
    Ok((format!("not verified: {why}; read as {:?}\n{text}", form.name), good))
}
