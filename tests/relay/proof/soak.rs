//! Short soak with the real program: histories, kills, strangers and an unreliable Transform.

use std::process::Command;

/// The test sets no limit of time: the soak has its own, and names the thing that it waited for.
#[test]
fn nothing_acknowledged_is_lost_in_a_short_soak() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_transform-relay"));
    let ended = program.args(["soak", "--minutes", "0.25", "--seed", "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    for part in ["seed 1", "survived: killed", "No violation: nothing acknowledged is lost"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

/// Strangers instead of kills: no stranger is believed, and the cost of strangers is bounded.
#[test]
fn strangers_change_nothing_in_a_short_soak() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_transform-relay"));
    let ended = program.args(["soak", "--hostile", "--minutes", "0.25", "--seed", "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    for part in ["survived: signing by the endpoint check", "most memory of the relay", "No violation"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
