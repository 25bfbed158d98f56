//! Why a body is refused before it has come whole: the connection sees it, and the request that the body belongs to says it.

use super::chunks::BESIDE_MAX;
use super::problem::Problem;

/// What is wrong with a body, as the connection sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// It has too much beside its data.
    Padded,
    /// It is to come in chunks, and these are none.
    Malformed,
    /// It did not come in time.
    Late,
}

impl Spoilt {
    /// The refusal: the answer says what the client did, the log says which setting it was.
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
                "the body did not come within server.body_timeout; raise that if this client may be slower",
            ),
        }
    }
}
