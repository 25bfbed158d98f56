//! How certificates are fetched and believed.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

/// How certificates are fetched and believed.
#[derive(Debug, Clone)]
pub struct CertificateOptions {
    /// Authorities that are believed beside those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// How long a URL that gave no good certificate is not asked again.
    pub failures_kept: Duration,
}

impl CertificateOptions {
    /// The keys of the options that others have otherwise.
    #[must_use]
    pub fn changed(&self, others: &Self) -> Vec<&'static str> {
        let keys = [
            ("certificates.roots", self.roots != others.roots),
            ("certificates.timeout", self.timeout != others.timeout),
            ("certificates.failures_kept", self.failures_kept != others.failures_kept),
        ];
        keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
    }
}
