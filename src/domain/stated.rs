//! What the payment stack states of a record at a time: a cancellation that no event will tell, or a decline in the answer of the
//! PSP's API. It is merged like an event: the newer news stands.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ids::Kind;
use super::stamp::{Stamp, Stamped};
use super::status::{ErrorCode, PspError, Status, StatusFact};

/// The failure that the PSP's API has answered the payment stack with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StatedError {
    /// The contract's code; unmapped if absent.
    pub error_code: Option<ErrorCode>,
    /// The PSP's words.
    pub error_message: Option<String>,
    /// The PSP's own code.
    pub psp_error_code: Option<String>,
}

impl From<StatedError> for PspError {
    fn from(said: StatedError) -> Self {
        Self { code: said.error_code, psp_code: said.psp_error_code, message: said.error_message }
    }
}

/// A state as the payment stack states it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) kind: Kind,
    pub(super) status: Option<Status>,
    pub(super) error: Option<&'a StatedError>,
    pub(super) at: Option<Timestamp>,
}

/// The fault of what is stated: its field, and the reason.
type Fault = (&'static str, String);

impl Said<'_> {
    /// Whether anything is stated: a status without a time is only the one that the stack has answered Transform with.
    pub(super) const fn is_stated(&self) -> bool {
        self.error.is_some() || self.at.is_some()
    }

    /// The fact that is stated beside an older one. Without a time it is of `now`, unless the older one says the same.
    ///
    /// # Errors
    /// A time without a state, or a failure in a state that is none.
    pub(super) fn fact(
        &self,
        older: Option<&Stamped<StatusFact>>,
        now: Timestamp,
    ) -> Result<Stamped<StatusFact>, Fault> {
        let failed = if self.kind == Kind::Agreement { Status::Inactive } else { Status::Failed };
        let status = self
            .status
            .or(self.error.map(|_| failed))
            .ok_or_else(|| ("statusAt", "needs a status or an error".to_owned()))?;
        if self.error.is_some() && !status.is_over() {
            let reason = format!("does not go with status {}, which has not ended: leave one out", status.name());
            return Err(("error", reason));
        }
        let error = self.error.cloned().map(PspError::from);
        let same = older.filter(|older| older.value.status == status && older.value.error == error);
        let at = self.at.or(same.map(|same| same.stamp.at)).unwrap_or(now);
        let stamp = Stamp { at, rank: status.rank(self.kind), tie: String::new() };
        Ok(Stamped { stamp, value: StatusFact { status, error, since: at, stands: status.is_success() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn said(kind: Kind, status: Option<Status>, error: Option<&StatedError>, second: Option<i64>) -> Said<'_> {
        Said { kind, status, error, at: second.map(at) }
    }

    #[test]
    fn an_error_alone_is_a_failure_and_repeating_it_keeps_its_time() {
        let error = StatedError { psp_error_code: Some("51".to_owned()), ..StatedError::default() };
        for (kind, status) in [(Kind::Payment, Status::Failed), (Kind::Agreement, Status::Inactive)] {
            let said = said(kind, None, Some(&error), None);
            let first = said.fact(None, at(5)).unwrap();
            assert_eq!((first.value.status, first.stamp.at), (status, at(5)));
            assert_eq!(said.fact(Some(&first), at(9)), Ok(first));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_its_field() {
        let error = StatedError::default();
        let fault = |status, error, second| said(Kind::Payment, status, error, second).fact(None, at(5)).unwrap_err().0;
        assert_eq!(fault(None, None, Some(1)), "statusAt");
        assert_eq!(fault(Some(Status::Succeeded), Some(&error), None), "error");
    }
}
