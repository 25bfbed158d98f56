//! Golden files: texts that are made anew and compared with the files that hold them.

use std::env;
use std::fs;
use std::path::Path;

use similar::TextDiff;

/// A variable that has golden files written anew, and the tests that write them.
#[derive(Clone, Copy)]
pub(crate) struct Update {
    pub(crate) variable: &'static str,
    pub(crate) tests: &'static str,
    /// What separates the parts of a line: a difference is told part by part.
    pub(crate) separator: &'static str,
}

/// The generated documents.
pub(crate) const DOCS: Update = Update { variable: "UPDATE_DOCS", tests: "pages", separator: "\n" };
/// The golden files of the fixtures.
pub(crate) const FIXTURES: Update = Update { variable: "UPDATE_FIXTURES", tests: "profiles", separator: "; " };
/// The golden file of the originals.
pub(crate) const ORIGINALS: Update = Update { variable: "UPDATE_FIXTURES", tests: "originals", separator: "; " };

/// Checks that a file has this content, and shows the lines that differ; or writes it if the variable is set.
#[track_caller]
pub(crate) fn must_be(file: &Path, text: &str, update: Update) {
    if env::var_os(update.variable).is_some() {
        fs::write(file, text).unwrap();
    }
    let stands = fs::read_to_string(file).unwrap_or_default();
    let Update { variable, tests, separator } = update;
    let told = told(&stands, text, separator);
    let file = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(file).display();
    assert!(
        stands == text,
        "{file} differs (-) from what is made now (+):\n{told}\n{variable}=1 cargo test --test it {tests}"
    );
}

/// The parts of lines that differ, with the parts around them.
fn told(stands: &str, text: &str, separator: &str) -> String {
    let parts = |text: &str| match separator {
        "\n" => text.to_owned(),
        _ => text.replace(separator, &format!("{separator}\n      ")),
    };
    TextDiff::from_lines(parts(stands), parts(text)).unified_diff().context_radius(3).to_string()
}

#[test]
fn a_difference_is_told_by_its_lines_and_their_parts() {
    let stands = "a.json: dedupe \"1\"\n  \"paid\"\n    event payment; at noon; booked 1 EUR\n\nb.json\n";
    let changed = stands.replace("1 EUR", "2 EUR");
    let by_line = told(stands, &changed, "\n");
    assert!(by_line.contains("\n-    event payment; at noon; booked 1 EUR\n+    event payment"), "{by_line}");
    assert!(!by_line.contains("-a.json") && by_line.contains("   \"paid\""), "{by_line}");
    let by_part = told(stands, &changed, "; ");
    assert!(by_part.contains("at noon; \n-      booked 1 EUR\n+      booked 2 EUR\n"), "{by_part}");
}
