//! `import`: has the running relay import transactions that existed before it, or imports them into the store.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::exit::{EXIT_FAILED, EXIT_IO, EXIT_UNAVAILABLE, EXIT_USAGE};
use super::output::{answer, say};
use super::own_store::{NotOpened, OwnStore};
use super::reload::{said_of_later, say_waiting};
use super::serve::runtime;
use super::variable::CONFIG_VARIABLE;
use crate::app::Options;
use crate::config;
use crate::control::{self, ImportAnswer, ImportAsked, Unanswered};
use crate::importing::lines::{Line, Lines};
use crate::importing::{Import, RefusedLine, Report, log};
use crate::registering::Allowed;
use crate::store::StoreError;
use crate::telemetry;

#[derive(Debug, Clone, Args)]
pub(super) struct Arguments {
    /// The file with one JSON object a line, or - for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Change nothing, and print what would be refused.
    #[arg(long)]
    dry_run: bool,
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

/// The reason why an import broke off.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// The arguments or the configuration are wrong.
    #[error("{0}")]
    Usage(String),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// No relay runs, and the store cannot be opened.
    #[error(transparent)]
    Unopened(#[from] NotOpened),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is neither a relay nor a store.
    #[error("{0}")]
    NoStore(String),
    /// The relay cannot be asked.
    #[error("{0}")]
    Unanswered(String),
    /// The relay imports nothing.
    #[error("the relay refuses: {0}")]
    Refused(String),
}

impl Failed {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Unopened(NotOpened::Runtime(_)) => EXIT_FAILED,
            Self::File(..) | Self::Unopened(_) | Self::Store(_) => EXIT_IO,
            Self::NoStore(_) | Self::Unanswered(_) | Self::Refused(_) => EXIT_UNAVAILABLE,
        }
    }

    /// Whether lines may have been imported although nobody said so.
    const fn is_open(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Unanswered(_))
    }
}

/// How often, and after which pause, a relay is asked whose queue is full.
const BUSY_MAX: u32 = 60;
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// The base of the exit code after a signal. The signal's number is added to it, as shells do.
const EXIT_SIGNAL: u8 = 128;

/// What came of the pieces so far.
type SoFar = Arc<Mutex<Report>>;

/// How an import ends.
enum Ended {
    /// It has come to the end of the file, or failed.
    Done(Result<(), Failed>),
    /// A signal has broken it off.
    By(SignalKind),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    telemetry::init();
    let so_far = SoFar::new(Mutex::new(Report { dry_run: arguments.dry_run, ..Report::default() }));
    let ended = runtime().and_then(|runtime| runtime.block_on(until_signal(arguments.clone(), Arc::clone(&so_far))));
    let report = so_far.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match ended {
        Ok(Ended::Done(Ok(()))) => {
            if report.is_empty() {
                say("there is no line: nothing is imported. Write one JSON object a line");
            }
            let code = if report.refused == 0 { 0 } else { EXIT_FAILED };
            answer(line(&report), ExitCode::from(code))
        }
        Ok(Ended::Done(Err(failed))) => {
            say(&failed);
            if failed.is_open() || !report.is_empty() {
                say_broken_off(&report);
            }
            ExitCode::from(failed.exit_code())
        }
        Ok(Ended::By(signal)) => {
            say_broken_off(&report);
            let number = u8::try_from(signal.as_raw_value()).ok();
            ExitCode::from(number.map_or(EXIT_FAILED, |number| EXIT_SIGNAL.saturating_add(number)))
        }
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn say_broken_off(report: &Report) {
    say(format_args!("broken off: {}. Import the same file again: what is done changes nothing", line(report)));
}

/// Imports until the end, or until SIGINT or SIGTERM. A read of stdin or of a pipe may take forever, so it has a thread of its own,
/// which ends with the process. The store is as whole then as after a power cut.
async fn until_signal(arguments: Arguments, so_far: SoFar) -> anyhow::Result<Ended> {
    let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()];
    let (mut interrupted, mut terminated) = (signal(interrupt)?, signal(terminate)?);
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(import_all(&arguments, &so_far))));
    Ok(tokio::select! {
        biased;
        done = done => Ended::Done(done?),
        _ = interrupted.recv() => Ended::By(interrupt),
        _ = terminated.recv() => Ended::By(terminate),
    })
}

