//! Output of a bench: the machine, the table of figures, the counts, and warnings.

use std::io;

use anstyle::{AnsiColor, Style};

use super::figure::{Figure, Goal};
use super::report::Report;
use crate::proof::tell::{tell, told};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Says what is measured now.
pub(super) fn step(what: &str) {
    tell(format_args!("{DIM}… {what}{DIM:#}"));
}

/// Says where it is measured.
pub(super) fn opening(report: &Report) {
    let machine = &report.machine;
    tell(format_args!(
        "{BOLD}transform-relay bench{BOLD:#}: version {} ({} build), SQLite {}, rounds of {} s",
        machine.version, machine.profile, machine.sqlite, report.seconds
    ));
    tell(format_args!(
        "{} cores ({}), {}, stores on {}",
        machine.cores,
        machine.processor.as_deref().unwrap_or("unknown"),
        machine.kernel,
        machine.filesystem.as_deref().unwrap_or("an unknown filesystem")
    ));
    warnings(report);
}

fn warnings(report: &Report) {
    for warning in &report.warnings {
        tell(format_args!("{BAD}warning:{BAD:#} {warning}"));
    }
}

/// Prints the table and the verdict.
///
/// # Errors
/// Stdout does not take the end of it.
pub(super) fn closing(report: &Report) -> io::Result<()> {
    tell(format_args!("\n{BOLD}{:<64} {:>12} {:>23}  goal{BOLD:#}", "figure", "value", "spread"));
    report.figures.iter().for_each(row);
    tell("");
    warnings(report);
    let wrong = report.wrong();
    for count in &wrong {
        tell(format_args!("{BAD}{}: {} and {}{BAD:#}", count.what, count.here, count.there));
    }
    if wrong.is_empty() {
        told(format_args!("{GOOD}All {} counts agree.{GOOD:#}", report.counts.len()))
    } else {
        told(format_args!("{BAD}{} of {} counts do not agree.{BAD:#}", wrong.len(), report.counts.len()))
    }
}

fn row(figure: &Figure) {
    let value = figure.value.map_or_else(|| "unknown".to_owned(), |value| format!("{}{}", number(value), unit(figure)));
    let spread = match (figure.low, figure.high) {
        (Some(low), Some(high)) if figure.rounds > 1 => format!("{} – {}", number(low), number(high)),
        _ => String::new(),
    };
    let goal = match figure.goal {
        None => String::new(),
        Some(Goal::AtLeast(least)) => format!("≥ {}", number(least)),
        Some(Goal::AtMost(most)) => format!("≤ {}", number(most)),
    };
    let style = if figure.is_good() == Some(false) { BAD } else { Style::new() };
    tell(format_args!("{:<64} {style}{value:>12}{style:#} {DIM}{spread:>23}{DIM:#}  {goal}", figure.name));
}

fn unit(figure: &Figure) -> String {
    if figure.unit.is_empty() { String::new() } else { format!(" {}", figure.unit) }
}

/// A number with three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
