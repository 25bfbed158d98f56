//! A table of the working set: rows that were loaded or written, the questions whose answers are here, and what has changed.
//!
//! A question whose answer is not here is answered by the rows that are, nearly always none, and is missed. Whoever makes the
//! decision then loads the answer. If it has a row that was not here, the decision was made on a wrong ground and is made again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::want::{Decided, Want};

/// A row of a table.
pub(in crate::store) trait Row: Clone + Debug {
    /// The row's own name in its table.
    type Id: Ord + Hash + Clone + Debug;
    /// A question that a table can answer: it leads to rows.
    type Key: Ord + Hash + Clone + Debug;

    /// The row's own name.
    fn id(&self) -> Self::Id;

    /// The questions that lead to this row.
    fn keys(&self) -> Vec<Self::Key>;

    /// Whether the same questions lead to this row and to another one of its name.
    fn has_keys_of(&self, other: &Self) -> bool {
        self.keys() == other.keys()
    }

    /// What has to be loaded to answer a question.
    fn want(key: &Self::Key) -> Want;
}

/// The change of a row since it was loaded.
#[derive(Debug)]
pub(in crate::store) enum Change<R: Row> {
    /// The row is new.
    Insert(Arc<R>),
    /// The row was there before, and says something else.
    Update(Arc<R>),
    /// The row is gone.
    Delete(R::Id),
}

/// The state of a row in memory.
#[derive(Debug)]
struct State<R> {
    /// The row as it is now; none if it is deleted.
    now: Option<Arc<R>>,
    /// Whether the engine has it.
    stored: bool,
    /// Whether the engine has it otherwise.
    changed: bool,
}

impl<R> Clone for State<R> {
    fn clone(&self) -> Self {
        Self { now: self.now.clone(), stored: self.stored, changed: self.changed }
    }
}

/// The place of a row in memory.
#[derive(Debug)]
struct Slot<R: Row> {
    id: R::Id,
    /// None while the row is not here: what wrote it was undone.
    state: Option<State<R>>,
}

/// What is known of a question.
#[derive(Debug, Default)]
struct Answer {
    /// Whether all rows to which it leads are here.
    known: bool,
    /// The slots of the rows that are here.
    slots: Vec<usize>,
}

#[derive(Debug)]
struct Inner<R: Row> {
    slots: Vec<Slot<R>>,
    by_id: HashMap<R::Id, usize, RandomState>,
    answers: HashMap<R::Key, Answer, RandomState>,
    /// The number of questions that are known.
    known: usize,
    /// The questions that were asked and are not known.
    missed: Vec<R::Key>,
    /// Whether rows were taken in that a decision may have missed.
    grown: bool,
    /// The rows as they were before they were written, the latest last.
    undo: Vec<(usize, Option<State<R>>)>,
    /// The slots that may have changed.
    touched: Vec<usize>,
    /// Whether all rows that there are stand here.
    complete: bool,
}

/// A table of the working set. It is changed through shared references, as a connection is.
#[derive(Debug)]
pub(in crate::store) struct Table<R: Row>(RefCell<Inner<R>>);

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self(RefCell::new(Inner {
            slots: Vec::new(),
            by_id: HashMap::default(),
            answers: HashMap::default(),
            known: 0,
            missed: Vec::new(),
            grown: false,
            undo: Vec::new(),
            touched: Vec::new(),
            complete: false,
        }))
    }
}

impl<R: Row> Inner<R> {
    /// The slot of a row with this name.
    fn slot_of(&mut self, id: R::Id) -> usize {
        if let Some(slot) = self.by_id.get(&id) {
            return *slot;
        }
        let slot = self.slots.len();
        self.by_id.insert(id.clone(), slot);
        self.slots.push(Slot { id, state: None });
        slot
    }

    fn state(&self, slot: usize) -> Option<&State<R>> {
        self.slots.get(slot)?.state.as_ref()
    }

    fn row(&self, slot: usize) -> Option<&Arc<R>> {
        self.state(slot)?.now.as_ref()
    }

    fn unlink(&mut self, slot: usize, row: &R) {
        for key in row.keys() {
            if let Some(answer) = self.answers.get_mut(&key) {
                answer.slots.retain(|other| *other != slot);
            }
        }
    }

