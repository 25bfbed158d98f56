//! Certificate chains: whether a certificate is the PSP's. Pure, but for reading the machine's authorities.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::psp::vouch::crypto::PublicKey;

/// The authorities that may vouch for a certificate.
#[derive(Debug)]
pub(super) struct Authorities(Vec<TrustAnchor<'static>>);

impl Authorities {
    /// The authorities that this machine trusts, as for TLS (`SSL_CERT_FILE` counts), and `more`.
    pub(super) fn of_the_machine_and(more: &[CertificateDer<'static>]) -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the machine's certificate authorities cannot be read: certificates that only they vouch for are refused");
        }
        Self::of(found.certs.iter().chain(more))
    }

    /// The authorities of these certificates. A machine's list may hold oddities: certificates that are not an
    /// authority's are left out.
    pub(super) fn of<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>) -> Self {
        let anchors = certificates.into_iter().filter_map(|der| Some(anchor_from_trusted_cert(der).ok()?.to_owned()));
        Self(anchors.collect())
    }
}

/// The authorities of a PEM file.
///
/// # Errors
/// The file holds no certificate, or one that is not an authority's.
pub fn authorities_of_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let Chain(certificates) = Chain::of_pem(pem)?;
    match certificates.iter().find_map(|der| anchor_from_trusted_cert(der).err()) {
        Some(error) => Err(format!("holds a certificate that is not an authority's: {error}")),
        None => Ok(certificates),
    }
}

/// The key of the first certificate of a PEM file. Nothing vouches for it.
///
/// # Errors
/// The file holds no certificate.
pub fn key_of_pem(pem: &[u8]) -> Result<PublicKey, String> {
    let Chain(certificates) = Chain::of_pem(pem)?;
    let first = certificates.first().ok_or("there is no certificate")?;
    let certificate = EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
    Ok(key_of(&certificate))
}

fn key_of(certificate: &EndEntityCert<'_>) -> PublicKey {
    PublicKey(certificate.subject_public_key_info().to_vec())
}

