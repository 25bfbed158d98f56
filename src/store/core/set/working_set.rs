//! The working set itself.

use std::cell::{Cell, RefCell};

use super::order::Order;
use super::rows::finding::FindingRow;
use super::rows::notification::{ContentsRow, NotificationRow};
use super::rows::outbox::OutboxRow;
use super::rows::parked::ParkedRow;
use super::rows::placed::PlacedRow;
use super::rows::record::RecordRow;
use super::rows::state::{AwaitsRow, HistoryRow, OldestRow, WaitingRow};
use super::rows::text::{FirstTimeRow, OwnerRow, ReachedRow};
use super::rows::way::Way;
use super::table::Table;
use super::want::{Decided, Halt, Want};

/// The numbers of the next rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct NextRows {
    /// Of notifications.
    pub(in crate::store) notification: i64,
    /// Of records.
    pub(in crate::store) record: i64,
    /// Of parked events.
    pub(in crate::store) parked: i64,
    /// Of placed events.
    pub(in crate::store) placed: i64,
    /// Of findings.
    pub(in crate::store) finding: i64,
    /// Of versions in the history.
    pub(in crate::store) transition: i64,
}

/// What stands beside the tables.
#[derive(Debug, Clone, Copy)]
struct State {
    next: NextRows,
    /// Whether any delivery may have been given up.
    is_any_given_up: bool,
}

/// The rows that a group of work may touch.
#[derive(Debug, Default)]
pub(in crate::store) struct WorkingSet {
    pub(in crate::store) records: Table<RecordRow>,
    pub(in crate::store) ways: Table<Way>,
    pub(in crate::store) outbox: Table<OutboxRow>,
    pub(in crate::store) notifications: Table<NotificationRow>,
    pub(in crate::store) contents: Table<ContentsRow>,
    pub(in crate::store) parked: Table<ParkedRow>,
    pub(in crate::store) waiting: Table<WaitingRow>,
    pub(in crate::store) oldest: Table<OldestRow>,
    pub(in crate::store) placed: Table<PlacedRow>,
    pub(in crate::store) reached: Table<ReachedRow>,
    pub(in crate::store) owners: Table<OwnerRow>,
    pub(in crate::store) first_times: Table<FirstTimeRow>,
    pub(in crate::store) findings: Table<FindingRow>,
    pub(in crate::store) histories: Table<HistoryRow>,
    pub(in crate::store) awaits: Table<AwaitsRow>,
    orders: RefCell<Vec<Order>>,
    state: Cell<Option<State>>,
}

/// The state of a working set, to which it can be rolled back.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Mark {
    tables: [usize; 15],
    orders: usize,
    state: Option<State>,
}

/// Does something with each table.
macro_rules! each_table {
    ($set:expr, $does:ident $(, $argument:expr)*) => {{
        let set = $set;
        set.records.$does($($argument),*);
        set.ways.$does($($argument),*);
        set.outbox.$does($($argument),*);
        set.notifications.$does($($argument),*);
        set.contents.$does($($argument),*);
        set.parked.$does($($argument),*);
        set.waiting.$does($($argument),*);
        set.oldest.$does($($argument),*);
        set.placed.$does($($argument),*);
        set.reached.$does($($argument),*);
        set.owners.$does($($argument),*);
        set.first_times.$does($($argument),*);
        set.findings.$does($($argument),*);
        set.histories.$does($($argument),*);
        set.awaits.$does($($argument),*);
    }};
}

impl WorkingSet {
    /// A set in which all rows stand that there are. No engine loads or writes anything.
    #[cfg(test)]
    pub(in crate::store) fn complete() -> Self {
        let set = Self::default();
        each_table!(&set, complete);
        let next = NextRows { notification: 1, record: 1, parked: 1, placed: 1, finding: 1, transition: 1 };
        set.begin(next, false);
        set
    }

    /// Takes in the numbers of the next rows, and whether any delivery was given up.
    pub(in crate::store) fn begin(&self, next: NextRows, is_any_given_up: bool) {
        self.state.set(Some(State { next, is_any_given_up }));
    }

    fn state(&self) -> Decided<State> {
        self.state.get().ok_or(Halt::Unknown(Want::State))
    }

