//! Demo, soak and bench that are stopped by a signal: no relay runs on, and no folder stays without a word.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// A proof in the middle, with its temporary folder in one of its own, and a process group of its own.
struct Proof {
    child: Child,
    said: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Proof {
    /// Starts a proof, and waits for a line that comes while its relay runs. The test run's own `nohup` does not reach it.
    fn in_the_middle(launcher: &[&str], arguments: &[&str], line: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_transform-relay");
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").args(launcher).arg(program).args(arguments);
        command.env("TMPDIR", folder.path()).process_group(0).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut so_far = String::new();
        while !so_far.lines().last().is_some_and(|last| last.contains(line)) {
            assert_ne!(said.read_line(&mut so_far).unwrap(), 0, "it ended without {line:?}: {so_far}");
        }
        let proof = Self { child, said, folder };
        assert_eq!(relays(proof.folder.path()).len(), 1, "its relay runs");
        proof
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end. Returns its exit code and its stderr.
    fn ended(&mut self) -> (Option<i32>, String) {
        let (mut rest, mut stderr) = (String::new(), String::new());
        self.said.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }

    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) || !relays(self.folder.path()).is_empty() {
            kill_process_group(self.pid(), Signal::KILL).unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// The command lines of the relays with a configuration below this folder.
fn relays(folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let lines = processes.filter_map(|file| Some(String::from_utf8_lossy(&fs::read(file).ok()?).replace('\0', " ")));
    let below = folder.to_str().unwrap();
    lines.filter(|line| line.contains(below) && line.contains("relay.toml")).collect()
}

const DEMO: (&str, &[&str], &str) = ("demo", &["demo"], "is told of");
const SOAK: (&str, &[&str], &str) = ("soak", &["soak", "--minutes", "1"], "webhooks heard");
const BENCH: (&str, &[&str], &str) = ("bench", &["bench", "--seconds", "0.1", "--rounds", "1"], "bytes of the WAL");
const HANGUP: (Signal, &str, i32) = (Signal::HUP, "SIGHUP", 129);
const INTERRUPT: (Signal, &str, i32) = (Signal::INT, "SIGINT", 130);
const TERMINATE: (Signal, &str, i32) = (Signal::TERM, "SIGTERM", 143);

/// A signal to the group is the end of a terminal session: the relay hears it, too.
#[test]
fn a_stopped_proof_leaves_no_relay_and_no_folder() {
    for (proof, signal, to_the_group) in [
        (DEMO, TERMINATE, false),
        (DEMO, TERMINATE, true),
        (DEMO, HANGUP, false),
        (DEMO, HANGUP, true),
        (DEMO, INTERRUPT, false),
        (DEMO, INTERRUPT, true),
        (SOAK, TERMINATE, false),
        (SOAK, HANGUP, true),
        (BENCH, TERMINATE, false),
        (BENCH, INTERRUPT, true),
    ] {
        let (name, arguments, line) = proof;
        let (signal, called, code) = signal;
        let mut proof = Proof::in_the_middle(&[], arguments, line);
        let send = if to_the_group { kill_process_group } else { kill_process };
        send(proof.pid(), signal).unwrap();
        let (ended, stderr) = proof.ended();
        let what = format!("{name}, {called}, to the group: {to_the_group}: {stderr}");
        assert_eq!(relays(proof.folder.path()), [""; 0], "{what}");
        assert_eq!(ended, Some(code), "{what}");
        assert_eq!(proof.left(), [""; 0], "{what}");
        assert_eq!(stderr, format!("{called} stopped the {name}; its folder is removed\n"));
    }
}

#[test]
fn a_stopped_demo_that_keeps_its_folder_names_it() {
    let mut proof = Proof::in_the_middle(&[], &["demo", "--keep"], DEMO.2);
    kill_process(proof.pid(), Signal::INT).unwrap();
    let (ended, stderr) = proof.ended();
    assert_eq!((ended, relays(proof.folder.path())), (Some(130), Vec::new()));
    let [kept] = &proof.left()[..] else { panic!("{stderr}") };
    assert!(Path::new(kept).join("relay.db").exists());
    assert_eq!(stderr, format!("SIGINT stopped the demo; the store, the configuration and the log are in {kept}\n"));
}

#[test]
fn a_demo_under_nohup_is_not_stopped_by_a_closed_terminal() {
    let ignoring = ["sh", "-c", r#"trap "" HUP; exec "$0" "$@""#];
    let mut proof = Proof::in_the_middle(&ignoring, DEMO.1, DEMO.2);
    kill_process(proof.pid(), Signal::HUP).unwrap();
    assert_eq!(proof.ended(), (Some(0), String::new()));
}
