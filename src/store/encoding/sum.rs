//! Checksums of rows whose facts stand in columns of their own.

use crc32fast::Hasher;

/// The checksum of a row, column by column.
#[derive(Debug)]
pub(in crate::store) struct Sum(Hasher);

impl Sum {
    /// The checksum of a row of this table.
    pub(in crate::store) fn of(table: &str) -> Self {
        Self(Hasher::new()).text(table)
    }

    /// With a text.
    pub(in crate::store) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// With bytes. Their length counts, so that no byte can move to the next column unnoticed.
    pub(in crate::store) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// With a number.
    pub(in crate::store) fn number(mut self, number: i64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// With a text that may be missing.
    pub(in crate::store) fn maybe(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.number(1).text(text),
            None => self.number(0),
        }
    }

    /// The column `sum`.
    pub(in crate::store) fn end(self) -> i64 {
        i64::from(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_another_column_has_another_sum() {
        let sums = [
            Sum::of("ways").text("ab").text("c").end(),
            Sum::of("ways").text("a").text("bc").end(),
            Sum::of("ways").text("abc").text("").end(),
            Sum::of("texts").text("ab").text("c").end(),
            Sum::of("ways").number(1).end(),
            Sum::of("ways").maybe(None).end(),
            Sum::of("ways").maybe(Some("")).end(),
        ];
        let different: std::collections::BTreeSet<_> = sums.iter().collect();
        assert_eq!(different.len(), sums.len());
    }
}
