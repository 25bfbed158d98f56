//! Signals held back while a new secret stands in its file and was not printed yet.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::output::say;
use crate::control::LONGEST;

/// From now on SIGINT, SIGTERM, SIGHUP (of a lost terminal) and SIGQUIT only print what is waited for, until the process
/// ends.
///
/// # Errors
/// The machine does not allow it.
pub(super) fn back_signals() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _entered = runtime.enter();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        kinds.map(signal)
    };
    let [interrupt, terminate, hangup, quit] = signals;
    let signals = [interrupt?, terminate?, hangup?, quit?];
    std::thread::Builder::new().spawn(move || answer(&runtime, signals)).map(drop)
}

fn answer(runtime: &Runtime, signals: [Signal; 4]) {
    let [mut interrupt, mut terminate, mut hangup, mut quit] = signals;
    runtime.block_on(async {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
                _ = quit.recv() => {}
            }
            say(format_args!(
                "the new secret is written already: this command ends when the relay has answered and the secret is printed, \
                 within {LONGEST:?} at most"
            ));
        }
    });
}
