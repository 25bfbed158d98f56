//! Signals that stop a proof: SIGINT, SIGTERM and SIGHUP. A stopped proof ends its relay and removes its folder.
//!
//! SIGKILL cannot be heard. A relay whose proof was killed by it runs on.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that stops a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedBy {
    /// SIGHUP: the terminal was closed.
    Hangup,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl StoppedBy {
    const fn kind(self) -> SignalKind {
        match self {
            Self::Hangup => SignalKind::hangup(),
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code after it: 128 and its number, as in a shell.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// The listeners for the signals.
#[derive(Debug)]
pub(super) struct Stop {
    /// `None` if SIGHUP is ignored, as `nohup` has it.
    hangup: Option<Signal>,
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Begins to listen. From then on the signals do not end the process by themselves.
    pub(super) fn heard() -> std::io::Result<Self> {
        let hangup = if hangup_is_ignored() { None } else { Some(signal(StoppedBy::Hangup.kind())?) };
        let [interrupt, terminate] = [StoppedBy::Interrupt, StoppedBy::Terminate].map(|by| signal(by.kind()));
        Ok(Self { hangup, interrupt: interrupt?, terminate: terminate? })
    }

    /// Waits for a signal, or returns at once if one has come already.
    pub(super) async fn asked(&mut self) -> StoppedBy {
        let Self { hangup, interrupt, terminate } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hung_up => StoppedBy::Hangup,
            _ = interrupt.recv() => StoppedBy::Interrupt,
            _ = terminate.recv() => StoppedBy::Terminate,
        }
    }
}

/// Whether this process was started with SIGHUP ignored. Linux alone can be asked.
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Whether SIGHUP, the first signal, is in the mask of ignored signals.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_128_and_the_signals_number() {
        for by in [StoppedBy::Hangup, StoppedBy::Interrupt, StoppedBy::Terminate] {
            assert_eq!(i32::from(by.code()), 128 + by.kind().as_raw_value(), "{by:?}");
        }
    }

    #[test]
    fn nohup_is_seen_in_the_mask_of_ignored_signals() {
        let status = |mask: &str| format!("Name:\trelay\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup("Name:\trelay\n"));
    }
}
