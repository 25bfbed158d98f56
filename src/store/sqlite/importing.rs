//! The `Store`'s method for an import: many lines as one piece of work, each in a savepoint of its own.

use rusqlite::Connection;

use super::records;
use super::register::{self, Done};
use super::store::Store;
use super::writer::unavailable;
use crate::domain::due::Moment;
use crate::domain::registration::Refusal;
use crate::store::{Became, Finding, RegistrationReceipt, StoreError, StoreOptions, ToImport};

impl Store {
    /// Imports these lines, one after the other; a refused line changes nothing and stops no other. A new record without a target
    /// of its own is refused if it `needs_target`. A dry run changes nothing: the lines are taken and undone together.
    ///
    /// # Errors
    /// The store cannot take them now; nothing was written.
    pub async fn import(
        &self,
        lines: Vec<ToImport>,
        needs_target: bool,
        dry_run: bool,
        now: Moment,
    ) -> Result<Vec<Became>, StoreError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let work = move |connection: &Connection| {
            let by = Import { connection, options: &options, needs_target, now };
            let done = if dry_run { by.tried(&lines) } else { by.all(&lines) };
            done.map_err(unavailable)
        };
        let after = move |all: &Vec<Imported>| {
            for RegistrationReceipt { owed, led_elsewhere, findings, .. } in
                all.iter().filter_map(|one| one.receipt.as_ref())
            {
                wake.each(owed);
                if let Some(led) = led_elsewhere {
                    led.log();
                }
                findings.iter().for_each(Finding::log);
            }
        };
        let all = self.writer.write(work, after).await.inspect_err(|error| self.met(error))?;
        Ok(all.into_iter().map(|one| one.became).collect())
    }
}

/// A line that was dealt with.
struct Imported {
    became: Became,
    /// What is reported once it is on disk.
    receipt: Option<RegistrationReceipt>,
}

struct Import<'a> {
    connection: &'a Connection,
    options: &'a StoreOptions,
    needs_target: bool,
    now: Moment,
}

impl Import<'_> {
    fn all(&self, lines: &[ToImport]) -> rusqlite::Result<Vec<Imported>> {
        lines.iter().map(|line| self.one(line)).collect()
    }

    /// Imports the lines and takes all back.
    fn tried(&self, lines: &[ToImport]) -> rusqlite::Result<Vec<Imported>> {
        self.run("SAVEPOINT try")?;
        let all = self.all(lines)?;
        self.run("ROLLBACK TO try")?;
        self.run("RELEASE try")?;
        Ok(all.into_iter().map(|one| Imported { receipt: None, ..one }).collect())
    }

    fn one(&self, line: &ToImport) -> rusqlite::Result<Imported> {
        if self.needs_target
            && line.said.webhook_target.is_none()
            && records::by_key(self.connection, &line.key)?.is_none()
        {
            let reason = "is required: no transform.webhook_target is configured";
            return Ok(refused(Refusal::invalid("webhookTarget", reason)));
        }
        self.run("SAVEPOINT line")?;
        let done = register::import(self.connection, self.options, line, self.now)?;
        if done.is_err() {
            self.run("ROLLBACK TO line")?;
        }
        self.run("RELEASE line")?;
        Ok(match done {
            Ok(Done { receipt, changed }) => {
                let became = match (receipt.created, changed) {
                    (true, _) => Became::New,
                    (false, true) => Became::Changed,
                    (false, false) => Became::Unchanged,
                };
                Imported { became, receipt: Some(receipt) }
            }
            Err(refusal) => refused(refusal),
        })
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(drop)
    }
}

const fn refused(refusal: Refusal) -> Imported {
    Imported { became: Became::Refused(refusal), receipt: None }
}
