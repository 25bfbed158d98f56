//! Pages of rows of another store, read in many short read transactions. While a read transaction is open, the WAL cannot be
//! shortened.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

/// The limits of a page: its rows, and roughly its bytes. The last row may go beyond the bytes.
pub(super) const PAGE_ROWS: u32 = 500;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Reads rows in the order of their numbers, and calls `does` for each. The query has the number in its first column;
/// it asks for rows after `?1`, up to `?2` of them.
pub(super) fn each<T>(
    past: &Connection,
    query: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    mut does: impl FnMut(T) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut query = past.prepare(query)?;
    let mut after = i64::MIN;
    loop {
        let page = page(query.query(params![after, PAGE_ROWS])?, &mut after, &read)?;
        if page.is_empty() {
            return Ok(());
        }
        page.into_iter().try_for_each(&mut does)?;
    }
}

/// Reads one page. The read transaction ends with its rows.
fn page<T>(
    mut rows: rusqlite::Rows<'_>,
    after: &mut i64,
    read: &impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let (mut page, mut bytes) = (Vec::new(), 0_usize);
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        *after = row.get(0)?;
        bytes = bytes.saturating_add(length(row));
        page.push(read(row)?);
    }
    Ok(page)
}

/// The bytes of text and blobs in a row.
fn length(row: &Row<'_>) -> usize {
    let of = |value: ValueRef<'_>| match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        _ => 0,
    };
    (0..).map_while(|column| row.get_ref(column).ok()).map(of).sum()
}
