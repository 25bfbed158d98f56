//! The run of `profile test`: the arguments, the verification and the reading.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::messages::Telling;
use super::signatures;
use crate::cli::output::say;
use crate::cli::profile::input::{read, split_headers};
use crate::cli::profile::told::Told;
use crate::domain::message::Meaning;
use crate::guide::explain::{self, Reading};
use crate::psp::document::received::Received;
use crate::psp::meaning::call::hint;
use crate::psp::meaning::in_form::InForm;
use crate::psp::profile::catalogue::Entry;
use crate::psp::profile::{FetchMode, Form, Profile};
use crate::psp::vouch::needs::{certificate_url, check_secret};
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
    #[arg(long, value_name = "ANSWER.json")]
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
            let (read, good) = told(entry, &verified.into(), &answers);
            let by = verified.secret().map(|secret| format!(" by secret {secret}")).unwrap_or_default();
            (format!("verified as {:?}{by}\n{read}", verified.form().name), good)
        }
        Err(reason) => (format!("refused: {reason}\n"), false),
    };
    text.push_str(&signatures::tell(entry, &explained.signatures));
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
    let (text, good) = told(entry, &InForm::new(form, received), answers);
    let why = if form.signature.is_empty() { "nobody signs it" } else { "no --secret" };
    Ok((format!("not verified: {why}; read as {:?}\n{text}", form.name), good))
}

/// Tells of the notification's messages, its own and those read from fetched objects.
fn told(entry: &Entry, notification: &InForm<'_>, answers: &[Vec<u8>]) -> Told {
    let fetching = fetches(notification.form) || !answers.is_empty();
    let Reading { normalised, messages } = explain::reading(&entry.profile, notification, fetching);
    let mut telling = Telling::of(entry, &notification.form.name);
    if messages.is_empty() {
        normalised.messages.iter().for_each(|message| telling.unreadable(message));
    }
    let mut answers = answers.iter();
    for (index, seen) in messages.iter().enumerate() {
        telling.message(index, seen);
        if let Meaning::Fetch(_) = seen.message.meaning
            && let Some(answer) = answers.next()
        {
            let InForm { form, received, signed_at } = *notification;
            telling.fetched(explain::fetched(&entry.profile, form, &received, signed_at, index, answer));
        }
    }
    if answers.next().is_some() {
        telling.left_over();
    }
    telling.told()
}

/// Whether a source fetches for verified notifications by default.
fn fetches(form: &Form) -> bool {
    form.fetch.as_ref().is_some_and(|fetch| fetch.mode == FetchMode::Always)
}

/// The requests that the relay would make for an unverified notification: for a certificate, and as a hint. Also returns
/// whether its form is never signed.
fn hinted(profile: &Profile, received: &Received<'_>) -> (String, bool) {
    let mut text = String::new();
    if let Some((url, rule)) = certificate_url(profile, received) {
        text.push_str(&format!(
            "the relay would fetch the certificate {url} and look for a name that ends in {:?}; this command fetches \
             nothing\n",
            rule.name_suffix
        ));
    }
    let unsigned = hint(profile, received, true);
    if let Some(hint) = unsigned.clone().or_else(|| hint(profile, received, false)) {
        let when = if unsigned.is_some() { "" } else { " where it is configured with fetch = \"unverified\"" };
        text.push_str(&format!(
            "as a mere hint{when} it would make a source fetch: GET {}\n",
            hint.calls.join(", GET ")
        ));
    }
    (text, unsigned.is_some())
}
