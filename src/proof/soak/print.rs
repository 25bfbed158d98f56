//! Output of the soak: an opening, lines on the progress, and a table with the verdict at the end.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::transform::Transform;
use super::world::{World, read};
use crate::proof::tell::{tell, told};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

pub(super) fn opening(world: &World, minutes: f64, failed_as: &str) {
    tell(format_args!("{BOLD}transform-relay soak{BOLD:#}: seed {}, {minutes} minutes, loopback only", world.seed));
    tell(format_args!(
        "{DIM}Transform reads failed transactions as: {failed_as}; working in {}{DIM:#}",
        world.folder.display()
    ));
}

pub(super) fn progress(world: &World, transform: &Transform) {
    let count = &world.count;
    tell(format_args!(
        "{DIM}{:>7.1} s{DIM:#}  {} lives; {} notifications sent, {} acknowledged ({} repeated); {} webhooks heard, {} told; \
         {} steps open; Transform {}",
        world.began.elapsed().as_secs_f64(),
        read(&count.lives),
        read(&count.sent),
        read(&count.acknowledged),
        read(&count.repeated),
        read(&count.webhooks),
        read(&count.told),
        count.open.load(Ordering::Relaxed),
        transform.mood().name()
    ));
}

/// The figures of the table beside the counts.
pub(super) struct Closing {
    pub(super) minutes: f64,
    pub(super) records: usize,
    pub(super) distinct: usize,
    pub(super) active: Duration,
    /// The strangers' costs, by name.
    pub(super) cost: Vec<(&'static str, String)>,
}

/// Says where the folder is that is kept.
///
/// # Errors
/// Stdout does not take it.
pub(super) fn kept(folder: &Path) -> std::io::Result<()> {
    told(format_args!("\nThe store, the configuration and the log are in {}", folder.display()))
}

/// Prints the table and the verdict. Returns whether all is well.
pub(super) fn closing(world: &World, closing: &Closing) -> bool {
    let count = &world.count;
    let rate = |number: u64| {
        let tenths = u128::from(number) * 10_000 / closing.active.as_millis().max(1);
        format!("{number} ({}.{} a second)", tenths / 10, tenths % 10)
    };
    let latency = world.latency();
    let took = |these: Option<(Duration, Duration)>| {
        these.map_or_else(|| "-".to_owned(), |(median, worst)| format!("{median:.3?} / {worst:.3?}"))
    };
    tell(format_args!("\n{BOLD}At the end{BOLD:#}"));
    row("seed", &world.seed.to_string());
    row(
        "minutes",
        &format!("{}, and {:.1} s until all was told", closing.minutes, {
            world.began.elapsed().saturating_sub(closing.active).as_secs_f64()
        }),
    );
    row("lives", &read(&count.lives).to_string());
    row("records", &closing.records.to_string());
    row("registrations", &read(&count.registrations).to_string());
    row("notifications sent", &rate(read(&count.sent)));
    row("  distinct", &closing.distinct.to_string());
    row("  acknowledged", &rate(read(&count.acknowledged)));
    row("  of them repeated", &read(&count.repeated).to_string());
    row("  unanswered, sent again", &read(&count.unanswered).to_string());
    row("  broken off", &read(&count.broken_off).to_string());
    row("  forged, refused", &read(&count.refused).to_string());
    row("webhooks heard", &rate(read(&count.webhooks)));
    row("  answered 2xx", &read(&count.told).to_string());
    row("records read", &read(&count.fetches).to_string());
    for (fault, times) in world.faults() {
        row(&format!("survived: {fault}"), &times.to_string());
    }
    for (what, cost) in &closing.cost {
        row(what, cost);
    }
    row("from change to told in calm", &format!("{} (median / worst)", took(latency.calm)));
    row("from change to told over all", &format!("{} (median / worst, of {})", took(latency.all), latency.longest));
    let (violations, first) = world.violations();
    if violations == 0 {
        tell(format_args!(
            "\n{GOOD}No violation: nothing acknowledged is lost, and Transform holds the truth.{GOOD:#}"
        ));
        return true;
    }
    tell(format_args!("\n{BAD}{violations} violations{BAD:#}"));
    for one in &first {
        tell(format_args!("  {BAD}{one}{BAD:#}"));
    }
    let hostile = if closing.cost.is_empty() { "" } else { " --hostile" };
    tell(format_args!(
        "\nTo see it again: {BOLD}transform-relay soak{hostile} --minutes {} --seed {}{BOLD:#}",
        closing.minutes, world.seed
    ));
    false
}

fn row(name: &str, value: &str) {
    tell(format_args!("  {name:<52} {BOLD}{value}{BOLD:#}"));
}
