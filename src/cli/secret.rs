//! `secret rotate`: gives a source a new secret, while its old secrets hold for an overlap.

mod held;
mod new;
mod relay;
mod said;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use self::said::{Failure, say_unsynced};
use super::exit::{EXIT_IO, EXIT_USAGE};
use super::output::{print, say};
use super::variable::CONFIG_VARIABLE;
use crate::access::secrets::{NamedSecret, rotated};
use crate::config::{self, Rotation, WAITS_FOR_ANOTHER};
use crate::control::Known;
use crate::domain::due::later;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Give a source a new secret: printed once on stdout, written into its secrets_file, taken up by the running relay.
    Rotate(Rotate),
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The source.
    source: String,
    /// How long the old secrets go on verifying. 0 is refused while one outside the secrets_file would go on.
    #[arg(long)]
    overlap: Overlap,
    /// With --overlap 0: end the secrets of the secrets_file, although others of the configuration go on verifying.
    #[arg(long)]
    keep_configured: bool,
    /// The new secret's name, for logs. Default: today's date.
    #[arg(long)]
    name: Option<String>,
    /// The PSP's id of the new key, where its signatures name the key.
    #[arg(long)]
    key_id: Option<String>,
    /// Take the new secret from stdin: some PSPs make secrets themselves.
    #[arg(long)]
    from_stdin: bool,
    /// Make the secret here, although the PSP of the profile makes its secrets itself.
    #[arg(long, conflicts_with = "from_stdin")]
    made_here: bool,
    /// The configuration file of the relay.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: PathBuf,
}

/// The overlaps that Digital River's service offers.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Overlap {
    /// The old secrets end at once.
    #[value(name = "0")]
    AtOnce,
    #[value(name = "1h")]
    H1,
    #[value(name = "3h")]
    H3,
    #[value(name = "6h")]
    H6,
    #[value(name = "12h")]
    H12,
    #[value(name = "24h")]
    H24,
}

impl Overlap {
    const fn span(self) -> Duration {
        Duration::from_secs(match self {
            Self::AtOnce => 0,
            Self::H1 => 3600,
            Self::H3 => 3 * 3600,
            Self::H6 => 6 * 3600,
            Self::H12 => 12 * 3600,
            Self::H24 => 24 * 3600,
        })
    }
}

pub(super) fn run(command: Command) -> ExitCode {
    let Command::Rotate(rotation) = command;
    rotate(rotation).map_or_else(
        |(code, reason)| {
            say(reason);
            ExitCode::from(code)
        },
        ExitCode::from,
    )
}