    fn link(&mut self, slot: usize, row: &R) {
        for key in row.keys() {
            self.answers.entry(key).or_default().slots.push(slot);
        }
    }

    /// Sets the state of a slot without a trace. Returns the state before.
    fn set(&mut self, slot: usize, state: Option<State<R>>) -> Option<State<R>> {
        let now = state.as_ref().and_then(|state| state.now.clone());
        let before = self.slots.get_mut(slot).and_then(|slot| std::mem::replace(&mut slot.state, state));
        let was = before.as_ref().and_then(|before| before.now.as_deref());
        match (was, now.as_deref()) {
            (Some(was), Some(now)) if now.has_keys_of(was) => {}
            (was, now) => {
                was.into_iter().for_each(|was| self.unlink(slot, was));
                now.into_iter().for_each(|now| self.link(slot, now));
            }
        }
        before
    }

    fn write(&mut self, id: R::Id, now: Option<Arc<R>>) {
        let slot = self.slot_of(id);
        let stored = self.state(slot).is_some_and(|state| state.stored);
        let before = self.set(slot, Some(State { now, stored, changed: true }));
        self.undo.push((slot, before));
        self.touched.push(slot);
    }

    fn know(&mut self, key: R::Key) {
        let answer = self.answers.entry(key).or_default();
        self.known += usize::from(!answer.known);
        answer.known = true;
    }

    /// The slots to which a question leads, in the order of their names. It is missed if it is not known.
    fn ask(&mut self, key: &R::Key) -> Vec<usize> {
        let answer = self.answers.get(key);
        if !self.complete && !answer.is_some_and(|answer| answer.known) {
            self.missed.push(key.clone());
        }
        self.in_order(answer.map(|answer| answer.slots.clone()).unwrap_or_default())
    }

    /// These slots in the order of their names.
    fn in_order(&self, mut slots: Vec<usize>) -> Vec<usize> {
        if slots.len() > 1 {
            let id = |slot: &usize| self.slots.get(*slot).map(|slot| &slot.id);
            slots.sort_by(|one, other| id(one).cmp(&id(other)));
        }
        slots
    }
}

impl<R: Row> Table<R> {
    /// The rows to which a question leads, in the order of their names. It is missed if it is not known.
    ///
    /// # Errors
    /// None; the type is that of the steps of a decision.
    pub(in crate::store) fn rows(&self, key: &R::Key) -> Decided<Vec<Arc<R>>> {
        let mut inner = self.0.borrow_mut();
        let slots = inner.ask(key);
        Ok(slots.into_iter().filter_map(|slot| inner.row(slot).cloned()).collect())
    }

