//! Spoilt bodies: the reasons to refuse a body before all of it has come. The connection sees the reason, and the request
//! that the body belongs to is answered with it.

use super::chunks::BESIDE_MAX;
use super::problem::Problem;

/// The fault of a body, as the connection sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// The body has too many bytes beside its data.
    Padded,
    /// The body is announced in chunks, and its bytes are no chunks.
    Malformed,
    /// The body did not come in time.
    Late,
}

impl Spoilt {
    /// The refusal. The answer says what the client did; the log names the setting.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Padded => {
                let reason =
                    format!("the chunk extensions and trailers of the body are larger than {BESIDE_MAX} bytes");
                Problem::new(413, reason)
            }
            Self::Malformed => Problem::new(400, "the body does not come in chunks as RFC 9112 has them"),
            Self::Late => Problem::new(408, "the body took too long").because(
                "Request Timeout",
                "the body did not come within server.body_timeout; raise it if this client may be slower",
            ),
        }
    }
}
