//! Why a certificate gives no key.

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// The certificate cannot be had now: the PSP may come again.
    #[error("the PSP's certificate cannot be fetched: {0}")]
    Unavailable(String),
    /// It is none that is to be believed.
    #[error("the certificate is not the PSP's: {0}")]
    Refused(String),
}
