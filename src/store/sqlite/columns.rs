//! How values stand in columns.

use jiff::Timestamp;
use rusqlite::types::Type;

use crate::domain::ids::{Kind, RecordKey};

/// UTC microseconds.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn timestamp(column: usize, micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| unreadable(column, Type::Integer, error))
}

pub(super) fn version_column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

pub(super) fn key(kind: u8, transform_id: String) -> rusqlite::Result<RecordKey> {
    let kind = Kind::from_code(kind).ok_or_else(|| unreadable(0, Type::Integer, format!("no kind {kind}")))?;
    Ok(RecordKey::new(kind, transform_id.try_into().map_err(|error: String| unreadable(1, Type::Text, error))?))
}

/// A value that this program did not write.
pub(super) fn unreadable(
    column: usize,
    found: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, found, error.into())
}

/// The first 16 bytes of a SHA-256: enough to tell contents apart, half the index.
pub(super) fn digest(bytes: &[u8]) -> [u8; 16] {
    use sha2::Digest;
    let full: [u8; 32] = sha2::Sha256::digest(bytes).into();
    let mut cut = [0; 16];
    cut.copy_from_slice(&full[..16]);
    cut
}
