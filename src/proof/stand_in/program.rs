//! A program as a child process: its log, line by line, signals, and its end.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit code. `None` if a signal ended the process.
    pub code: Option<i32>,
    /// All of its stdout, if that was a pipe.
    pub stdout: String,
    /// All of its stderr, if that was remembered.
    pub stderr: String,
}

/// A running process. It is killed when this is dropped. If its parent is killed (SIGKILL), it runs on.
#[derive(Debug)]
pub struct Program {
    /// The process id.
    pub pid: u32,
    log: Arc<watch::Sender<Vec<String>>>,
    ended: watch::Receiver<Option<Ended>>,
    listener: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts a command, and remembers each line of its stderr.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let log: Arc<watch::Sender<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&log);
        Self::listened_to(command, log, move |line| lines.send_modify(|lines| lines.push(line)))
    }

    /// Starts a command, and hands over each line of its stderr. None is remembered.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn heard_by(command: &mut Command, heard: impl FnMut(String) + Send + 'static) -> io::Result<Self> {
        Self::listened_to(command, Arc::default(), heard)
    }

    fn listened_to(
        command: &mut Command,
        log: Arc<watch::Sender<Vec<String>>>,
        heard: impl FnMut(String) + Send + 'static,
    ) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let (pid, lines) = (child.id(), Arc::clone(&log));
        let (end, ended) = watch::channel(None);
        let listener = thread::spawn(move || {
            let (code, stdout) = listen(child, heard);
            let stderr = lines.borrow().join("\n");
            end.send_replace(Some(Ended { code, stdout, stderr }));
        });
        Ok(Self { pid, log, ended, listener: Some(listener) })
    }

    /// The remembered lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Waits until this many remembered lines contain all of these texts. Returns the first of them, or `None` if the
    /// program ends without them.
    pub async fn logged(&self, parts: &[&str], times: usize) -> Option<String> {
        let has = |line: &&String| parts.iter().all(|part| line.contains(part));
        let first = |lines: &Vec<String>| lines.iter().find(has).cloned();
        let enough = |lines: &Vec<String>| lines.iter().filter(has).count() >= times;
        let mut log = self.log.subscribe();
        let mut ended = self.ended.clone();
        tokio::select! {
            biased;
            found = log.wait_for(enough) => found.ok().and_then(|lines| first(&lines)),
            _ = ended.wait_for(Option::is_some) => {
                let lines = self.log.borrow();
                enough(&lines).then(|| first(&lines)).flatten()
            }
        }
    }

    /// Waits until it has ended. `None` if that cannot be known.
    pub async fn ended(&self) -> Option<Ended> {
        let mut ended = self.ended.clone();
        ended.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Its end, if it has ended.
    #[must_use]
    pub fn end(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Sends it a signal by name: KILL, TERM, INT, HUP, QUIT, STOP or CONT. A process that has ended gets none.
    ///
    /// # Errors
    /// The name is another, or the signal cannot be sent.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let signal = match name {
            "KILL" => Signal::KILL,
            "TERM" => Signal::TERM,
            "INT" => Signal::INT,
            "HUP" => Signal::HUP,
            "QUIT" => Signal::QUIT,
            "STOP" => Signal::STOP,
            "CONT" => Signal::CONT,
            other => return Err(io::Error::other(format!("no signal of this name is sent: {other}"))),
        };
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        if !self.runs() {
            return Ok(());
        }
        match kill_process(pid, signal) {
            Err(_) if !self.runs() => Ok(()),
            sent => sent.map_err(io::Error::from),
        }
    }

    /// Kills it (SIGKILL) and waits for its end. This blocks the thread for a moment.
    pub fn kill(&mut self) {
        // The only failure is that the process is gone already.
        drop(self.signal("KILL"));
        drop(self.listener.take().map(JoinHandle::join));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Hears a process to its end. Returns its exit code and its stdout.
fn listen(mut child: Child, mut heard: impl FnMut(String)) -> (Option<i32>, String) {
    let stdout = child.stdout.take().map(|mut out| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(out.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    });
    for line in child.stderr.take().into_iter().flat_map(|err| BufReader::new(err).split(b'\n').map_while(Result::ok)) {
        heard(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
    }
    let code = child.wait().ok().and_then(|status| status.code());
    (code, stdout.and_then(|reading| reading.join().ok()).unwrap_or_default())
}
