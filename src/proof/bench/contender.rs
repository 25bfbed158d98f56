//! The contenders beside the relay: hidden modes of this program, each as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, anyhow};

use super::{no_op, one_transaction};
use crate::proof::stand_in::{Program, listening};

/// A contender of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// Reads each request and answers 200.
    NoOp,
    /// Verifies, parses, and commits each request in a transaction of its own.
    OneTransaction,
}

impl Contender {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoOp => "no-op",
            Self::OneTransaction => "one-transaction",
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::NoOp, Self::OneTransaction];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| "must be no-op or one-transaction".to_owned())
    }
}

/// Serves as a contender, with its store in this folder, until the process is killed.
///
/// # Errors
/// It cannot listen, or its store cannot be made.
pub async fn contend(contender: Contender, folder: &Path) -> anyhow::Result<()> {
    match contender {
        Contender::NoOp => no_op::serve().await,
        Contender::OneTransaction => one_transaction::serve(folder).await,
    }
}

/// A contender that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    program: Program,
    pub(super) address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// Starts a contender with a folder of its own, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or it ends before it listens.
    pub(super) async fn start(program: &Path, contender: Contender, folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut command = Command::new(program);
        command.args(["bench", "--contender", contender.name(), "--folder"]).arg(&folder);
        command.env_clear().stdout(Stdio::null());
        let program = Program::start(&mut command).context("cannot start a contender")?;
        let line = program.logged(&["listening address="], 1).await;
        let address = line.as_deref().and_then(listening).ok_or_else(|| {
            anyhow!("the contender {} does not listen: {}", contender.name(), program.log().join("; "))
        })?;
        Ok(Self { program, address, folder })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.program.pid
    }

    /// The number of notifications in its store.
    pub(super) fn stored(&self) -> anyhow::Result<usize> {
        let stored = one_transaction::stored(&self.folder).context("the contender's store cannot be read")?;
        Ok(usize::try_from(stored)?)
    }
}

/// The contenders that run beside the relay.
#[derive(Debug)]
pub(super) struct Contenders {
    pub(super) no_op: Running,
    pub(super) one_transaction: Running,
}

impl Contenders {
    pub(super) async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let run = |contender: Contender| Running::start(program, contender, folder.join(contender.name()));
        let (no_op, one_transaction) = (run(Contender::NoOp).await?, run(Contender::OneTransaction).await?);
        Ok(Self { no_op, one_transaction })
    }
}
