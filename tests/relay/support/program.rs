//! The program as a process: start, log, end.

use std::io::{PipeReader, Write};
use std::process::{Child, Command, Stdio};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use transform_relay::proof::stand_in;

use super::{planted, within};

pub(crate) use transform_relay::proof::stand_in::Ended;

/// A running `transform-relay`. Everything that it prints is searched for the planted texts.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) pid: u32,
    child: stand_in::Program,
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
    command.stdout(Stdio::piped());
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

/// The program, with a full pipe as its stdout: it waits at its first line for as long as the reader is kept.
pub(crate) fn unread(arguments: &[&str], environment: &[(String, String)]) -> (Child, PipeReader) {
    let (reader, mut full) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&full).unwrap();
    fcntl_setfl(&full, flags | OFlags::NONBLOCK).unwrap();
    while full.write(b"\n").is_ok() {}
    fcntl_setfl(&full, flags).unwrap();
    let mut command = command("", arguments, environment);
    (command.stdout(full).stderr(Stdio::null()).spawn().unwrap(), reader)
}

impl Program {
    pub(crate) fn start(arguments: &[&str], environment: &[(String, String)]) -> Self {
        Self::start_after("", arguments, environment)
    }

    pub(crate) fn start_after(before: &str, arguments: &[&str], environment: &[(String, String)]) -> Self {
        let child = stand_in::Program::start(&mut command(before, arguments, environment)).unwrap();
        Self { pid: child.pid, child }
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.child.log().join("\n")
    }

    /// Waits for a line of its log that contains all of these texts; returns the line. Fails at once if the program ends
    /// without it.
    pub(crate) async fn logged(&self, parts: &[&str]) -> String {
        self.logged_first(parts, 1).await
    }

    /// Waits until this many lines of its log contain all of these texts.
    pub(crate) async fn logged_times(&self, parts: &[&str], times: usize) {
        self.logged_first(parts, times).await;
    }

    async fn logged_first(&self, parts: &[&str], times: usize) -> String {
        let what = format!("{parts:?} in the log, {times} times");
        match within(&what, self.child.logged(parts, times)).await {
            Some(line) => line,
            None => panic!("the relay ended without {what}:\n{}", self.log()),
        }
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Ended {
        within("the relay's end", self.child.ended()).await.unwrap()
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.child.runs()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        self.child.signal(name).unwrap();
    }
}

impl Drop for Program {
    /// Nothing stays behind, but a failed test prints its log. A test that printed a planted text fails.
    fn drop(&mut self) {
        self.child.kill();
        if std::thread::panicking() {
            let log = self.child.log();
            let last = log.get(log.len().saturating_sub(100)..).unwrap_or_default().join("\n");
            eprintln!("--- the end of the relay's log ---\n{last}\n----------------------------------");
            return;
        }
        let ended = self.child.end().unwrap();
        for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
            let found = planted::found_in(text);
            assert!(found.is_empty(), "printed to {stream}: {}", found.join("; "));
        }
        assert!(!ended.stderr.contains("panicked"), "the program panicked:\n{}", ended.stderr);
    }
}
