//! The paths by which Transform reads, told without a regular expression: /api/{kind}/{id} and /api/transactions/{id}.

use percent_encoding::percent_decode_str;

use crate::domain::ids::Kind;

/// The route of a path of Transform's, for the log.
const BY_KIND: &str = "/api/{kind}/{id}";
const BY_TYPE_CODE: &str = "/api/transactions/{id}";

/// What a path names. All steps but the id match in upper and lower case, and a slash may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiPath {
    /// The kind in the path. None if the query has the type code.
    pub(super) kind: Option<Kind>,
    /// The id in the path, whether or not it is one.
    pub(super) id: String,
}

impl ApiPath {
    /// Reads the path of a request, as it came.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut steps = path.strip_prefix('/')?.split('/');
        let (api, kind, id) = (steps.next()?, steps.next()?, steps.next()?);
        let ends = matches!((steps.next(), steps.next()), (None | Some(""), None));
        if id.is_empty() || !ends || !is(api, "api") {
            return None;
        }
        let of_kind = || Kind::ALL.into_iter().find(|known| is(kind, known.name()));
        let kind = if is(kind, "transactions") { None } else { Some(of_kind()?) };
        Some(Self { kind, id: percent_decode_str(id).decode_utf8_lossy().into_owned() })
    }

    /// The route of the path.
    pub(super) const fn route(&self) -> &'static str {
        if self.kind.is_some() { BY_KIND } else { BY_TYPE_CODE }
    }
}

/// Whether a step of a path is this word. Each letter may be percent-encoded.
fn is(step: &str, word: &str) -> bool {
    step.eq_ignore_ascii_case(word)
        || step.contains('%') && percent_decode_str(step).decode_utf8_lossy().eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_transactions_are_read_in_upper_and_lower_case() {
        for (path, kind, id) in [
            ("/api/Payment/tx-1", Some(Kind::Payment), "tx-1"),
            ("/API/AGREEMENT/a", Some(Kind::Agreement), "a"),
            ("/api/preauth/a/", Some(Kind::Preauth), "a"),
            ("/%61pi/re%66und/a%2Fb%25", Some(Kind::Refund), "a/b%"),
            ("/api/Transactions/%FF", None, "\u{fffd}"),
        ] {
            assert_eq!(ApiPath::of(path), Some(ApiPath { kind, id: id.to_owned() }), "{path}");
        }
        for path in [
            "/api/Payment",
            "/api/Payment/",
            "/api/Payment//",
            "/api/Payment/a//",
            "/api/Payment/a/b",
            "//api/Payment/a",
            "/api/Mandate/a",
            "/api/5/a",
            "/apis/Payment/a",
            "api/Payment/a",
            "/records/payment/a",
            "",
        ] {
            assert_eq!(ApiPath::of(path), None, "{path}");
        }
    }
}
