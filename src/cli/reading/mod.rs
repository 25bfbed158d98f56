//! The reading of stored notifications once more, for `profile replay` and `reread`.

mod reader;
mod since;

pub(super) use self::reader::{Reader, changed};
pub(super) use self::since::since;