/// A PSP's certificate first, then the certificates that lead from it to an authority. Nothing is verified yet.
#[derive(Debug)]
pub(super) struct Chain(Vec<CertificateDer<'static>>);

/// The most certificates read. A chain has two or three, a file of authorities some hundred.
const CERTIFICATES_MAX: usize = 1000;

impl Chain {
    pub(super) fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let certificates =
            CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX + 1).collect::<Result<Vec<_>, _>>();
        match certificates {
            Ok(certificates) if certificates.len() > CERTIFICATES_MAX => {
                Err(format!("holds more than {CERTIFICATES_MAX} certificates"))
            }
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            _ => Err("holds no certificate in PEM".to_owned()),
        }
    }

    /// The key of the first certificate. At `at` the authorities must vouch for it, and one of its names must end with
    /// `name_suffix`.
    ///
    /// Revocation is not checked: the PSP itself gives out the certificate, at a URL of its own.
    pub(super) fn key(&self, authorities: &Authorities, name_suffix: &str, at: Timestamp) -> Result<PublicKey, String> {
        let (first, others) = self.0.split_first().ok_or("there is no certificate")?;
        let certificate = EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
        let since_1970 = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default());
        let time = UnixTime::since_unix_epoch(since_1970);
        certificate
            .verify_for_usage(ALL_VERIFICATION_ALGS, &authorities.0, others, time, KeyUsage::server_auth(), None, None)
            .map_err(|error| error.to_string())?;
        // The authorities vouch for each of the names, and a name below the PSP's domain is the PSP's.
        if !certificate.valid_dns_names().any(|name| name.to_ascii_lowercase().ends_with(name_suffix)) {
            return Err(format!("has no name below {name_suffix}"));
        }
        Ok(key_of(&certificate))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair, PublicKeyData};

    use super::*;

    const SUFFIX: &str = ".psp.example";

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn params(names: &[&str], is_ca: IsCa) -> CertificateParams {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        params.is_ca = is_ca;
        params
    }

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = params(&[], IsCa::Ca(BasicConstraints::Unconstrained));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// The PEM of a certificate, and the key expected of it.
    fn issued(names: &[&str], issuer: &Issuer<'_, KeyPair>) -> (String, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names, IsCa::NoCa).signed_by(&key, issuer).unwrap();
        (certificate.pem(), key.subject_public_key_info())
    }

    fn key(pem: &str, trusted: &CertifiedIssuer<'_, KeyPair>, at: Timestamp) -> Result<PublicKey, String> {
        Chain::of_pem(pem.as_bytes())?.key(&Authorities::of([&trusted.der().clone().into_owned()]), SUFFIX, at)
    }

    #[test]
    fn a_certificate_that_an_authority_vouches_for_gives_its_key() {
        let root = authority("root");
        for names in [&["webhooks.psp.example"][..], &["other.example", "A.PSP.Example"], &["*.psp.example"]] {
            let (pem, expected) = issued(names, &root);
            assert_eq!(key(&pem, &root, now()).unwrap().0, expected, "{names:?}");
        }
    }

    #[test]
    fn an_authority_may_vouch_through_another_that_comes_along() {
        let root = authority("root");
        let mut params = params(&[], IsCa::Ca(BasicConstraints::Constrained(0)));
        params.distinguished_name.push(rcgen::DnType::CommonName, "between");
        let between = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &root).unwrap();
        let (pem, expected) = issued(&["webhooks.psp.example"], &between);
        assert_eq!(key(&format!("{pem}{}", between.pem()), &root, now()).unwrap().0, expected);
        assert!(key(&pem, &root, now()).unwrap_err().contains("UnknownIssuer"), "without it nobody vouches");
    }

    #[test]
    fn nobody_else_can_vouch() {
        let (root, stranger) = (authority("root"), authority("root"));
        let (pem, _) = issued(&["webhooks.psp.example"], &stranger);
        assert!(key(&format!("{pem}{}", stranger.pem()), &root, now()).is_err(), "a stranger of the same name");
        let own = KeyPair::generate().unwrap();
        let own = params(&["webhooks.psp.example"], IsCa::NoCa).self_signed(&own).unwrap();
        assert!(key(&own.pem(), &root, now()).unwrap_err().contains("UnknownIssuer"), "signed by itself");
        // A certificate that may not vouch for others cannot pass on an authority's trust.
        let leaf_key = KeyPair::generate().unwrap();
        let leaf_params = params(&["webhooks.psp.example"], IsCa::NoCa);
        let leaf = leaf_params.signed_by(&leaf_key, &root).unwrap();
        let (forged, _) = issued(&["forged.psp.example"], &Issuer::new(leaf_params, leaf_key));
        assert!(key(&format!("{forged}{}", leaf.pem()), &root, now()).is_err());
    }

    #[test]
    fn it_is_valid_from_its_first_to_its_last_moment() {
        let root = authority("root");
        let (pem, _) = issued(&["webhooks.psp.example"], &root);
        let at = |text: &str| key(&pem, &root, text.parse().unwrap()).map(drop);
        assert!(at("2025-12-31T23:59:59Z").unwrap_err().contains("CertNotValidYet"));
        assert_eq!(at("2026-01-01T00:00:00Z"), Ok(()));
        assert_eq!(at("2027-01-01T00:00:00Z"), Ok(()));
        assert!(at("2027-01-01T00:00:01Z").unwrap_err().contains("CertExpired"));
        assert!(at("1960-01-01T00:00:00Z").is_err(), "before there were certificates");
    }

    #[test]
    fn it_must_be_made_out_to_a_name_of_the_psp() {
        let root = authority("root");
        for names in [&["psp.example"][..], &["evilpsp.example"], &["a.psp.example.evil.example"], &[]] {
            let (pem, _) = issued(names, &root);
            assert!(key(&pem, &root, now()).unwrap_err().contains("no name below"), "{names:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let root = authority("root");
        let (pem, _) = issued(&["webhooks.psp.example"], &root);
        let cut = pem.replacen("MI", "AA", 1);
        let private = KeyPair::generate().unwrap().serialize_pem();
        for text in ["", "<html>not here</html>", &private, &cut, &pem[..pem.len() / 2]] {
            assert!(key(text, &root, now()).is_err(), "{text}");
        }
        assert_eq!(
            authorities_of_pem(format!("root\n{}{}", root.pem(), authority("two").pem()).as_bytes()).unwrap().len(),
            2
        );
        assert!(authorities_of_pem(b"nothing").is_err());
    }

    /// An authority that is silently left out would refuse genuine notifications.
    #[test]
    fn a_certificate_past_the_limit_is_refused_and_not_left_out() {
        let one = authority("root").pem();
        let read = |times: usize| authorities_of_pem(one.repeat(times).as_bytes());
        assert_eq!(read(CERTIFICATES_MAX).unwrap().len(), CERTIFICATES_MAX);
        assert_eq!(read(CERTIFICATES_MAX + 1).unwrap_err(), "holds more than 1000 certificates");
    }
}
