//! `stand-in`: plays Transform, for a trial of a relay. It takes webhooks, reads the records and says what changed.

mod changes;
mod failure;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::changes::told;
use self::failure::Failure;
use super::exit::{EXIT_FAILED, EXIT_USAGE};
use super::output::{say, tell};
use super::relay_client::{Answer, RelayClient, base, bearer};
use super::serve;
use super::variable::CONFIG_VARIABLE;
use crate::access::credentials::Credentials;
use crate::app::not_bound;
use crate::config;
use crate::http::NotBound;
use crate::proof::stand_in::{Key, Scripted, Transform, Webhook, plain, told_of};

/// The variable with Transform's token, where the configuration has no credentials of Transform.
const TOKEN: &str = "TRANSFORM_TOKEN";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where to listen for webhooks: transform.webhook_target of the relay leads here.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// The relay to read from. Default: the address at which the configured relay listens.
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// Answer that share of the webhooks with 500, as in 20%; or all of them with that status.
    #[arg(long, value_name = "N%|STATUS")]
    fail: Option<Failure>,
    /// Wait this long before each answer, as in 2s.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    slow: Option<Duration>,
    /// Read no records.
    #[arg(long)]
    never_read: bool,
    /// The configuration file of the relay, with Transform's credentials. Without credentials there, the environment variable
    /// TRANSFORM_TOKEN has a token.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "must be a number and its unit, as in 250ms or 2s".to_owned())
}

/// Exit code 0 after SIGINT or SIGTERM.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let reader = match reader(arguments) {
        Ok(reader) => reader,
        Err(reason) => {
            say(reason);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match serve::runtime().and_then(|runtime| runtime.block_on(play(arguments, reader))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Reads records as Transform.
struct Reader {
    client: RelayClient,
    credentials: Credentials,
    /// The Authorization header, where the configuration has no credentials.
    given: Option<SecretString>,
}

/// The reader of a relay; none if nothing is to be read.
fn reader(arguments: &Arguments) -> Result<Option<Reader>, String> {
    if arguments.never_read {
        return Ok(None);
    }
    let config = config::load(arguments.config.as_deref(), std::env::vars_os()).map_err(|errors| errors.to_string())?;
    let base = base("--relay", arguments.relay.as_deref(), config.options.server.listen)?;
    let credentials = config.options.transform;
    let given = std::env::var(TOKEN).ok().filter(|token| !token.is_empty() && credentials.is_empty());
    if credentials.is_empty() && given.is_none() {
        return Err(format!(
            "Transform has no credentials to read with: --config names the relay's configuration with transform.tokens, basic or \
             oauth; or the environment variable {TOKEN} has a token; or --never-read reads nothing"
        ));
    }
    Ok(Some(Reader { client: RelayClient::new(base)?, credentials, given: given.map(|token| bearer(&token.into())) }))
}

impl Reader {
    async fn read(&self, (code, id): &Key) -> Result<Answer, String> {
        let authorization = match &self.given {
            Some(given) => Some(given.clone()),
            None => self.client.authorization(&self.credentials).await?,
        };
        let call = self.client.get(&["api", "transactions", id], &format!("type={code}"));
        let call = authorization.iter().fold(call, |call, value| call.authorization(value));
        self.client.answer(call).await
    }
}

/// A webhook that came: its record, or why it names none; and the status of its answer.
type Came = (Result<Key, String>, u16);

async fn play(arguments: &Arguments, reader: Option<Reader>) -> anyhow::Result<()> {
    // The signals are heard before anything listens.
    let mut stop = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    let (sender, mut came) = unbounded_channel();
    let (fail, slow) = (arguments.fail, arguments.slow.unwrap_or_default());
    let listen = arguments.listen;
    let transform = Transform::listen(listen, plain, move |hook, _| take(hook, fail, slow, &sender))
        .map_err(|source| not_bound(NotBound { key: "--listen", at: listen, source }))?;
    let address = transform.address();
    say(format_args!("stand-in for Transform: webhooks to http://{address}; SIGINT or SIGTERM ends it"));
    let mut seen = Seen::default();
    while let Some(one) = next(&mut came, &mut stop).await {
        seen.take(one, reader.as_ref()).await;
    }
    drop(transform);
    // What has been answered is still told of, until a second signal.
    let rest = async {
        while let Ok(one) = came.try_recv() {
            seen.take(one, reader.as_ref()).await;
        }
    };
    tokio::select! {
        () = rest => {}
        () = stopped(&mut stop) => {}
    }
    tell(format_args!("webhooks: {}, reads: {}, records: {}", seen.webhooks, seen.reads, seen.records.len()));
    Ok(())
}

/// The next webhook. `None` after a signal.
async fn next(came: &mut UnboundedReceiver<Came>, stop: &mut [Signal; 2]) -> Option<Came> {
    tokio::select! {
        one = came.recv() => one,
        () = stopped(stop) => None,
    }
}

async fn stopped([interrupt, terminate]: &mut [Signal; 2]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Answers a webhook, on the thread of its connection.
fn take(hook: &Webhook, fail: Option<Failure>, slow: Duration, came: &UnboundedSender<Came>) -> Scripted {
    thread::sleep(slow);
    let key = told_of(hook.body.as_bytes());
    let usual = if key.is_ok() { 200 } else { 400 };
    let status = fail.and_then(|fail| fail.status(fastrand::u8(0..100))).unwrap_or(usual);
    // Nobody listens once the stand-in ends.
    drop(came.send((key, status)));
    Scripted::With(status, Vec::new(), String::new())
}

/// What the stand-in has seen so far.
#[derive(Default)]
struct Seen {
    webhooks: usize,
    reads: usize,
    /// The last read of each record; none if it was not read.
    records: BTreeMap<Key, Option<Answer>>,
}

impl Seen {
    /// Takes note of a webhook: reads its record, and prints a line.
    async fn take(&mut self, (key, status): Came, reader: Option<&Reader>) {
        self.webhooks += 1;
        let key = match key {
            Ok(key) => key,
            Err(reason) => {
                return tell(format_args!("a webhook, answered {status}: {}", reason.escape_debug()));
            }
        };
        let kind = ["preauth", "payment", "refund", "agreement"].get(usize::from(key.0).saturating_sub(1));
        let what = format!("{} {}, answered {status}", kind.copied().unwrap_or_default(), key.1.escape_debug());
        let last = self.records.entry(key.clone()).or_default();
        let Some(reader) = reader.filter(|_| status < 300) else {
            return tell(format_args!("{what}: not read"));
        };
        match reader.read(&key).await {
            Ok(read) => {
                self.reads += 1;
                tell(format_args!("{what}: {}", told(last.as_ref(), &read)));
                *last = Some(read);
            }
            Err(reason) => tell(format_args!("{what}: {reason}")),
        }
    }
}
