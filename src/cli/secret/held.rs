//! The signals that are held back while a new secret stands in its file, and nobody has seen it yet.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::say;
use crate::control::LONGEST;

/// From now on SIGINT and SIGTERM end nothing: they are answered with what is waited for. That holds to the end of the process.
///
/// # Errors
/// The machine does not allow it.
pub(super) fn back_signals() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _entered = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    };
    let [interrupt, terminate] = signals;
    let (interrupt, terminate) = (interrupt?, terminate?);
    std::thread::Builder::new().spawn(move || answer(&runtime, interrupt, terminate)).map(drop)
}

fn answer(runtime: &Runtime, mut interrupt: Signal, mut terminate: Signal) {
    runtime.block_on(async {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            say(format_args!(
                "the new secret is written already: this command ends when the relay has answered and the secret is printed, \
                 within {LONGEST:?} at most"
            ));
        }
    });
}
