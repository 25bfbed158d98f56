//! Certificates of a PSP that signs with one: the authority, the key, and the host that serves the certificate.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use tokio::sync::watch;
use transform_relay::proof::stand_in::{Connection, Request, Scripted, Server};

use super::tls::Certificate;
use super::within;

/// An authority that vouches for certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this key and this name, with the end of its validity as a year.
    pub(crate) fn issue(&self, name: &str, key: &SigningKey, until: i32) -> String {
        key.params(name, until).signed_by(&key.0, &self.0).unwrap().pem()
    }
}

/// The key that a PSP signs notifications with.
pub(crate) struct SigningKey(KeyPair);

impl SigningKey {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
    }

    fn params(&self, name: &str, until: i32) -> CertificateParams {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// A certificate that only its own key vouches for.
    pub(crate) fn vouches_for_itself(&self, name: &str) -> String {
        self.params(name, 2100).self_signed(&self.0).unwrap().pem()
    }

    /// The headers of a transmission as PayPal sends it.
    pub(crate) fn transmission(&self, webhook: &str, certificate_url: &str, body: &str) -> Vec<(String, String)> {
        self.transmission_at("2026-03-01T10:00:00Z", webhook, certificate_url, body)
    }

    /// The headers of a transmission at another time, as when PayPal sends an event again.
    pub(crate) fn transmission_at(
        &self,
        time: &str,
        webhook: &str,
        certificate_url: &str,
        body: &str,
    ) -> Vec<(String, String)> {
        let id = "8f6c0a70-0000-11f0-8000-000000000001";
        let signed = format!("{id}|{time}|{webhook}|{}", crc32fast::hash(body.as_bytes()));
        let key = RsaKeyPair::from_pkcs8(&self.0.serialize_der()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        let headers = [
            ("Paypal-Transmission-Id", id),
            ("Paypal-Transmission-Time", time),
            ("Paypal-Transmission-Sig", &STANDARD.encode(signature)),
            ("Paypal-Cert-Url", certificate_url),
            ("Paypal-Auth-Algo", "SHA256withRSA"),
        ];
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

/// The object with one more field, chosen so that its CRC-32 is this one: a checksum does not protect its input. A CRC
/// is linear, so the choice is which letters of the field have their lowest bit.
pub(crate) fn with_checksum(object: &serde_json::Value, crc: u32) -> String {
    let start = object.to_string();
    let start = start.strip_suffix('}').unwrap();
    around_checksum(&format!("{start},\"z\":\""), "\"}", crc)
}

/// The same with letters between these two texts.
pub(crate) fn around_checksum(start: &str, end: &str, crc: u32) -> String {
    const LETTERS: usize = 64;
    let body = |letters: &[u8]| format!("{start}{}{end}", str::from_utf8(letters).unwrap());
    let sum = |letters: &[u8]| crc32fast::hash(body(letters).as_bytes());
    let mut letters = [b'@'; LETTERS];
    let plain = sum(&letters);
    let highest = |change: u32| usize::try_from(change.ilog2()).unwrap();
    // For each bit of the sum, by its highest bit: a change of the sum, and the letters that make it.
    let mut basis: [Option<(u32, u64)>; 32] = [None; 32];
    let reduced = |basis: &[Option<(u32, u64)>; 32], mut change: u32, mut set: u64| {
        while change != 0
            && let Some((other, letters)) = basis[highest(change)]
        {
            (change, set) = (change ^ other, set ^ letters);
        }
        (change, set)
    };
    for n in 0..LETTERS {
        let mut one = letters;
        one[n] ^= 1;
        let (change, set) = reduced(&basis, sum(&one) ^ plain, 1 << n);
        if change != 0 {
            basis[highest(change)] = Some((change, set));
        }
    }
    let (left, set) = reduced(&basis, plain ^ crc, 0);
    assert_eq!(left, 0, "so many letters make every sum");
    for (n, letter) in letters.iter_mut().enumerate() {
        *letter ^= u8::from(set >> n & 1 == 1);
    }
    assert_eq!(sum(&letters), crc);
    body(&letters)
}

/// The response of a path.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// Answered once this is dropped or something is sent.
    pub(crate) gate: Option<mpsc::Receiver<()>>,
}

impl Page {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), gate: None }
    }
}

/// A host at `https://localhost:PORT`. Paths without a response are 404.
pub(crate) struct Host {
    pub(crate) port: u16,
    _server: Server,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    asked: watch::Receiver<Vec<String>>,
}

impl Host {
    pub(crate) fn start(certificate: &Certificate) -> Self {
        let pages: Arc<Mutex<BTreeMap<String, Page>>> = Arc::default();
        let (asks, asked) = watch::channel(Vec::new());
        let served = Arc::clone(&pages);
        let answer = move |request: Request, connection: &mut Connection| {
            asks.send_modify(|paths: &mut Vec<String>| paths.push(request.path.clone()));
            let gate = served.lock().unwrap().get_mut(&request.path).and_then(|page| page.gate.take());
            gate.map(|gate| gate.recv());
            let reply = match served.lock().unwrap().get(&request.path) {
                Some(page) => Scripted::With(page.status, page.headers.clone(), page.body.clone()),
                None => Scripted::status(404),
            };
            connection.send(reply)
        };
        let server = Server::start("127.0.0.1:0".parse().unwrap(), certificate.serves(), answer).unwrap();
        Self { port: server.address.port(), _server: server, pages, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// The requested paths, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn asked_times(&self, times: usize) {
        let mut asked = self.asked.clone();
        within("the host to be asked", asked.wait_for(|paths| paths.len() >= times)).await.unwrap();
    }
}
