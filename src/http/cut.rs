//! Cut connections: the reason why actix ended one, in our words. The reason names the setting, or what the client may do
//! instead. **Pure.**

use std::borrow::Cow;
use std::io::ErrorKind;

use actix_http::error::{DispatchError, ParseError};

use super::patience::NOT_READ;
use super::refused_head::RefusedHead;

/// The kind of the cut and its reason. None if the client is gone, which is no refusal.
pub(super) fn why(error: &DispatchError) -> Option<(&'static str, Cow<'static, str>)> {
    Some(match error {
        DispatchError::Io(error) if error.kind() != ErrorKind::TimedOut => return None,
        // The relay cut the connection off with a reason, or the machine did without one.
        DispatchError::Io(error) => {
            let own = error.get_ref().map(|reason| reason.to_string().into());
            ("answers that are not read", own.unwrap_or(NOT_READ.into()))
        }
        DispatchError::DisconnectTimeout => ("answers that are not read", NOT_READ.into()),
        DispatchError::Parse(error) => {
            let (kind, reason) = no_http(error);
            (kind, reason.into())
        }
        other => ("a connection that failed", failed(other).into()),
    })
}

const fn no_http(error: &ParseError) -> (&'static str, &'static str) {
    let (kind, reason) = RefusedHead::NoHttp.why();
    match error {
        ParseError::TooLarge => RefusedHead::Fields.why(),
        ParseError::Version => (
            kind,
            "the version of a request is neither HTTP/1.0 nor HTTP/1.1; a client of another version needs a proxy in front",
        ),
        ParseError::Uri(_) => (kind, "the target of a request is not valid"),
        _ => (kind, reason),
    }
}

/// The reason of an internal error: neither a client nor a setting is at fault.
const fn failed(error: &DispatchError) -> &'static str {
    match error {
        DispatchError::Service(_) | DispatchError::Body(_) => "no answer could be made; this is a mistake in the relay",
        DispatchError::HandlerDroppedPayload => "a body was not read to its end; this is a mistake in the relay",
        _ => "the HTTP library failed; this is a mistake in it",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    /// The machine has a limit of its own, which the relay sets to the same time. The log must not depend on the faster one.
    #[test]
    fn answers_that_are_not_read_are_told_in_one_text_whoever_sees_it_first() {
        let machine = Error::new(ErrorKind::TimedOut, "").kind().into();
        let own = Error::new(ErrorKind::TimedOut, NOT_READ);
        for error in [DispatchError::Io(machine), DispatchError::Io(own), DispatchError::DisconnectTimeout] {
            assert_eq!(why(&error), Some(("answers that are not read", NOT_READ.into())), "{error}");
        }
        assert_eq!(why(&DispatchError::Io(ErrorKind::ConnectionReset.into())), None);
    }

    #[test]
    fn no_text_is_actixs_own() {
        for error in [
            DispatchError::Parse(ParseError::Header),
            DispatchError::Parse(ParseError::Version),
            DispatchError::Parse(ParseError::TooLarge),
            DispatchError::InternalError,
            DispatchError::HandlerDroppedPayload,
        ] {
            let (_, reason) = why(&error).unwrap();
            assert!(!error.to_string().contains(&*reason) && !reason.contains(&error.to_string()), "{reason}");
        }
    }
}