/// A failure leaves everything as it was. If the new secret stays in the file, the exit code says whether a relay has taken
/// it up. A secret that this command made is then printed; if it cannot be printed, the message names the file.
fn rotate(asked: Rotate) -> Result<u8, Failure> {
    let Rotate { source, overlap, keep_configured, name, key_id, from_stdin, made_here, config } = asked;
    let usage = |reason: String| (EXIT_USAGE, format!("sources.{source}: {reason}; nothing was changed"));
    // stdin is read before the lock is taken: reading may take long, and no other rotation must wait for it.
    let given = from_stdin.then(new::from_stdin).transpose().map_err(usage)?;
    let rotation = config::rotation(Some(&config), std::env::vars_os(), &source, say_locked)
        .map_err(|errors| (EXIT_USAGE, format!("{errors}\nnothing was changed")))?;
    if !from_stdin && !made_here {
        new::may_be_made(&rotation.profile).map_err(usage)?;
    }
    let value = given.map_or_else(|| new::made(&rotation.profile), |text| new::checked(text, &rotation.profile));
    let value = value.map_err(usage)?;
    let answer = relay::ask(&rotation).map_err(|(code, reason)| (code, format!("{reason}\nnothing was changed")))?;
    let now = answer.now;
    let known = answer.secrets.and_then(|mut all| all.remove(&source)).unwrap_or_default();
    if !overlap.span().is_zero() {
        relay::loses_none(&rotation, &known, now).map_err(usage)?;
    }
    let outside = Outside::new(&rotation, &known);
    if overlap.span().is_zero() && !keep_configured {
        outside.ends_by(now, &source).map_err(usage)?;
    }
    let until = later(now, overlap.span());
    let new = NamedSecret {
        name: name
            .unwrap_or_else(|| new::dated(now, rotation.names().chain(known.iter().map(|one| one.name.as_str())))),
        value,
        key_id,
        not_before: None,
        expires_at: None,
    };
    let others: Vec<_> = outside.0.iter().map(|(name, _)| name.as_str()).collect();
    let all = rotated(rotation.secrets.clone(), new.clone(), now, until, &others).map_err(usage)?;
    let file = rotation.file.display();
    let unwritten = |error| (EXIT_IO, format!("cannot write {file}: {error}; nothing was changed"));
    held::back_signals()
        .map_err(|error| (EXIT_IO, format!("signals cannot be held back: {error}; nothing was changed")))?;
    let written = rotation.write(&all).map_err(unwritten)?;
    say_unsynced(&written, &rotation);
    let (code, taken_up, notes) = relay::take_up(&rotation, &source, &new)?;
    let printed = if from_stdin { Ok(()) } else { print(new.value.expose_secret()) };
    say(format_args!("{:?} is a secret of {source} now; {taken_up}", new.name));
    let code = printed.map_or_else(
        |error| {
            say(format_args!(
                "the new secret cannot be printed: stdout: {error}; it stands in {file} as {:?}",
                new.name
            ));
            EXIT_IO
        },
        |()| code,
    );
    say_what_of_the_old_ones(&all, &new.name);
    outside.say(&source);
    notes.into_iter().for_each(say);
    if let Some(reader) = rotation.only_reader() {
        say(format_args!(
            "only user {reader} can read {file}, which is new: if the relay runs as another user, give the file to that \
             user (chown)"
        ));
    }
    Ok(code)
}

fn say_what_of_the_old_ones(all: &[NamedSecret], new: &str) {
    for old in all.iter().filter(|one| one.name != new) {
        if let Some(end) = old.expires_at {
            say(format_args!("{:?} verifies until {end}", old.name));
        }
    }
}

/// The source's secrets outside its `secrets_file`: their names and ends. The command cannot end them.
struct Outside(Vec<(String, Option<Timestamp>)>);

impl Outside {
    /// The relay's secrets from its environment replace the list in the configuration.
    fn new(rotation: &Rotation, known: &[Known]) -> Self {
        let environment = known.iter().filter(|one| one.of_environment);
        let environment: Vec<_> = environment.map(|one| (one.name.clone(), one.expires_at)).collect();
        Self(if environment.is_empty() { rotation.elsewhere.clone() } else { environment })
    }

    /// Checks that none of them verifies after this time. Whoever asks for no overlap believes that the old secret is known to
    /// others, and it would go on verifying.
    ///
    /// # Errors
    /// One of them verifies.
    fn ends_by(&self, now: Timestamp, source: &str) -> Result<(), String> {
        let verify = self.0.iter().filter(|(_, end)| end.is_none_or(|end| end > now));
        let verify: Vec<_> = verify.map(|(name, _)| name.as_str()).collect();
        if verify.is_empty() {
            return Ok(());
        }
        Err(format!(
            "--overlap 0 ends the secrets of the secrets_file only, and {verify:?} would go on verifying: remove it from \
             sources.{source}.secrets first, without a reload, and run this again; or say --keep-configured"
        ))
    }

    fn say(&self, source: &str) {
        for (name, _) in self.0.iter().filter(|(_, end)| end.is_none()) {
            say(format_args!(
                "{name:?} does not stand in the secrets_file and has no expires_at: remove it from sources.{source}.secrets \
                 after the overlap, and reload; until then it verifies"
            ));
        }
    }
}

fn say_locked(lock: &Path) {
    let lock = lock.display();
    say(format_args!(
        "another `secret rotate` has {lock}: waiting until it is done, for {WAITS_FOR_ANOTHER:?} at most"
    ));
}
