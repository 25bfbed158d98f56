//! Options of the PSPs' certificates: authorities and times.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

/// The options of fetching and believing certificates.
#[derive(Debug, Clone)]
pub struct CertificateOptions {
    /// Authorities that are believed besides those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// The longest time for one fetch.
    pub timeout: Duration,
    /// The time for which a URL is not asked again after it gave no good certificate.
    pub failures_kept: Duration,
}

impl CertificateOptions {
    /// The keys of the options in which `others` differ.
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
