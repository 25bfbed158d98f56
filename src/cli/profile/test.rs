//! `profile test`: explains a notification, with its signatures, the rules for each message, and the events.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::certificates::key_of_pem;
use crate::cli::input::{read, split_headers};
use crate::cli::output::say;
use crate::cli::profile::told::Told;
use crate::guide::account::{hinted, messages, signatures};
use crate::guide::explain;
use crate::psp::document::received::Received;
use crate::psp::meaning::call::hint;
use crate::psp::meaning::in_form::InForm;
use crate::psp::profile::catalogue::Entry;
use crate::psp::profile::{Form, Profile};
use crate::psp::vouch::crypto::PublicKey;
use crate::psp::vouch::needs::check_secret;
use crate::psp::vouch::verify::{Means, Secret, Unverified};

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
    /// The PSP's certificate, for PSPs that sign with one. Without it the signature is not checked, and the notification is
    /// read as if it were verified.
    #[arg(long, value_name = "FILE.pem")]
    certificate: Option<PathBuf>,
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
    let certificate = arguments.certificate.as_ref().map(|file| certificate(file)).transpose()?;
    let means = Means {
        secrets: named.collect(),
        settings: Some(&settings),
        public_url: arguments.url.as_ref(),
        certificate: certificate.as_ref(),
        credentials: trusted,
        ..Means::default()
    };
    let explained = explain::verification(&entry.profile, &means, received);
    let (mut text, good) = match &explained.verdict {
        Ok(verified) => {
            let (read, good) = messages(entry, &verified.into(), &answers);
            let by = verified.secret().map(|secret| format!(" by secret {secret}")).unwrap_or_default();
            (format!("verified as {:?}{by}\n{read}", verified.form().name), good)
        }
        Err(Unverified::NoCertificate) => {
            let why = "the signature is not checked without the PSP's certificate (--certificate)";
            read_as(entry, any_form(entry, &received)?, received, &answers, why)
        }
        Err(reason) => match pointer(entry, &received) {
            Some(form) => return Ok(read_as(entry, form, received, &answers, "nobody signs it")),
            None => (format!("refused: {reason}\n"), false),
        },
    };
    text.push_str(&signatures(entry, &explained.signatures));
    if explained.verdict.is_err() {
        text.push_str(&hinted(&entry.profile, &received));
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

/// The key of a certificate in PEM. It is taken as it is: the relay also wants an authority to vouch for it.
fn certificate(file: &Path) -> Result<PublicKey, String> {
    key_of_pem(&read(file)?).map_err(|reason| format!("--certificate {}: {reason}", file.display()))
}

/// The unsigned form that takes the notification as a pointer, and has something to fetch.
fn pointer<'a>(entry: &'a Entry, received: &Received<'_>) -> Option<&'a Form> {
    entry.profile.form(&hint(&entry.profile, received, true)?.form)
}

/// The first form that can read the body.
fn any_form<'a>(entry: &'a Entry, received: &Received<'_>) -> Result<&'a Form, String> {
    let mut forms = entry.profile.forms.iter();
    let reads = |form: &&Form| form.content.message(received.body).is_ok();
    forms.find(reads).ok_or_else(|| "the body fits none of the profile's forms".to_owned())
}

/// Reads a notification without a secret, by the first form that can read the body.
fn read_unverified(entry: &Entry, received: Received<'_>, answers: &[Vec<u8>]) -> Result<Told, String> {
    let form = any_form(entry, &received)?;
    let why = if form.signature.is_empty() { "nobody signs it" } else { "no --secret" };
    Ok(read_as(entry, form, received, answers, why))
}

/// Reads a notification by a form, although nothing has vouched for it.
fn read_as(entry: &Entry, form: &Form, received: Received<'_>, answers: &[Vec<u8>], why: &str) -> Told {
    let (text, good) = messages(entry, &InForm::new(form, received), answers);
    (format!("not verified: {why}; read as {:?}\n{text}", form.name), good)
}
