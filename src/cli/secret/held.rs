//! Signals held back while a new secret is in its file but not printed yet.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::output::say;
use crate::control::LONGEST;

/// Makes SIGINT, SIGTERM, SIGHUP (of a lost terminal) and SIGQUIT only print what the command waits for, until the
/// process ends.
///
/// # Errors
/// The machine gives no listener for the signals, or no thread.
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
