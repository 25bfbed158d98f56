//! `serve`: runs the relay until SIGTERM or SIGINT, reloads on SIGHUP, and does what commands ask for.

mod configuration;
mod reloading;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::configuration::{load, log_errors, log_hints};
use super::exit::EXIT_USAGE;
use crate::app::{self, App};
use crate::config::Config;
use crate::control::Control;
use crate::telemetry;

/// The version of this program, for the log.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The end of a relay that did not fail.
enum Ended {
    /// It did not start, because its configuration is wrong.
    WrongConfiguration,
    /// It was stopped by a signal, perhaps in the middle of its start.
    Stopped,
}

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    telemetry::init();
    let served = runtime().and_then(|runtime| {
        let ended = runtime.block_on(serve(file))?;
        // A start that was stopped may go on in a thread of its own. The process ends without it, as by a kill.
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

async fn serve(file: Option<&Path>) -> anyhow::Result<Ended> {
    // SIGHUP is heard before the configuration is read. If it comes during the reading, it does not end the process, and
    // the file is read again.
    let hangup = signal(SignalKind::hangup())?;
    // SIGTERM and SIGINT are heard before that, too: a configuration on a hanging disk, or from a pipe, may take long.
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
        tracing::info!("no --config and no RELAY_CONFIG: the embedded defaults are in force");
    }
    log_hints(&config);
    let sources = config.options.sources.len();
    let (store, read_once) = (config.options.store.path.clone(), config.read_once.clone());
    let (secrets, rules) = (reloading::secrets(&config), reloading::rules(&config));
    let Some(app) = start(config, &mut stop).await? else {
        return Ok(stopped_early());
    };
    let control = Control::open(&store).inspect_err(|error| {
        tracing::warn!(
            %error,
            "this relay cannot be asked: `transform-relay reload`, `reread`, `repair`, `tell`, `import` and `secret rotate` are refused; SIGHUP reloads"
        );
    });
    let (address, owed) = (app.address(), app.owed());
    let admin_address = app.admin_address().map(tracing::field::display);
    let mut reloads = reloading::Reloads {
        reloader: app.reloader(),
        file: file.map(Path::to_owned),
        secrets,
        rules,
        store: app.store(),
        registering: app.registering(),
        clock: app.clock(),
    };
    let reloads = tokio::spawn(async move {
        reloads.read_once_more(read_once).await;
        tracing::info!(%address, admin_address, version = VERSION, store = %store.display(), sources, owed, "listening");
        reloads.when_asked(hangup, control.ok()).await;
    });
    let stop = async {
        stop.asked().await;
        // The socket is closed before the store is free: otherwise this relay would remove the next relay's socket.
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
    /// Begins to listen for the signals. From then on they do not end the process by themselves.
    fn heard() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for a signal, or returns at once if one has come already.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Builds the relay. `None` if it is stopped before it is built. Opening a store may take long and blocks its thread, so it
/// has a thread of its own.
async fn start(config: Config, stop: &mut Stop) -> anyhow::Result<Option<App>> {
    let build = || Handle::current().block_on(App::build(config.options));
    tokio::select! {
        built = tokio::task::spawn_blocking(build) => built.context("the start panicked")?.map(Some),
        () = stop.asked() => Ok(None),
    }
}
