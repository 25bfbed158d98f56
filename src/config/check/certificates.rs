//! `[certificates]`

use super::checker::Checker;
use crate::certificates::{CertificateOptions, authorities_of_pem};
use crate::config::settings::CertificatesSettings;

impl Checker<'_> {
    pub(super) fn certificates(&mut self, settings: &CertificatesSettings) -> CertificateOptions {
        if let Some(path) = &settings.roots {
            self.reads(path.as_ref());
        }
        let roots = settings.roots.as_deref().map(|path| {
            let pem = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"));
            pem.and_then(|pem| authorities_of_pem(&pem).map_err(|reason| format!("{path}: {reason}")))
        });
        let roots = roots.unwrap_or_else(|| Ok(Vec::new())).unwrap_or_else(|reason| {
            self.wrong("certificates.roots", reason);
            Vec::new()
        });
        CertificateOptions {
            roots,
            timeout: self.positive_span("certificates.timeout", &settings.timeout),
            failures_kept: self.span("certificates.failures_kept", &settings.failures_kept),
        }
    }
}
