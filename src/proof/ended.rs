//! The end of a proof: its verdict, its folder, and what stdout did not take.

use std::io;
use std::path::PathBuf;

use super::stop::StoppedBy;

/// The verdict of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The relay did its work.
    Good,
    /// It did not.
    Bad,
    /// A signal stopped the proof before its verdict.
    Stopped(StoppedBy),
}

/// The end of a proof that did not break off.
#[derive(Debug)]
pub struct Ended {
    /// The verdict.
    pub verdict: Verdict,
    /// The folder with the store, the configuration and the log. `None` if it was removed.
    pub kept: Option<PathBuf>,
    /// Why stdout did not take the end of the text.
    pub untold: Option<io::Error>,
}

impl Ended {
    /// The end of a proof that was stopped. Without `keep` its folder is removed. The processes of the proof must have ended.
    pub(super) fn stopped(by: StoppedBy, folder: PathBuf, keep: bool) -> Self {
        let removed = !keep && std::fs::remove_dir_all(&folder).is_ok();
        Self { verdict: Verdict::Stopped(by), kept: (!removed).then_some(folder), untold: None }
    }

    /// The exit code of the verdict.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.verdict {
            Verdict::Good => 0,
            Verdict::Bad => 1,
            Verdict::Stopped(by) => by.code(),
        }
    }

    /// The line for stderr, if stdout cannot have said how this proof ended and where its folder is.
    #[must_use]
    pub fn remark(&self, proof: &str) -> Option<String> {
        let what = match (self.verdict, &self.untold) {
            (Verdict::Stopped(by), _) => format!("{} stopped the {proof}", by.name()),
            (_, Some(error)) => format!("the end of the {proof} cannot be written to stdout: {error}"),
            _ => return None,
        };
        Some(match &self.kept {
            Some(folder) => format!("{what}; the store, the configuration and the log are in {}", folder.display()),
            None => format!("{what}; its folder is removed"),
        })
    }
}
