//! The program as a process: start, log, end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::{planted, within};

/// How a process ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running `transform-relay`. Everything that it prints is searched for the planted texts.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) pid: u32,
    /// Its stderr so far, line by line.
    log: watch::Receiver<Vec<String>>,
    ended: watch::Receiver<Option<Ended>>,
    listener: Option<JoinHandle<()>>,
}

/// The log filter of every relay of the suite, unless its test says otherwise: everything that the relay itself says.
const LOGGED: &str = "info,transform_relay=trace";

/// The program with these arguments and variables, after the shell has run `before`. Variables of the test run itself
/// cannot reach its settings.
fn command(before: &str, arguments: &[&str], environment: &[(String, String)]) -> Command {
    let program = env!("CARGO_BIN_EXE_transform-relay");
    let mut command = Command::new(if before.is_empty() { program } else { "sh" });
    if !before.is_empty() {
        // The program replaces the shell, so that signals to the shell's id reach it.
        command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), program]);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RELAY_")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", LOGGED).envs(environment.iter().cloned()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) async fn run(arguments: &[&str], environment: &[(String, String)]) -> Ended {
    run_after("", arguments, environment).await
}

/// Runs it to its end, after the shell has done this.
pub(crate) async fn run_after(before: &str, arguments: &[&str], environment: &[(String, String)]) -> Ended {
    Program::start_after(before, arguments, environment).ended().await
}

impl Program {
    pub(crate) fn start(arguments: &[&str], environment: &[(String, String)]) -> Self {
        Self::start_after("", arguments, environment)
    }

    pub(crate) fn start_after(before: &str, arguments: &[&str], environment: &[(String, String)]) -> Self {
        let mut child = command(before, arguments, environment).spawn().unwrap();
        let pid = child.id();
        let (lines, log) = watch::channel(Vec::new());
        let (end, ended) = watch::channel(None);
        let listener = std::thread::spawn(move || {
            let ended = listen(&mut child, &lines);
            end.send_replace(Some(ended));
        });
        Self { pid, log, ended, listener: Some(listener) }
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// Waits for a line of its log that contains all of these texts; returns the line. Fails at once if the program ends
    /// without it.
    pub(crate) async fn logged(&self, parts: &[&str]) -> String {
        let mut log = self.log.clone();
        let has = |line: &&String| parts.iter().all(|part| line.contains(part));
        let found = within(&format!("{parts:?} in the log"), log.wait_for(|lines| lines.iter().any(|l| has(&l)))).await;
        match found {
            Ok(lines) => lines.iter().find(has).unwrap().clone(),
            Err(_) => panic!("the relay ended without {parts:?} in its log:\n{}", self.log()),
        }
    }

    /// Waits until this many lines of its log contain all of these texts.
    pub(crate) async fn logged_times(&self, parts: &[&str], times: usize) {
        let mut log = self.log.clone();
        let has = |line: &&String| parts.iter().all(|part| line.contains(part));
        let enough = log.wait_for(|lines| lines.iter().filter(has).count() >= times);
        let found = within(&format!("{parts:?} in the log, {times} times"), enough).await.is_ok();
        assert!(found, "the relay ended without {parts:?} in its log {times} times:\n{}", self.log());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let end = within("the relay's end", ended.wait_for(Option::is_some)).await.unwrap().clone();
        end.unwrap()
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Sends it a signal by name. This uses the shell's own `kill`, since some machines lack the command.
    pub(crate) fn signal(&self, name: &str) {
        if self.runs() {
            let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.pid)).output();
            assert!(sent.is_ok(), "cannot send SIG{name}: {sent:?}");
        }
    }
}

fn listen(child: &mut Child, lines: &watch::Sender<Vec<String>>) -> Ended {
    let mut out = child.stdout.take().unwrap();
    let stdout = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text).unwrap_or_default()
    });
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        lines.send_modify(|lines| lines.push(line));
    }
    let status = child.wait().unwrap();
    Ended { code: status.code(), stdout: stdout.join().unwrap(), stderr: lines.borrow().join("\n") }
}

impl Drop for Program {
    /// Nothing stays behind, but a failed test prints its log. A test that printed a planted text fails.
    fn drop(&mut self) {
        self.signal("KILL");
        drop(self.listener.take().map(JoinHandle::join));
        if std::thread::panicking() {
            let log = self.log.borrow();
            let last = log.get(log.len().saturating_sub(100)..).unwrap_or_default().join("\n");
            eprintln!("--- the end of the relay's log ---\n{last}\n----------------------------------");
            return;
        }
        let ended = self.ended.borrow().clone().unwrap();
        for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
            let found = planted::found_in(text);
            assert!(found.is_empty(), "printed to {stream}: {}", found.join("; "));
        }
        assert!(!ended.stderr.contains("panicked"), "the program panicked:\n{}", ended.stderr);
    }
}