/// Imports the file piece by piece, and prints each line that is refused.
fn import_all(arguments: &Arguments, so_far: &SoFar) -> Result<(), Failed> {
    let config = config::load(arguments.config.as_deref(), std::env::vars_os());
    let config = config.map_err(|errors| Failed::Usage(errors.to_string()))?;
    let unreadable = |error| Failed::File(arguments.file.clone(), error);
    let mut lines = Lines::of(opened(&arguments.file).map_err(unreadable)?);
    let mut owner = Owner { options: &config.options, dry_run: arguments.dry_run, own: None };
    let done = loop {
        let piece = match lines.next_piece() {
            Ok(piece) => piece,
            Err(error) => break Err(unreadable(error)),
        };
        if piece.is_empty() {
            let report = so_far.lock().unwrap_or_else(PoisonError::into_inner).clone();
            break owner.end(&report);
        }
        match owner.import(piece) {
            Ok(further) => {
                further.refusals.iter().for_each(say_refused);
                let mut report = so_far.lock().unwrap_or_else(PoisonError::into_inner);
                report.add(Report { refusals: further.refusals.into_iter().take(1).collect(), ..further });
            }
            Err(failed) => break Err(failed),
        }
    };
    owner.close();
    done
}

fn opened(file: &Path) -> std::io::Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            say("reading stdin; end it with Ctrl-D");
        }
        return Ok(Box::new(stdin.lock()));
    }
    Ok(Box::new(BufReader::new(File::open(file)?)))
}

fn say_refused(RefusedLine { line, field, reason }: &RefusedLine) {
    match field {
        Some(field) => say(format_args!("line {line}: {field}: {reason}")),
        None => say(format_args!("line {line}: {reason}")),
    }
}

/// One line for all that came of an import.
fn line(report: &Report) -> String {
    let Report { dry_run, new, changed, unchanged, refused, .. } = report;
    let would = if *dry_run { "a dry run, nothing is changed: " } else { "" };
    format!("{would}{new} new, {changed} changed, {unchanged} unchanged, {refused} refused")
}

/// The owner of the store: the relay that runs on it, or else this command.
struct Owner<'a> {
    options: &'a Options,
    dry_run: bool,
    /// The store, if no relay runs on it.
    own: Option<OwnStore>,
}

impl Owner<'_> {
    fn import(&mut self, lines: Vec<Line>) -> Result<Report, Failed> {
        if self.own.is_some() {
            return self.import_here(lines);
        }
        let asked = ImportAsked { dry_run: self.dry_run, lines, end: None };
        for _ in 0..BUSY_MAX {
            match control::import(&self.options.store.path, &asked, say_waiting) {
                Ok(ImportAnswer::Done(report)) => return Ok(report),
                Ok(ImportAnswer::Busy) => std::thread::sleep(BUSY_PAUSE),
                Ok(ImportAnswer::Refused(reason)) => return Err(Failed::Refused(reason)),
                Err(Unanswered::NotRunning(_)) => {
                    self.own = Some(OwnStore::open(&self.options.store)?);
                    return self.import_here(asked.lines);
                }
                Err(reason) => {
                    let said = said_of_later(&reason, &self.options.store.path);
                    let is_none = matches!(reason, Unanswered::NoStore(_));
                    return Err(if is_none { Failed::NoStore(said) } else { Failed::Unanswered(said) });
                }
            }
        }
        Err(StoreError::Busy.into())
    }

    fn import_here(&self, lines: Vec<Line>) -> Result<Report, Failed> {
        let Some(OwnStore { store, clock, runtime }) = &self.own else { return Ok(Report::default()) };
        let Options { sources, delivery, .. } = self.options;
        let has_webhook_target = delivery.webhook_target.is_some();
        let allowed = Allowed { sources, hosts: &delivery.allowed_hosts, has_webhook_target };
        let import = Import { store, registering: None, allowed, dry_run: self.dry_run };
        Ok(runtime.block_on(import.take(lines, clock.now()))?)
    }

    /// Lets the relay log what came of the import.
    fn end(&self, report: &Report) -> Result<(), Failed> {
        if self.own.is_some() {
            log(report);
            return Ok(());
        }
        let asked = ImportAsked { dry_run: self.dry_run, lines: Vec::new(), end: Some(report.clone()) };
        // Only the log misses something if the relay has ended by now.
        drop(control::import(&self.options.store.path, &asked, say_waiting));
        Ok(())
    }

    fn close(self) {
        if let Some(own) = self.own {
            own.close();
        }
    }
}
