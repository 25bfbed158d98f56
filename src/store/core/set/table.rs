//! A table of the working set: rows that were loaded or written, the questions whose answers are here, and what has changed.
//!
//! A question whose answer is not here is answered by the rows that are, nearly always none, and is missed. Whoever makes the
//! decision then loads the answer. If it has a row that was not here, the decision was made on a wrong ground and is made again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use super::want::{Decided, Want};

/// A row of a table.
pub(in crate::store) trait Row: Clone + Debug {
    /// The row's own name in its table.
    type Id: Ord + Clone + Debug;
    /// A question that a table can answer: it leads to rows.
    type Key: Ord + Clone + Debug;

    /// The row's own name.
    fn id(&self) -> Self::Id;

    /// The questions that lead to this row.
    fn keys(&self) -> Vec<Self::Key>;

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

/// A row in memory.
#[derive(Debug)]
struct Slot<R> {
    /// The row as it is now; none if it is deleted.
    now: Option<Arc<R>>,
    /// Whether the engine has it.
    stored: bool,
    /// Whether the engine has it otherwise.
    changed: bool,
}

impl<R> Clone for Slot<R> {
    fn clone(&self) -> Self {
        Self { now: self.now.clone(), stored: self.stored, changed: self.changed }
    }
}

#[derive(Debug)]
struct Inner<R: Row> {
    rows: BTreeMap<R::Id, Slot<R>>,
    by_key: BTreeMap<R::Key, BTreeSet<R::Id>>,
    known: BTreeSet<R::Key>,
    /// The questions that were asked and are not known.
    missed: BTreeSet<R::Key>,
    /// Whether rows were taken in that a decision may have missed.
    grown: bool,
    /// The rows as they were before they were written, the latest last.
    undo: Vec<(R::Id, Option<Slot<R>>)>,
    /// The rows that may have changed.
    touched: BTreeSet<R::Id>,
    /// Whether all rows that there are stand here.
    complete: bool,
}

/// A table of the working set. It is changed through shared references, as a connection is.
#[derive(Debug)]
pub(in crate::store) struct Table<R: Row>(RefCell<Inner<R>>);

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self(RefCell::new(Inner {
            rows: BTreeMap::new(),
            by_key: BTreeMap::new(),
            known: BTreeSet::new(),
            missed: BTreeSet::new(),
            grown: false,
            undo: Vec::new(),
            touched: BTreeSet::new(),
            complete: false,
        }))
    }
}

impl<R: Row> Inner<R> {
    fn unlink(&mut self, id: &R::Id) {
        let keys = self.rows.get(id).and_then(|slot| slot.now.as_ref()).map(|row| row.keys()).unwrap_or_default();
        for key in keys {
            if let Some(ids) = self.by_key.get_mut(&key) {
                ids.remove(id);
                if ids.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
    }

    fn link(&mut self, row: &R) {
        for key in row.keys() {
            self.by_key.entry(key).or_default().insert(row.id());
        }
    }

    /// Sets a slot, or removes it, without a trace.
    fn set(&mut self, id: R::Id, slot: Option<Slot<R>>) {
        self.unlink(&id);
        match slot {
            Some(slot) => {
                if let Some(row) = &slot.now {
                    self.link(&Arc::clone(row));
                }
                self.rows.insert(id, slot);
            }
            None => drop(self.rows.remove(&id)),
        }
    }

    fn write(&mut self, id: R::Id, now: Option<Arc<R>>) {
        let before = self.rows.get(&id).cloned();
        let stored = before.as_ref().is_some_and(|slot| slot.stored);
        self.undo.push((id.clone(), before));
        self.touched.insert(id.clone());
        self.set(id, Some(Slot { now, stored, changed: true }));
    }
}

impl<R: Row> Table<R> {
    /// The rows to which a question leads, in the order of their names. It is missed if it is not known.
    ///
    /// # Errors
    /// None; the type is that of the steps of a decision.
    pub(in crate::store) fn rows(&self, key: &R::Key) -> Decided<Vec<Arc<R>>> {
        let mut inner = self.0.borrow_mut();
        if !inner.complete && !inner.known.contains(key) {
            inner.missed.insert(key.clone());
        }
        let ids = inner.by_key.get(key).into_iter().flatten();
        Ok(ids.filter_map(|id| inner.rows.get(id)?.now.clone()).collect())
    }

    /// The first row to which a question leads, as [`Self::rows`] does.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub(in crate::store) fn first(&self, key: &R::Key) -> Decided<Option<Arc<R>>> {
        Ok(self.rows(key)?.into_iter().next())
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
        let ids = inner.by_key.get(key).into_iter().flatten();
        ids.filter_map(|id| inner.rows.get(id)?.now.clone()).collect()
    }

    /// The rows that were written and are not on disk.
    pub(in crate::store) fn written(&self) -> Vec<Arc<R>> {
        let inner = self.0.borrow();
        inner.touched.iter().filter_map(|id| inner.rows.get(id)?.now.clone()).collect()
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
            let id = row.id();
            match inner.rows.get(&id) {
                Some(slot) if slot.stored => {}
                Some(_) => (inner.grown, is_known) = (true, false),
                None => {
                    inner.set(id, Some(Slot { now: Some(Arc::new(row)), stored: true, changed: false }));
                    inner.grown = true;
                }
            }
        }
        if is_known {
            inner.known.insert(key);
        }
    }

    /// The questions that were missed since the last call.
    pub(super) fn missed(&self) -> Vec<Want> {
        std::mem::take(&mut self.0.borrow_mut().missed).iter().map(R::want).collect()
    }

    /// Whether rows were taken in since the last call.
    pub(super) fn has_grown(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().grown)
    }

    /// Whether the answer to a question is here.
    pub(in crate::store) fn knows(&self, key: &R::Key) -> bool {
        let inner = self.0.borrow();
        inner.complete || inner.known.contains(key)
    }

    /// Lets the answer to a question be known: the engine has no row of it but those that are here.
    pub(in crate::store) fn know(&self, key: R::Key) {
        self.0.borrow_mut().known.insert(key);
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
            let Some((id, before)) = inner.undo.pop() else { return };
            // A row may have been loaded after it was written; then it is loaded again.
            inner.set(id, before);
        }
    }

    /// What has changed since the last call: the engine writes it.
    pub(in crate::store) fn changes(&self) -> Vec<Change<R>> {
        let mut inner = self.0.borrow_mut();
        inner.undo.clear();
        let mut changes = Vec::new();
        for id in std::mem::take(&mut inner.touched) {
            let Some(slot) = inner.rows.get_mut(&id).filter(|slot| slot.changed) else { continue };
            slot.changed = false;
            let change = match (&slot.now, slot.stored) {
                (Some(row), false) => Change::Insert(Arc::clone(row)),
                (Some(row), true) => Change::Update(Arc::clone(row)),
                (None, true) => Change::Delete(id.clone()),
                (None, false) => continue,
            };
            slot.stored = slot.now.is_some();
            changes.push(change);
        }
        changes
    }

    /// The number of rows, and of questions whose answers are known.
    pub(super) fn len(&self) -> usize {
        let inner = self.0.borrow();
        inner.rows.len() + inner.known.len()
    }

    /// Forgets all rows. What has changed must be on disk, or is lost.
    pub(super) fn forget(&self) {
        let mut inner = self.0.borrow_mut();
        inner.rows.clear();
        inner.by_key.clear();
        inner.known.clear();
        inner.missed.clear();
        inner.undo.clear();
        inner.touched.clear();
    }
}
