//! `serve`: runs the relay.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::EXIT_USAGE;
use crate::app::{self, App, Options, Reloader};
use crate::config::{self, Config, ConfigErrors};
use crate::control::{Asked, Control, Outcome};
use crate::ingest::Source;
use crate::telemetry;

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    telemetry::init();
    let config = match config::load(file, std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            log_errors(&errors);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if file.is_none() {
        tracing::info!("no --config: the embedded defaults are in force");
    }
    log_hints(&config);
    let served = runtime().and_then(|runtime| runtime.block_on(serve(config, file)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(app::exit_code(&error))
        }
    }
}

pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
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

async fn serve(config: Config, file: Option<&Path>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let store = config.store.path.clone();
    let app = App::build(options(config)).await?;
    let control = Control::open(&store)
        .inspect_err(|error| tracing::warn!(%error, "`transform-relay reload` will not find this relay; SIGHUP does"));
    let reloads = tokio::spawn(reload_when_asked(app.reloader(), file.map(Path::to_owned), hangup, control.ok()));
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
    app.run_until(stop).await
}

/// Reloads on SIGHUP and for whoever asks at the door, one after the other.
async fn reload_when_asked(reloader: Reloader, file: Option<PathBuf>, mut hangup: Signal, control: Option<Control>) {
    loop {
        let mut asked = tokio::select! {
            _ = hangup.recv() => None,
            asked = next(control.as_ref()) => Some(asked),
        };
        if let Some(asked) = &mut asked
            && !asked.wants_reload().await
        {
            continue;
        }
        let outcome = reload(&reloader, file.clone()).await;
        if let Some(asked) = asked {
            asked.answer(&outcome).await;
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
    let loaded = tokio::task::spawn_blocking(move || config::load(file.as_deref(), std::env::vars_os())).await;
    match loaded {
        Ok(Ok(config)) => {
            log_hints(&config);
            let names = |source: &Source| source.secrets.iter().map(|secret| secret.name.clone()).collect();
            let secrets = config.sources.iter().map(|(name, source)| (name.clone(), names(source))).collect();
            let restart = reloader.reload(options(config));
            for key in &restart {
                tracing::warn!(key, "its new value needs a restart");
            }
            tracing::info!("reloaded: the configuration is in force");
            Outcome { restart: restart.into_iter().map(str::to_owned).collect(), errors: Vec::new(), secrets }
        }
        Ok(Err(errors)) => {
            log_errors(&errors);
            tracing::error!("not reloaded: the old configuration stays in force");
            Outcome { errors: errors.to_string().lines().map(str::to_owned).collect(), ..Outcome::default() }
        }
        Err(error) => {
            tracing::error!(%error, "not reloaded: reading the configuration panicked");
            Outcome { errors: vec!["reading the configuration panicked".to_owned()], ..Outcome::default() }
        }
    }
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
