//! The judgement of a PSP API's response: truth, permanent failure, or a retry and when.

use std::time::Duration;

use jiff::Timestamp;
use serde::de::IgnoredAny;

use super::api::Api;
use super::budget::ASKED_MAX;
use super::client::{NoResponse, RESPONSE_MAX, Response};
use crate::domain::due::later;
use crate::outbound::retry::{Next, RetryPolicy, retry_after};
use crate::store::Fetch;

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The object as it is now.
    Truth(Vec<u8>),
    /// Permanent failure: retrying the same object cannot succeed.
    Never(String),
    /// Temporary failure: time or the operator may help.
    Again(Failure),
}

/// The reason why a fetch failed this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// The quiet that the PSP asks for (Retry-After).
    pub(super) asked: Option<Duration>,
    /// Whether every object would fail: the API does not answer, or does not let us in.
    pub(super) down: bool,
    /// Whether the PSP does not know the object.
    pub(super) missing: bool,
}

/// Judges a response. A redirect is not followed. A redirect or a body that is not JSON may come from a proxy in
/// between, which may go away again. So both are tried again.
pub(super) fn judge(answered: Result<Response, NoResponse>, now: Timestamp) -> Verdict {
    let answer = match answered {
        Ok(answer) => answer,
        Err(NoResponse::TooLarge) => return Verdict::Never(format!("response larger than {RESPONSE_MAX} bytes")),
        Err(NoResponse::Unreachable(reason)) => return again(reason, None, true),
    };
    let asked = answer.retry_after.as_deref().and_then(|value| retry_after(value, now));
    let reason = format!("HTTP {}", answer.status);
    match answer.status {
        200..=299 => match serde_json::from_slice::<IgnoredAny>(&answer.body) {
            Ok(_) => Verdict::Truth(answer.body),
            Err(error) => again(format!("response is not JSON: {error}"), asked, false),
        },
        404 => Verdict::Again(Failure { reason, asked, down: false, missing: true }),
        401 | 408 | 425 | 429 | 500.. => again(reason, asked, true),
        300..=399 | 403 => again(reason, asked, false),
        _ => Verdict::Never(reason),
    }
}

const fn again(reason: String, asked: Option<Duration>, down: bool) -> Verdict {
    Verdict::Again(Failure { reason, asked, down, missing: false })
}

/// The first and the longest wait between two tries of one fetch. They may be short: the budget already limits how
/// often a PSP is asked, and the PSP's news should not stay unknown here for long.
const RETRY_FIRST: Duration = Duration::from_secs(1);
pub(super) const RETRY_MAX: Duration = Duration::from_secs(300);

/// The time to try a failed fetch again; `None` gives it up. While slots are scarce, an unknown object is given up at once:
/// a stranger may have made it up.
pub(super) fn next(failure: &Failure, fetch: &Fetch, api: &Api, now: Timestamp, random: f64) -> Option<Timestamp> {
    let policy = RetryPolicy { first: RETRY_FIRST, max: RETRY_MAX, give_up_after: api.give_up_after };
    if failure.missing {
        let since = now.duration_since(fetch.missing_since.unwrap_or(now));
        let patience = if fetch.scarce { Duration::ZERO } else { api.not_found_for };
        if Duration::try_from(since).unwrap_or_default() >= patience {
            return None;
        }
    }
    match policy.next(fetch.attempts, fetch.failing_since, now, None, random) {
        Next::At { at, .. } => Some(failure.asked.map_or(at, |asked| at.max(later(now, asked.min(ASKED_MAX))))),
        Next::GiveUp => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> Verdict {
        let retry_after = Some("7".to_owned());
        judge(Ok(Response { status, retry_after, body: body.into() }), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_passes_and_what_does_not() {
        assert_eq!(verdict(200, "{}"), Verdict::Truth(b"{}".to_vec()));
        for status in [400, 402, 405, 409, 410, 422, 451] {
            assert_eq!(verdict(status, "{}"), Verdict::Never(format!("HTTP {status}")), "{status}");
        }
        let failure = |verdict| match verdict {
            Verdict::Again(failure) => failure,
            other => panic!("{other:?}"),
        };
        for (status, down) in [(302, false), (401, true), (403, false), (404, false), (408, true), (425, true)] {
            let failure = failure(verdict(status, "{}"));
            assert_eq!((failure.down, failure.missing), (down, status == 404), "{status}");
            assert_eq!(failure.asked, Some(Duration::from_secs(7)), "{status}");
        }
        for status in [429, 500, 503, 599] {
            assert!(failure(verdict(status, "{}")).down, "{status}");
        }
        assert!(!failure(verdict(200, "<html>")).down);
        assert!(failure(judge(Err(NoResponse::Unreachable("?".into())), Timestamp::UNIX_EPOCH)).down);
        assert!(matches!(judge(Err(NoResponse::TooLarge), Timestamp::UNIX_EPOCH), Verdict::Never(_)));
    }
}
