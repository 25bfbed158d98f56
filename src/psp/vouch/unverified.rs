//! Reasons why a notification is not believed.

/// The reason why a notification was not believed. It is for the log; the sender is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// There is no signature where the profile expects one.
    #[error("no signature")]
    Missing,
    /// The signature matches none of the secrets.
    #[error("wrong signature")]
    Wrong,
    /// The signature, right or wrong, covers a text that anybody may have had signed by an endpoint check.
    #[error("the signed text may be an endpoint check, which the relay signs for anybody: it proves nothing")]
    Challenge,
    /// The signature is right, but its time is not.
    #[error("timestamp outside the tolerance: it is {}, and the tolerance is {tolerance_s} seconds", .skew.in_words())]
    Time {
        /// The distance of the time from the relay's clock.
        skew: Skew,
        /// The greatest distance at which the time counts, in seconds.
        tolerance_s: u32,
    },
    /// The signature and its time are right, but the secret's own time is not now.
    #[error("{fate} secret vouched: {secret}")]
    OutOfTime {
        /// The secret's name.
        secret: String,
        /// Expired, or not valid yet.
        fate: &'static str,
    },
    /// The source has no secret to verify with.
    #[error("the source has no secret")]
    NoSecret,
    /// There is no certificate for the verification.
    #[error("no certificate of the PSP's")]
    NoCertificate,
    /// Only credentials could vouch for the notification, and the source demands none.
    #[error("the notification has no signature, and the source asks for no credentials, headers or addresses")]
    NoCredentials,
}

/// The distance of a signed time from the relay's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// So many seconds before it: the PSP sent late, a stranger sent a caught notification, or the clock is fast.
    Behind(u64),
    /// So many seconds after it: the clock is slow.
    Ahead(u64),
    /// The time is too large a number to be one.
    NoTime,
}

impl Skew {
    fn in_words(self) -> String {
        match self {
            Self::Behind(seconds) => format!("{seconds} seconds behind the relay's clock"),
            Self::Ahead(seconds) => format!("{seconds} seconds ahead of the relay's clock"),
            Self::NoTime => "no time in seconds".to_owned(),
        }
    }
}

impl Unverified {
    /// The rank of a reason: how close the refused notification came to being believed.
    pub(super) const fn closeness(&self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Wrong | Self::NoSecret | Self::NoCertificate | Self::NoCredentials => 1,
            Self::Challenge => 2,
            Self::Time { .. } => 3,
            Self::OutOfTime { .. } => 4,
        }
    }
}
