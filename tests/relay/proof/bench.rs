//! Tiny bench with the real program: it runs, counts right and says each figure. No time is asserted.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

/// The figures of a bench with `--full`.
const FIGURES: &str = "
    ingestToNoOp
    ingestToOneTransaction
    ingestRate
    oneTransactionRate
    noOpRate
    writerCpu
    ingestCpu
    oneTransactionCpu
    noOpCpu
    generatorShare
    generatorShareNoOp
    walBytes
    walGroup
    halfP99ToFsyncP99
    halfP99
    halfMedian
    readToNoOp
    readRate
    noOpReadRate
    readCpu
    registrationsToIngest
    registrationRate
    webhooksToChanges
    webhooksPredicted
    webhooksToPredicted
    tellingRate
    dueToTransform
    drainToBareClient
    drainRate
    bareClientRate
    deadToHealthy
    hangingToHealthy
    crowdToUsual
    crowdWorstToUsual
    rotatingToCalm
    rotations
    idleCpu
    idleMemory
    binary
    coldStart
    memoryPerOwed
    owedStart
    owedStartToWebhook
    fullNotifications
    fullIngestToEmpty
    fullReadToEmpty
    fsyncMedian
    fsyncP99
";
/// Figures that may be 0: a relay at rest uses no processor, and memory that was free already holds what is owed.
const MAY_BE_0: [&str; 2] = ["idleCpu", "memoryPerOwed"];

#[test]
fn a_bench_counts_right_and_says_each_figure() {
    let folder = tempfile::tempdir().unwrap();
    let stores = folder.path().join("stores");
    fs::create_dir(&stores).unwrap();
    let file = folder.path().join("figures.json");
    let mut program = Command::new(env!("CARGO_BIN_EXE_transform-relay"));
    program
        .args(["bench", "--seconds", "0.1", "--rounds", "2", "--full", "--records", "2000", "--json"])
        .arg(&file)
        .env("TMPDIR", &stores);
    let ended = program.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(fs::read_dir(&stores).unwrap().count(), 0, "no folder is left");

    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PERFORMANCE.md");
    let page = fs::read_to_string(page).unwrap();
    let report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let figures = report["figures"].as_array().unwrap();
    let keys: Vec<_> = figures.iter().map(|figure| figure["key"].as_str().unwrap()).collect();
    assert_eq!(BTreeSet::from_iter(keys), FIGURES.split_whitespace().collect());
    for figure in figures {
        // Only Linux tells the processor time and the memory of a process.
        let may_be_0 = MAY_BE_0.contains(&figure["key"].as_str().unwrap());
        let known = figure["value"].as_f64().is_some_and(|value| value > 0.0 || may_be_0) || !cfg!(target_os = "linux");
        let name = figure["name"].as_str().unwrap();
        assert!(
            known && said.contains(name) && page.contains(&format!("| {} |", name.replace("  ", "… "))),
            "{figure}"
        );
    }
    let counts = report["counts"].as_array().unwrap();
    assert!(counts.len() >= 10 && counts.iter().all(|count| count["here"] == count["there"]), "{counts:?}");
    let none: Vec<_> = counts.iter().filter(|count| count["here"].as_u64() == Some(0)).collect();
    let what: Vec<_> = none.iter().map(|count| count["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["notifications refused while secrets were rotated (0 is right)"]);
    assert!(said.contains(&format!("All {} counts agree.", counts.len())), "{said}");
    assert!(report["machine"]["cores"].as_u64() > Some(0) && report["machine"]["sqlite"].is_string(), "{report}");
    let warned = report["warnings"].to_string().contains("this is a debug build");
    assert_eq!(warned, cfg!(debug_assertions), "{report}");
}