    /// The first row to which a question leads, as [`Self::rows`] does.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub(in crate::store) fn first(&self, key: &R::Key) -> Decided<Option<Arc<R>>> {
        let mut inner = self.0.borrow_mut();
        let slots = inner.ask(key);
        Ok(slots.first().and_then(|slot| inner.row(*slot).cloned()))
    }

    /// Whether a question leads to any row, as [`Self::rows`] does.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub(in crate::store) fn is_any(&self, key: &R::Key) -> Decided<bool> {
        Ok(self.first(key)?.is_some())
    }

    /// The rows of this key that are here, whether or not all of them are.
    pub(in crate::store) fn here(&self, key: &R::Key) -> Vec<Arc<R>> {
        let inner = self.0.borrow();
        let slots = inner.answers.get(key).map(|answer| answer.slots.clone()).unwrap_or_default();
        inner.in_order(slots).into_iter().filter_map(|slot| inner.row(slot).cloned()).collect()
    }

    /// The rows that were written and are not on disk.
    pub(in crate::store) fn written(&self) -> Vec<Arc<R>> {
        let inner = self.0.borrow();
        let mut slots = inner.touched.clone();
        slots.sort_unstable();
        slots.dedup();
        inner.in_order(slots).into_iter().filter_map(|slot| inner.row(slot).cloned()).collect()
    }

    /// Writes a row, in the place of the row with its name.
    pub(in crate::store) fn put(&self, row: R) {
        let id = row.id();
        self.0.borrow_mut().write(id, Some(Arc::new(row)));
    }

    /// Deletes a row.
    pub(in crate::store) fn delete(&self, id: &R::Id) {
        self.0.borrow_mut().write(id.clone(), None);
    }

    /// Takes in the rows to which a question leads, as the engine has them. What was written meanwhile stands. If a decision has
    /// written a row that it did not know, the question stays open until that is undone.
    pub(in crate::store) fn absorb(&self, key: R::Key, rows: impl IntoIterator<Item = R>) {
        let mut inner = self.0.borrow_mut();
        let mut is_known = true;
        for row in rows {
            let slot = inner.slot_of(row.id());
            match inner.state(slot) {
                Some(state) if state.stored => {}
                Some(_) => (inner.grown, is_known) = (true, false),
                None => {
                    inner.set(slot, Some(State { now: Some(Arc::new(row)), stored: true, changed: false }));
                    inner.grown = true;
                }
            }
        }
        if is_known {
            inner.know(key);
        }
    }

    /// The questions that were missed since the last call.
    pub(super) fn missed(&self) -> Vec<Want> {
        let mut missed = std::mem::take(&mut self.0.borrow_mut().missed);
        missed.sort_unstable();
        missed.dedup();
        missed.iter().map(R::want).collect()
    }

    /// Whether rows were taken in since the last call.
    pub(super) fn has_grown(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().grown)
    }

    /// Whether the answer to a question is here.
    pub(in crate::store) fn knows(&self, key: &R::Key) -> bool {
        let inner = self.0.borrow();
        inner.complete || inner.answers.get(key).is_some_and(|answer| answer.known)
    }

    /// Lets the answer to a question be known: the engine has no row of it but those that are here.
    pub(in crate::store) fn know(&self, key: R::Key) {
        self.0.borrow_mut().know(key);
    }

    /// Lets all rows that there are stand here: there is no engine.
    #[cfg(test)]
    pub(super) fn complete(&self) {
        self.0.borrow_mut().complete = true;
    }

    /// The state to which [`Self::roll_back`] leads.
    pub(super) fn mark(&self) -> usize {
        self.0.borrow().undo.len()
    }

    /// Undoes what was written after a mark. What was loaded stays.
    pub(super) fn roll_back(&self, mark: usize) {
        let mut inner = self.0.borrow_mut();
        while inner.undo.len() > mark {
            let Some((slot, before)) = inner.undo.pop() else { return };
            // A row may have been loaded after it was written; then it is loaded again.
            inner.set(slot, before);
        }
    }

    /// What has changed since the last call, in the order of the names: the engine writes it.
    pub(in crate::store) fn changes(&self) -> Vec<Change<R>> {
        let mut inner = self.0.borrow_mut();
        inner.undo.clear();
        let touched = std::mem::take(&mut inner.touched);
        let mut changes = Vec::new();
        for slot in inner.in_order(touched) {
            let Some(Slot { id, state: Some(state) }) = inner.slots.get_mut(slot) else { continue };
            if !std::mem::take(&mut state.changed) {
                continue;
            }
            let change = match (&state.now, state.stored) {
                (Some(row), false) => Change::Insert(Arc::clone(row)),
                (Some(row), true) => Change::Update(Arc::clone(row)),
                (None, true) => Change::Delete(id.clone()),
                (None, false) => continue,
            };
            state.stored = state.now.is_some();
            changes.push(change);
        }
        changes
    }

    /// The number of rows, and of questions whose answers are known.
    pub(super) fn len(&self) -> usize {
        let inner = self.0.borrow();
        inner.slots.len() + inner.known
    }

    /// Forgets all rows. What has changed must be on disk, or is lost.
    pub(super) fn forget(&self) {
        let mut inner = self.0.borrow_mut();
        inner.undo.clear();
        inner.touched.clear();
        inner.missed.clear();
        if inner.answers.is_empty() && inner.slots.is_empty() {
            return;
        }
        inner.known = 0;
        inner.slots.clear();
        inner.by_id.clear();
        inner.answers.clear();
        // A table that was large once would take its time to be emptied again, each time.
        inner.slots.shrink_to(ROOM);
        inner.by_id.shrink_to(ROOM);
        inner.answers.shrink_to(ROOM);
    }
}

/// The rows for which a table keeps its room while it is empty.
const ROOM: usize = 2_048;
