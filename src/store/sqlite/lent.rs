//! Empty stores in memory, which are lent to the histories of tests.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use rusqlite::Connection;

use super::migrations;

thread_local! {
    /// Empty stores. The steps of the schema take longer than a short history.
    static EMPTY: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

/// An empty store that is lent to one history. Nothing of the history is committed, so that the store is empty again at its end.
pub(super) struct Lent(Option<Connection>);

impl Lent {
    pub(super) fn new() -> Self {
        let connection = EMPTY.with_borrow_mut(Vec::pop).unwrap_or_else(empty);
        connection.execute_batch("BEGIN").unwrap();
        Self(Some(connection))
    }
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && connection.execute_batch("ROLLBACK").is_ok()
        {
            EMPTY.with_borrow_mut(|empty| empty.push(connection));
        }
    }
}

fn empty() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations::migrate(&mut connection).unwrap();
    // The work of one history has more kinds of statements than the usual number.
    connection.set_prepared_statement_cache_capacity(200);
    connection
}
