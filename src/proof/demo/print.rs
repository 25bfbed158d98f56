//! The narrator of the demo: prints one timed line for each happening, in colour where the terminal can show it, and at most
//! 80 columns wide.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use tokio::time::Instant;

use super::outcome::Outcome;
use super::words::{COLUMNS, record, wrapped};
use crate::proof::folder::word;
use crate::proof::stand_in::{Key, TRANSFORM_TOKEN};
use crate::proof::tell::{tell, told};

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const PSP: Style = AnsiColor::Cyan.on_default();
const RELAY: Style = AnsiColor::Yellow.on_default();
const TRANSFORM: Style = AnsiColor::Green.on_default();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The columns before the text of a timed line.
const BEFORE: usize = 17;

/// Prints lines with the time since the beginning of the demo.
#[derive(Debug, Clone)]
pub(super) struct Narrator {
    began: Instant,
    /// Whether a webhook was shown as it is.
    shown: Arc<AtomicBool>,
}

impl Narrator {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), shown: Arc::default() }
    }

    /// A timed line, and further ones for what does not fit in it.
    fn line(&self, who: &str, style: Style, text: &str) {
        let lines = wrapped(text, COLUMNS - BEFORE);
        let since = self.began.elapsed().as_secs_f64();
        let first = lines.first().map(String::as_str).unwrap_or_default();
        tell(format_args!("{DIM}{since:>5.2}s{DIM:#} {style}{who:<9}{style:#} {first}"));
        for line in lines.iter().skip(1) {
            tell(format_args!("{:BEFORE$}{line}", ""));
        }
    }

    pub(super) fn opening(&self, relay: SocketAddr, transform: SocketAddr) {
        tell(format_args!("{BOLD}transform-relay demo{BOLD:#}: a relay, two PSPs and Transform on this machine"));
        self.line("relay", RELAY, &format!("listens on {relay}, tells Transform at {transform}"));
    }

    pub(super) fn chapter(&self, title: &str) {
        tell("");
        paragraph("", BOLD, title);
    }

    pub(super) fn registered(&self, kind: &str, id: &str, terms: &str) {
        self.line("stack", DIM, &format!("registers {kind} {id}{terms}"));
    }

    pub(super) fn notification(&self, psp: &str, event_type: &str, answer: &str) {
        let style = if answer.starts_with('4') { BAD } else { PSP };
        self.line(psp, style, &format!("{event_type} → {answer}"));
    }

    pub(super) fn burst(&self, psp: &str, sent: usize, outcomes: &BTreeMap<String, usize>) {
        let parts: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        self.line(psp, PSP, &format!("{sent} notifications in a row → {}", parts.join(", ")));
    }

    pub(super) fn webhook(&self, (code, id): &Key, body: &str, answer: u16) {
        let kind = ["preauth", "payment", "refund", "agreement"].get(usize::from(*code).saturating_sub(1));
        let style = if answer < 300 { TRANSFORM } else { BAD };
        let kind = kind.copied().unwrap_or_default();
        self.line("Transform", style, &format!("is told of {kind} {id} → {answer}"));
        if !self.shown.swap(true, Ordering::Relaxed) {
            tell(format_args!("{:BEFORE$}{DIM}{body}{DIM:#}", ""));
        }
    }

    pub(super) fn read(&self, path: &str, body: &Value) {
        self.line("Transform", TRANSFORM, &format!("reads {path}"));
        for line in wrapped(&record(body), COLUMNS - BEFORE) {
            tell(format_args!("{:BEFORE$}{line}", ""));
        }
    }

    /// The punch line, and what disagrees.
    pub(super) fn closing(&self, outcome: &Outcome) {
        tell("");
        let style = if outcome.is_good() { GOOD } else { BAD };
        paragraph("", style, &outcome.counts());
        paragraph("", style, &outcome.agreement());
        for wrong in &outcome.wrong {
            paragraph("  ", BAD, wrong);
        }
    }

    /// What to do next.
    ///
    /// # Errors
    /// Stdout does not take it.
    pub(super) fn next(&self) -> std::io::Result<()> {
        tell(format_args!("\n{BOLD}Next{BOLD:#}"));
        tell("  Write a relay.toml, as \"Stripe in five minutes\" in README.md shows.");
        told("  config.example.toml explains every key; docs/psp/ how to set up each PSP.")
    }

    /// What was kept, and what to do with it. `told` is a payment's id, and `relay` the address in the kept configuration.
    pub(super) fn kept(&self, folder: &Path, relay: SocketAddr, told: &str) {
        let [config, store] = ["relay.toml", "relay.db"].map(|file| word(&folder.join(file)));
        tell(format_args!("\n{BOLD}Kept{BOLD:#} in {}", folder.display()));
        tell("  relay.toml, relay.db and relay.log. Look at them with");
        tell(format_args!("transform-relay serve --config {config}"));
        tell(format_args!("curl -H 'Authorization: Bearer {TRANSFORM_TOKEN}' \\\n  http://{relay}/api/Payment/{told}"));
        tell(format_args!("sqlite3 {store} \\\n  'SELECT source, outcome, repeats FROM notifications'"));
    }
}

/// A text in as many lines as it needs.
fn paragraph(indent: &str, style: Style, text: &str) {
    for line in wrapped(text, COLUMNS - indent.len()) {
        tell(format_args!("{indent}{style}{line}{style:#}"));
    }
}