    /// The number of a new row, which `of` chooses.
    pub(in crate::store) fn next_row(&self, of: impl FnOnce(&mut NextRows) -> &mut i64) -> Decided<i64> {
        let mut state = self.state()?;
        let next = of(&mut state.next);
        let row = *next;
        *next = row.saturating_add(1);
        self.state.set(Some(state));
        Ok(row)
    }

    /// Whether any delivery may have been given up: nearly always none was, and no record needs to be looked at.
    pub(in crate::store) fn is_any_given_up(&self) -> Decided<bool> {
        Ok(self.state()?.is_any_given_up)
    }

    /// Notes that a delivery is given up.
    pub(in crate::store) fn is_given_up(&self) -> Decided<()> {
        let state = self.state()?;
        self.state.set(Some(State { is_any_given_up: true, ..state }));
        Ok(())
    }

    /// Orders something of the engine.
    pub(in crate::store) fn order(&self, order: Order) {
        self.orders.borrow_mut().push(order);
    }

    /// The orders since the last call.
    pub(in crate::store) fn orders(&self) -> Vec<Order> {
        self.orders.take()
    }

    /// The present state.
    pub(in crate::store) fn mark(&self) -> Mark {
        Mark {
            tables: [
                self.records.mark(),
                self.ways.mark(),
                self.outbox.mark(),
                self.notifications.mark(),
                self.contents.mark(),
                self.parked.mark(),
                self.waiting.mark(),
                self.oldest.mark(),
                self.placed.mark(),
                self.reached.mark(),
                self.owners.mark(),
                self.first_times.mark(),
                self.findings.mark(),
                self.histories.mark(),
                self.awaits.mark(),
            ],
            orders: self.orders.borrow().len(),
            state: self.state.get(),
        }
    }

    /// Undoes what was written after a mark. What was loaded stays.
    pub(in crate::store) fn roll_back(&self, to: Mark) {
        let [
            records,
            ways,
            outbox,
            notifications,
            contents,
            parked,
            waiting,
            oldest,
            placed,
            reached,
            owners,
            first_times,
            findings,
            histories,
            awaits,
        ] = to.tables;
        self.records.roll_back(records);
        self.ways.roll_back(ways);
        self.outbox.roll_back(outbox);
        self.notifications.roll_back(notifications);
        self.contents.roll_back(contents);
        self.parked.roll_back(parked);
        self.waiting.roll_back(waiting);
        self.oldest.roll_back(oldest);
        self.placed.roll_back(placed);
        self.reached.roll_back(reached);
        self.owners.roll_back(owners);
        self.first_times.roll_back(first_times);
        self.findings.roll_back(findings);
        self.histories.roll_back(histories);
        self.awaits.roll_back(awaits);
        self.orders.borrow_mut().truncate(to.orders);
        if to.state.is_some() {
            self.state.set(to.state);
        }
    }

    /// What the decisions since the last call have asked for, and is not known.
    pub(in crate::store) fn missed(&self) -> Vec<Want> {
        let mut wants = Vec::new();
        macro_rules! missed {
            ($($table:ident)*) => { $(wants.extend(self.$table.missed());)* };
        }
        missed!(records ways outbox notifications contents parked waiting oldest placed reached owners first_times findings
            histories awaits);
        wants
    }

    /// Whether rows were taken in since the last call. Then a decision that has missed anything is made again.
    pub(in crate::store) fn has_grown(&self) -> bool {
        let mut has = false;
        macro_rules! grown {
            ($($table:ident)*) => { $(has |= self.$table.has_grown();)* };
        }
        grown!(records ways outbox notifications contents parked waiting oldest placed reached owners first_times findings
            histories awaits);
        has
    }

    /// Forgets all rows. What has changed must be on disk, or is lost.
    pub(in crate::store) fn forget(&self) {
        each_table!(self, forget);
        self.orders.take();
        self.state.set(None);
    }

    /// Forgets the rows that the next group will hardly ask for again, and all if there are more records, and what leads to them,
    /// than `most`.
    pub(in crate::store) fn rest(&self, most: usize) {
        if self.records.len() + self.ways.len() + self.outbox.len() > most {
            return self.forget();
        }
        self.notifications.forget();
        self.contents.forget();
        self.parked.forget();
        self.waiting.forget();
        self.oldest.forget();
        self.placed.forget();
        self.reached.forget();
        self.owners.forget();
        self.first_times.forget();
        self.findings.forget();
        self.histories.forget();
        self.awaits.forget();
    }
}
