//! How a stand-in fails on purpose: `--fail`. Pure.

use std::str::FromStr;

/// Which webhooks are answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// This many of a hundred, with 500.
    Percent(u8),
    /// All of them, with this status.
    Status(u16),
}

/// The status where only the share of failures is given.
const USUAL: u16 = 500;

impl FromStr for Failure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let failure = match text.strip_suffix('%') {
            Some(share) => share.parse().ok().filter(|share| *share <= 100).map(Self::Percent),
            None => text.parse().ok().filter(|status| (300..600).contains(status)).map(Self::Status),
        };
        failure.ok_or_else(|| "must be a share of the webhooks, as in 20%, or a status from 300 to 599".to_owned())
    }
}

impl Failure {
    /// The status of a webhook's answer, if it is to fail. `chance` is from 0 to 99.
    pub(super) const fn status(self, chance: u8) -> Option<u16> {
        match self {
            Self::Percent(share) if chance < share => Some(USUAL),
            Self::Percent(_) => None,
            Self::Status(status) => Some(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_share_or_a_status() {
        assert_eq!("20%".parse(), Ok(Failure::Percent(20)));
        assert_eq!("503".parse(), Ok(Failure::Status(503)));
        for bad in ["101%", "-1%", "%", "20", "200", "600", "x", ""] {
            assert!(bad.parse::<Failure>().unwrap_err().contains("must be a share"), "{bad}");
        }
    }

    #[test]
    fn as_many_fail_as_the_share_says() {
        let failed = |failure: Failure| (0..100).filter(|chance| failure.status(*chance).is_some()).count();
        assert_eq!([0, 20, 100].map(|share| failed(Failure::Percent(share))), [0, 20, 100]);
        assert_eq!(Failure::Status(429).status(99), Some(429));
    }
}
