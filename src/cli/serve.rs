//! `serve`: runs the relay.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::EXIT_USAGE;
use crate::app::{self, App, Options};
use crate::config::{self, Config};
use crate::telemetry;

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    telemetry::init();
    let config = match config::load(file, std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            for error in &errors.0 {
                tracing::error!(key = error.key, reason = error.reason, "wrong configuration");
            }
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if file.is_none() {
        tracing::info!("no --config: the embedded defaults are in force");
    }
    for warning in &config.warnings {
        tracing::warn!("not safe: {warning}");
    }
    for hint in config::missing(&config) {
        tracing::warn!("to add: {hint}");
    }
    let served = runtime().and_then(|runtime| runtime.block_on(serve(config)));
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

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let app = App::build(options(config)).await?;
    tracing::info!(address = %app.address(), "listening");
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    app.run_until(stop).await
}

fn options(config: Config) -> Options {
    Options {
        server: config.server,
        store: config.store,
        delivery: config.delivery,
        transform: config.transform,
        failed_as: config.failed_as,
        integrator: config.integrator,
        certificates: config.certificates,
        sources: config.sources.into_values().collect(),
    }
}
