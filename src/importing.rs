//! Import of records that existed before the relay, the use case beside [`crate::registering`]: lines → records → report. Transform
//! knows what is imported, so it is told of nothing else than before.

pub mod line;
pub mod lines;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::line::{Refused, as_named, has_last_updated, read};
use self::lines::{Line, Text};
use crate::domain::due::Moment;
use crate::registering::{Allowed, Registering};
use crate::store::{Became, Store, StoreError, ToImport};

/// What came of the lines of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many records are new.
    pub new: u64,
    /// How many records were known and say something else now.
    pub changed: u64,
    /// How many records say all that already.
    pub unchanged: u64,
    /// How many lines are refused. They have changed nothing.
    pub refused: u64,
    /// The first thousand of these.
    pub refusals: Vec<RefusedLine>,
}

/// A line that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedLine {
    /// The number of the line, from 1.
    pub line: u64,
    /// The field that is wrong; absent if the line as a whole is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The fault.
    pub reason: String,
}

/// The longest name of a field that may stand in the log, in bytes.
const FIELD_MAX: usize = 48;
/// The most refusals that a report names.
const NAMED_MAX: usize = 1000;

/// An import, or a trial of one.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// Where to.
    pub store: &'a Store,
    /// Knows the records that wait for a host of Transform; none where no relay runs.
    pub registering: Option<&'a Registering>,
    /// The sources and targets that a line may name.
    pub allowed: Allowed<'a>,
    /// Whether nothing is changed.
    pub dry_run: bool,
}

impl Import<'_> {
    /// Imports lines as one piece of work. It is on disk when this returns, unless it is a dry run.
    ///
    /// # Errors
    /// The store cannot take them now; nothing was written.
    pub async fn take(&self, lines: Vec<Line>, now: Moment) -> Result<Report, StoreError> {
        let mut report = Report { dry_run: self.dry_run, ..Report::default() };
        let (mut numbers, mut wanted) = (Vec::new(), Vec::new());
        for Line { number, text } in lines {
            let has_last_updated = has_last_updated(&text);
            match self.understood(&text) {
                Ok(line) => {
                    numbers.push((number, has_last_updated));
                    wanted.push(line);
                }
                Err(refused) => report.refuse(number, as_named(refused, has_last_updated)),
            }
        }
        let with_target = wanted.iter().filter(|line| line.said.webhook_target.is_some());
        let retargeted: Vec<_> = with_target.map(|line| line.key.clone()).collect();
        let became = self.store.import(wanted, !self.allowed.has_webhook_target, self.dry_run, now).await?;
        for ((number, has_last_updated), became) in numbers.into_iter().zip(became) {
            report.count((number, has_last_updated), became);
        }
        if let Some(registering) = self.registering.filter(|_| !self.dry_run) {
            retargeted.iter().for_each(|key| registering.retargeted(key));
        }
        report.refusals.sort_by_key(|refused| refused.line);
        Ok(report)
    }

    fn understood(&self, text: &Text) -> Result<ToImport, Refused> {
        let line = read(text, |id| self.allowed.source_of(id))?;
        self.allowed.check(&line.said)?;
        Ok(line)
    }
}

impl Report {
    fn refuse(&mut self, line: u64, Refused { field, reason }: Refused) {
        self.refused = self.refused.saturating_add(1);
        if self.refusals.len() < NAMED_MAX {
            self.refusals.push(RefusedLine { line, field, reason });
        }
    }

    /// Whether there was no line at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { new, changed, unchanged, refused, .. } = self;
        *new == 0 && *changed == 0 && *unchanged == 0 && *refused == 0
    }

    fn count(&mut self, (line, has_last_updated): (u64, bool), became: Became) {
        let count = match became {
            Became::New => &mut self.new,
            Became::Changed => &mut self.changed,
            Became::Unchanged => &mut self.unchanged,
            Became::Refused(refusal) => return self.refuse(line, as_named(refusal.into(), has_last_updated)),
        };
        *count = count.saturating_add(1);
    }

    /// Adds the report on further lines.
    pub fn add(&mut self, further: Self) {
        let Self { new, changed, unchanged, refused, refusals, .. } = further;
        self.new = self.new.saturating_add(new);
        self.changed = self.changed.saturating_add(changed);
        self.unchanged = self.unchanged.saturating_add(unchanged);
        self.refused = self.refused.saturating_add(refused);
        let room = NAMED_MAX.saturating_sub(self.refusals.len());
        self.refusals.extend(refusals.into_iter().take(room));
    }
}

/// Logs what came of an import: one line for all that is taken, and one for all that is refused.
pub fn log(report: &Report) {
    let Report { dry_run, new, changed, unchanged, refused, ref refusals } = *report;
    if report.is_empty() {
        tracing::warn!("an import has no line: nothing is imported. Write one JSON object a line");
        return;
    }
    if dry_run {
        tracing::info!(new, changed, unchanged, refused, "an import was tried; nothing is changed");
        return;
    }
    if new.saturating_add(changed).saturating_add(unchanged) > 0 {
        tracing::info!(new, changed, unchanged, "records are imported; Transform is not told of them");
    }
    if let Some(RefusedLine { line, field, .. }) = refusals.first() {
        // The name of an unknown field may be anything, also the payer's data.
        let field = field.as_deref().map_or("none", |name| if may_be_told(name) { name } else { "not told" });
        tracing::warn!(
            refused,
            line,
            field,
            "lines of an import are refused; this is the first of them. The report has the reasons: import the lines again when they \
             are right"
        );
    }
}

/// Whether a name looks like that of a field, such as `payments[0].amount`.
fn may_be_told(name: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"_.[]".contains(&byte);
    name.len() <= FIELD_MAX && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_sign)
}
