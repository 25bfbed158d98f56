//! Reasons why a certificate gives no key: it cannot be fetched, or is not the PSP's.

/// The reason why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// The certificate cannot be fetched now. The PSP may send the notification again.
    #[error("the PSP's certificate cannot be fetched: {0}")]
    Unavailable(String),
    /// The certificate is not to be believed.
    #[error("the certificate is not the PSP's: {0}")]
    Refused(String),
}
