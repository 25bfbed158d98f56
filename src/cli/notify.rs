//! `notify`: posts a notification to a relay as the PSP of a source would, signed with the source's own secret.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::exit::{EXIT_FAILED, EXIT_UNAVAILABLE, EXIT_USAGE};
use super::input::{read_or_stdin, split_headers};
use super::output::{answer, say};
use super::relay_client::{Answer, RelayClient, base};
use super::serve;
use super::variable::CONFIG_VARIABLE;
use crate::config;
use crate::domain::nearest;
use crate::outbound::client::Call;
use crate::psp::profile::Form;
use crate::psp::vouch::made::notification;
use crate::psp::vouch::sign::Signed;
use crate::psp::vouch::verify::{Holds, Means};
use crate::source::Source;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The source, as the configuration names it.
    source: String,
    /// The notification's body; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// The relay: https, or plain http to this machine. It gets the credentials that the source demands. Default: the address at
    /// which the configured relay listens.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A header to send as well, or in the place of one that would be sent. May be given several times. Everybody on this machine
    /// can see it: a secret belongs into the configuration.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The form of notification, where the profile has several. Default: the first one that the body fits.
    #[arg(long)]
    form: Option<String>,
    /// The configuration file of the relay, with the source and its secrets.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

/// The exit code of a failure, and its reason.
type Failure = (u8, String);

/// Exit code 0 if the relay's answer is a 2xx, 1 if it is another one, 69 if there is none.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match posted(arguments) {
        Ok(got) => {
            let text = format!("HTTP {}\n{}", got.status, printable(&got.body));
            let code = if got.is_good() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) };
            if got.status == 401 {
                say("401: a proof that the source asks for is missing or wrong; the relay's log says which");
            }
            answer(text.trim_end(), code)
        }
        Err((code, reason)) => {
            say(reason);
            ExitCode::from(code)
        }
    }
}

/// A text without what a terminal would obey: another program may have answered.
fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() && one != '\n' { char::REPLACEMENT_CHARACTER } else { one }).collect()
}

fn posted(arguments: &Arguments) -> Result<Answer, Failure> {
    let usage = |reason: String| (EXIT_USAGE, reason);
    let config = config::load(arguments.config.as_deref(), std::env::vars_os());
    let config = config.map_err(|errors| usage(format!("{errors}\nnothing was sent")))?;
    let sources = &config.options.sources;
    let source = sources.get(&arguments.source).ok_or_else(|| usage(unknown(arguments, sources.keys())))?;
    let base = base("--url", arguments.url.as_deref(), config.options.server.listen).map_err(usage)?;
    let headers = split_headers(&arguments.headers).and_then(checked).map_err(usage)?;
    let body = read_or_stdin(&arguments.body).map_err(|reason| usage(format!("--body: {reason}")))?;
    let made = made(source, arguments.form.as_deref(), &body).map_err(usage)?;
    let unavailable = |reason: String| (EXIT_UNAVAILABLE, reason);
    let runtime = serve::runtime().map_err(|error| (EXIT_FAILED, format!("{error:#}")))?;
    let client = RelayClient::new(base).map_err(|reason| (EXIT_FAILED, reason))?;
    runtime.block_on(post(&client, source, made, headers)).map_err(unavailable)
}

/// The notification in the form that its body fits, signed with the newest secret of the source that fits it.
fn made<'a>(source: &'a Source, form: Option<&str>, body: &[u8]) -> Result<(&'a Form, Signed), String> {
    let now = Timestamp::now();
    let Means { secrets, .. } = source.means(None, now);
    let mut held: Vec<_> =
        source.secrets.iter().zip(secrets).filter(|(_, secret)| secret.holds == Holds::Now).collect();
    held.sort_by(|(one, _), (other, _)| one.is_older_than(other).cmp(&other.is_older_than(one)));
    let none_holds = held.is_empty() && !source.secrets.is_empty();
    let secrets = held.into_iter().map(|(_, secret)| secret).collect();
    let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let means = Means { secrets, ..source.means(None, now) };
    notification(&source.profile, form, &means, now.as_second(), &id, body).map_err(|reason| {
        let hint = if none_holds {
            ". None of the source's secrets holds now: see their not_before and expires_at"
        } else {
            ""
        };
        format!(
            "sources.{}: {reason}{hint}. Nothing was sent; `profile test {}` reads a body without a signature",
            source.name, source.profile.name
        )
    })
}

/// Posts the notification with all that the source demands, as far as the configuration has it. The headers of the command line
/// replace others of their names.
async fn post(
    client: &RelayClient,
    source: &Source,
    (form, signed): (&Form, Signed),
    given: Vec<(String, String)>,
) -> Result<Answer, String> {
    let replaced = |name: &str| given.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut call = client.post(&["notifications", &source.name], signed.body);
    let media_type = form.content.media_types().next().map(|name| ("content-type".to_owned(), name.to_owned()));
    for (name, value) in media_type.into_iter().chain(signed.headers).filter(|(name, _)| !replaced(name)) {
        call = call.header(&name, &value);
    }
    if !replaced("authorization")
        && let Some(authorization) = client.authorization(&source.authorization).await?
    {
        call = call.authorization(&authorization);
    }
    let demanded = source.headers.iter().filter(|(name, _)| !replaced(name));
    call = demanded.fold(call, |call: Call, (name, value)| call.secret_header(name, value));
    client.answer(given.iter().fold(call, |call, (name, value)| call.header(name, value))).await
}

/// Checks that headers of the command line can be sent. A wrong one is not repeated: a secret may stand in it.
fn checked(headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let is_good = |(name, value): &(String, String)| is_name(name) && !value.chars().any(char::is_control);
    match headers.iter().all(is_good) {
        true => Ok(headers),
        false => {
            Err("--header must be 'Name: value': a name of letters, digits and dashes, a value in one line".to_owned())
        }
    }
}

/// Says that no source has the name, and which one may be meant.
fn unknown<'a>(arguments: &Arguments, names: impl Iterator<Item = &'a String> + Clone) -> String {
    let source = &arguments.source;
    let place = config::place(arguments.config.as_deref(), std::env::vars_os());
    let all: Vec<_> = names.map(String::as_str).collect();
    if all.is_empty() {
        return format!("there is no source {source:?}: {place} has none; --config names the relay's configuration");
    }
    let hint = nearest::hint(source, all.iter().copied());
    let ended = if hint.is_empty() { "." } else { "" };
    format!("there is no source {source:?} in {place}{hint}{ended} The sources: {}", all.join(", "))
}
