//! The narrator of the demo: prints one timed line for each happening, in colour where the terminal can show it.

use crate::proof::tell::tell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use tokio::time::Instant;

use super::relay::Count;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const PSP: Style = AnsiColor::Cyan.on_default();
const RELAY: Style = AnsiColor::Yellow.on_default();
const TRANSFORM: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints lines with the time since the beginning of the demo.
#[derive(Debug, Clone)]
pub(super) struct Narrator(Arc<Instant>);

impl Narrator {
    pub(super) fn begin() -> Self {
        Self(Arc::new(Instant::now()))
    }

    fn line(&self, who: &str, style: Style, text: &str) {
        let since: Duration = self.0.elapsed();
        tell(format_args!("{DIM}{:>7.3}s{DIM:#}  {style}{who:<10}{style:#} {text}", since.as_secs_f64()));
    }

    pub(super) fn opening(&self, relay: SocketAddr, transform: SocketAddr) {
        tell(format_args!("{BOLD}transform-relay demo{BOLD:#}: loopback only, a temporary store, nothing is kept"));
        self.line("relay", RELAY, &format!("listening on {relay}; tells Transform at {transform}"));
    }

    pub(super) fn chapter(&self, title: &str) {
        tell(format_args!("\n{BOLD}{title}{BOLD:#}"));
    }

    pub(super) fn registered(&self, kind: &str, id: &str, terms: &str) {
        self.line("stack", DIM, &format!("registers {kind} {id}{terms}"));
    }

    pub(super) fn notification(&self, psp: &str, event_type: &str, answer: &str) {
        let style = if answer.starts_with('4') { BAD } else { PSP };
        self.line(psp, PSP, &format!("{event_type:<42} {style}→ {answer}{style:#}"));
    }

    pub(super) fn burst(&self, psp: &str, sent: usize, outcomes: &BTreeMap<String, usize>) {
        let parts: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        self.line(psp, PSP, &format!("{sent} notifications in a row, shuffled and repeated → {}", parts.join(", ")));
    }

    pub(super) fn webhook(&self, body: &str, answer: u16) {
        let style = if answer < 300 { TRANSFORM } else { BAD };
        self.line("Transform", TRANSFORM, &format!("is told {body} {style}→ {answer}{style:#}"));
    }

    pub(super) fn fetched(&self, path: &str, body: &Value) {
        let mut parts = Vec::new();
        for field in ["status", "authorizedAmount", "refundedAmount", "refundableAmount"] {
            if let Some(value) = body.get(field) {
                parts.push(format!("{field} {}", value.to_string().trim_matches('"')));
            }
        }
        for (list, name) in [("payments", "paid"), ("chargebacks", "charged back")] {
            let amounts = body[list].as_array().into_iter().flatten();
            parts.extend(amounts.map(|item| format!("{name} {} on {}", item["amount"], item["bookingDate"])));
        }
        self.line("Transform", TRANSFORM, &format!("reads {path}: {}", parts.join(", ").replace('"', "")));
    }

    pub(super) fn closing(
        &self,
        count: &Count,
        webhooks: usize,
        held: &BTreeMap<(u8, String), Value>,
        disagreements: &[String],
    ) {
        tell(format_args!("\n{BOLD}At the end{BOLD:#}"));
        let rows = [
            ("notifications in", count.notifications.to_string()),
            ("  of them refused (forged)", count.refused.to_string()),
            ("webhooks out", webhooks.to_string()),
            ("records that Transform holds", held.len().to_string()),
            ("all in agreement with the PSPs?", if disagreements.is_empty() { "yes" } else { "NO" }.to_owned()),
        ];
        for (name, value) in rows {
            tell(format_args!("  {name:<34} {BOLD}{value:>6}{BOLD:#}"));
        }
        for difference in disagreements {
            tell(format_args!("  {BAD}{difference}{BAD:#}"));
        }
    }
}
