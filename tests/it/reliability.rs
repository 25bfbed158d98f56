//! docs/RELIABILITY.md: the tests that it names exist.

use std::path::{Path, PathBuf};

/// All Rust files below a folder of the project.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let text: Vec<(String, String)> = files
        .iter()
        .map(|file| (file.display().to_string().replace("/mod.rs", ".rs"), std::fs::read_to_string(file).unwrap()))
        .collect();
    let document = std::fs::read_to_string(root.join("docs/RELIABILITY.md")).unwrap();
    let rows: Vec<_> =
        document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Promise")).collect();
    assert!(rows.len() > 30, "{rows:?}");
    for row in rows {
        let column = row.split(" | ").nth(2).unwrap_or_else(|| panic!("three columns at least: {row}"));
        let names = column.split('`').skip(1).step_by(2);
        for name in names.filter(|name| !name.contains(' ')) {
            let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
            let there = text
                .iter()
                .any(|(file, text)| file.ends_with(&format!("{module}.rs")) && text.contains(&format!("fn {test}(")));
            assert!(there, "{name} in the row: {row}");
        }
    }
}
