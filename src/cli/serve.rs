//! `serve`: runs the relay.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::EXIT_USAGE;
use crate::app::{self, App, Options, Reloader};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigErrors};
use crate::control::{Asked, Control, Outcome, Time, Wish};
use crate::ingest::Source;
use crate::telemetry;

/// How a relay ended that did not fail.
enum Ended {
    /// Before it began.
    WrongConfiguration,
    Stopped,
}

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    telemetry::init();
    let served = runtime().and_then(|runtime| runtime.block_on(serve(file)));
    match served {
        Ok(Ended::Stopped) => ExitCode::SUCCESS,
        Ok(Ended::WrongConfiguration) => ExitCode::from(EXIT_USAGE),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(app::exit_code(&error))
        }
    }
}

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

fn log_errors(errors: &ConfigErrors) {
    for error in &errors.0 {
        tracing::error!(key = error.key, reason = error.reason, "wrong configuration");
    }
}

fn log_hints(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("not safe: {warning}");
    }
    for hint in config::missing(config) {
        tracing::warn!("to add: {hint}");
    }
}

async fn serve(file: Option<&Path>) -> anyhow::Result<Ended> {
    // Before the configuration is read: whoever changes it then and says so has it read again, and ends nothing.
    let hangup = signal(SignalKind::hangup())?;
    let config = match config::load(file, std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            log_errors(&errors);
            return Ok(Ended::WrongConfiguration);
        }
    };
    if file.is_none() {
        tracing::info!("no --config: the embedded defaults are in force");
    }
    log_hints(&config);
    let store = config.store.path.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let app = App::build(options(config)).await?;
    let control = Control::open(&store).inspect_err(|error| {
        tracing::warn!(
            %error,
            "this relay cannot be asked: `transform-relay reload` and `secret rotate` are refused; SIGHUP reloads"
        );
    });
    let reloader = app.reloader();
    read_once_more(&reloader, file).await;
    let reloads = tokio::spawn(reload_when_asked(reloader, file.map(Path::to_owned), hangup, control.ok()));
    tracing::info!(address = %app.address(), "listening");
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Its door is closed before the store is free for the next relay, whose door it would take away.
        reloads.abort();
        drop(reloads.await);
    };
    app.run_until(stop).await?;
    Ok(Ended::Stopped)
}

/// What has changed since the start began is in force before the relay says that it listens: until its door was open, nobody
/// could tell it. A configuration that comes by a pipe can be read once only.
async fn read_once_more(reloader: &Reloader, file: Option<&Path>) {
    let is_file = |file: &Path| file.metadata().map_or(true, |found| found.is_file());
    if file.is_none_or(is_file)
        && let Ok(config) = load(file.map(Path::to_owned)).await
    {
        put_in_force(reloader, config);
    }
}

/// Reloads on SIGHUP and for whoever asks at the door, one after the other.
async fn reload_when_asked(reloader: Reloader, file: Option<PathBuf>, mut hangup: Signal, control: Option<Control>) {
    let clock = Clock::start();
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => None,
            asked = next(control.as_ref()) => Some(asked),
        };
        let Some(mut asked) = asked else {
            reload(&reloader, file.clone()).await;
            continue;
        };
        match asked.wish().await {
            Some(Wish::Reload) => asked.answer(&reload(&reloader, file.clone()).await).await,
            Some(Wish::Time) => asked.answer(&Time { now: clock.now().wall }).await,
            None => {}
        }
    }
}

async fn next(control: Option<&Control>) -> Asked {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}

async fn reload(reloader: &Reloader, file: Option<PathBuf>) -> Outcome {
    match load(file).await {
        Ok(config) => {
            log_hints(&config);
            let outcome = put_in_force(reloader, config);
            tracing::info!("reloaded: the configuration is in force");
            outcome
        }
        Err(errors) => Outcome { errors, ..Outcome::default() },
    }
}

/// Reads the configuration anew.
///
/// # Errors
/// All that is wrong with it; that is logged.
async fn load(file: Option<PathBuf>) -> Result<Config, Vec<String>> {
    let loaded = tokio::task::spawn_blocking(move || config::load(file.as_deref(), std::env::vars_os())).await;
    match loaded {
        Ok(Ok(config)) => Ok(config),
        Ok(Err(errors)) => {
            log_errors(&errors);
            tracing::error!("not reloaded: the old configuration stays in force");
            Err(errors.to_string().lines().map(str::to_owned).collect())
        }
        Err(error) => {
            tracing::error!(%error, "not reloaded: reading the configuration panicked");
            Err(vec!["reading the configuration panicked".to_owned()])
        }
    }
}

fn put_in_force(reloader: &Reloader, config: Config) -> Outcome {
    let names = |source: &Source| source.secrets.iter().map(|secret| secret.name.clone()).collect();
    let secrets = config.sources.iter().map(|(name, source)| (name.clone(), names(source))).collect();
    let restart = reloader.reload(options(config));
    for key in &restart {
        tracing::warn!(key, "its new value needs a restart");
    }
    Outcome { restart: restart.into_iter().map(str::to_owned).collect(), errors: Vec::new(), secrets }
}

fn options(config: Config) -> Options {
    Options {
        server: config.server,
        store: config.store,
        delivery: config.delivery,
        transform: config.transform,
        failed_as: config.failed_as,
        integrator: config.integrator,
        monitor: config.monitor,
        certificates: config.certificates,
        proxies: config.proxies,
        throttle: config.throttle,
        token_lifetime: config.token_lifetime,
        sources: config.sources,
    }
}
