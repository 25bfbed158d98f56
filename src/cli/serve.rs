//! `serve`: runs the relay.

mod reloading;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::EXIT_USAGE;
use crate::app::{self, App, Options};
use crate::clock::Clock;
use crate::config::error::ConfigErrors;
use crate::config::{self, Config};
use crate::control::Control;
use crate::telemetry;

/// How a relay ended that did not fail.
enum Ended {
    /// Before it began.
    WrongConfiguration,
    /// As it was asked to, be it in the middle of its start.
    Stopped,
}

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    telemetry::init();
    let served = runtime().and_then(|runtime| {
        let ended = runtime.block_on(serve(file))?;
        // What goes on in a thread of its own has been cut off: a start, say. The process ends without it, as by a kill.
        runtime.shutdown_background();
        Ok(ended)
    });
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
    for warning in config::warnings(config, Clock::start().now().wall) {
        tracing::warn!("not safe: {warning}");
    }
    for name in config::renamed(&config.profiles) {
        tracing::warn!("renamed: {name}");
    }
    for hint in config::missing(config) {
        tracing::warn!("to add: {hint}");
    }
}

async fn serve(file: Option<&Path>) -> anyhow::Result<Ended> {
    // Before the configuration is read: whoever changes it then and says so has it read again, and ends nothing.
    let hangup = signal(SignalKind::hangup())?;
    // Before that too: a configuration on a disk that hangs, or in a pipe, is waited for.
    let mut stop = Stop::heard()?;
    let loaded = tokio::select! {
        loaded = load(file.map(Path::to_owned)) => loaded,
        () = stop.asked() => return Ok(stopped_early()),
    };
    let config = match loaded? {
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
    let (store, read_once, secrets) =
        (config.store.path.clone(), config.read_once.clone(), reloading::secrets(&config));
    let Some(app) = start(config, &mut stop).await? else {
        return Ok(stopped_early());
    };
    let control = Control::open(&store).inspect_err(|error| {
        tracing::warn!(
            %error,
            "this relay cannot be asked: `transform-relay reload` and `secret rotate` are refused; SIGHUP reloads"
        );
    });
    let address = app.address();
    let mut reloads = reloading::Reloads { reloader: app.reloader(), file: file.map(Path::to_owned), secrets };
    let reloads = tokio::spawn(async move {
        reloads.read_once_more(read_once).await;
        tracing::info!(%address, "listening");
        reloads.when_asked(hangup, control.ok()).await;
    });
    let stop = async {
        stop.asked().await;
        // Its socket is closed before the store is free for the next relay, whose socket it would take away.
        reloads.abort();
        drop(reloads.await);
    };
    app.run_until(stop).await?;
    Ok(Ended::Stopped)
}

fn stopped_early() -> Ended {
    tracing::info!("stopped before the start was over");
    Ended::Stopped
}

/// SIGTERM and SIGINT.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From now on they are heard, and end nothing by themselves.
    fn heard() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits until one comes, or has come already.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Builds the relay; none if it is to stop before that is done. Opening a store may take long, and blocks the thread that it
/// is done in.
async fn start(config: Config, stop: &mut Stop) -> anyhow::Result<Option<App>> {
    let build = || Handle::current().block_on(App::build(options(config)));
    tokio::select! {
        built = tokio::task::spawn_blocking(build) => built.context("the start panicked")?.map(Some),
        () = stop.asked() => Ok(None),
    }
}

/// Reads the configuration in a thread of its own: reading a file may take as long as its disk does.
///
/// # Errors
/// It panicked.
async fn load(file: Option<PathBuf>) -> anyhow::Result<Result<Config, ConfigErrors>> {
    let read = move || config::load(file.as_deref(), std::env::vars_os());
    tokio::task::spawn_blocking(read).await.context("reading the configuration panicked")
}

pub(super) fn options(config: Config) -> Options {
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
