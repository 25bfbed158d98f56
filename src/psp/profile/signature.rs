//! Signature of a form as data: algorithm, signed parts, key, place, time and certificate.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::psp::document::place::Place;
use crate::psp::document::pointer::Pointer;
use crate::psp::profile::rule::OneOrMore;

/// One way in which a form of notification may be signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The algorithm that makes the signature from the signed parts.
    pub algorithm: Algorithm,
    /// How the secret's text becomes the key's bytes.
    #[serde(default)]
    pub key: KeyEncoding,
    /// The prefixes of a secret, the usual one first. The one that the secret has is removed before it is decoded. A secret
    /// without any is taken as it is.
    #[serde(default = "OneOrMore::<String>::none")]
    pub key_prefix: OneOrMore<String>,
    /// The signed parts, in order.
    pub signed: Vec<Place>,
    /// The text between the signed parts.
    #[serde(default)]
    pub separator: String,
    /// The place of the id of the key that the PSP signed with.
    pub key_id: Option<KeyId>,
    /// The place of the signature. In the body of a batch, it is looked for and checked in every message.
    pub found: Locator,
    /// How the signature is written.
    pub encoding: Encoding,
    /// The signed time, and how far it may be off.
    pub time: Option<SignedTime>,
    /// The place of the PSP's certificate, and the name that it must have.
    pub certificate: Option<CertificateRule>,
}

/// The algorithm of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// SHA-256 of the signed parts, of which the secret is one.
    Sha256,
    /// MD5 of the signed parts, of which the secret is one.
    Md5,
    /// The signed parts as they are: a shared secret that is sent along. It protects no part of the notification.
    Plain,
    /// RSA PKCS #1 v1.5 with SHA-256, by the key of the PSP's certificate. It takes no secret.
    RsaSha256,
    /// Ed25519; the source's secret is the PSP's public key.
    Ed25519,
}

impl Algorithm {
    /// Its name in a profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha512 => "hmac-sha512",
            Self::Sha256 => "sha256",
            Self::Md5 => "md5",
            Self::Plain => "plain",
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Whether it is an HMAC. The secret is its key, and everybody with the secret can make signatures.
    #[must_use]
    pub const fn is_hmac(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha1 | Self::HmacSha512)
    }

    /// Whether the secret is one of the signed parts.
    #[must_use]
    pub const fn signs_the_secret(self) -> bool {
        matches!(self, Self::Sha256 | Self::Md5 | Self::Plain)
    }
}

/// How a secret's text becomes the key's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncoding {
    /// The text as it is.
    #[default]
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
    /// The SHA-1 of the text.
    Sha1,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
    /// As it is; for a secret that is sent along.
    Text,
}

/// Where a signature or its time stands: in a header or in the message, as the whole value or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "LocatorText")]
#[schemars(with = "LocatorText")]
pub struct Locator {
    /// Where the value stands.
    pub at: Found,
    /// What separates the parts of the value.
    pub split: Option<String>,
    /// The prefix of the parts that count.
    pub prefix: String,
    /// The separator inside a part before the signature.
    pub after: Option<String>,
    /// The number of the only part that counts, from 0.
    pub index: Option<usize>,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// In the header of this name.
    Header(String),
    /// At this place in the message.
    Message(Pointer),
}

impl Locator {
    /// The place of the value in the message; `None` if it stands in a header.
    #[must_use]
    pub const fn pointer(&self) -> Option<&Pointer> {
        match &self.at {
            Found::Message(pointer) => Some(pointer),
            Found::Header(_) => None,
        }
    }
}

/// Where a signature or its time stands, as a profile writes it.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(deny_unknown_fields)]
struct LocatorText {
    /// The name of the header.
    header: Option<String>,
    /// The place in the message.
    pointer: Option<Pointer>,
    /// The separator of the parts of the value. Space around a part does not count.
    split: Option<String>,
    /// Only parts with this prefix count. The prefix is removed.
    #[serde(default)]
    prefix: String,
    /// A separator inside each part: the signature is the text after the last one.
    after: Option<String>,
    /// The number of the only part that counts, from 0.
    index: Option<usize>,
}

impl TryFrom<LocatorText> for Locator {
    type Error = &'static str;

    fn try_from(text: LocatorText) -> Result<Self, &'static str> {
        let LocatorText { header, pointer, split, prefix, after, index } = text;
        let at = match (header, pointer) {
            (Some(header), None) => Found::Header(header),
            (None, Some(pointer)) => Found::Message(pointer),
            (Some(_), Some(_)) | (None, None) => return Err("found: needs either header or pointer"),
        };
        Ok(Self { at, split, prefix, after, index })
    }
}

/// Where the id of a key stands: in a header, or before each signature (see `after` of `found`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyId {
    /// The header with the id.
    pub header: Option<String>,
    /// Whether the id stands before the signature, up to the first separator.
    #[serde(default)]
    pub before: bool,
}

/// The signed time, in unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedTime {
    /// The place of the time.
    pub found: Locator,
    /// How far the time may be from the machine's clock, in seconds, either way. `tolerance` of a source overrides it.
    pub tolerance_s: u32,
}

/// The PSP's certificate. The relay loads it, believes it if a known authority vouches for it and the name is the PSP's, and
/// keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateRule {
    /// The header with the URL of the certificate.
    pub header: String,
    /// The only hosts that the certificate is loaded from, by https, each with its port if that is not 443. From another host,
    /// anybody could give a certificate of their own.
    pub hosts: Vec<String>,
    /// The end of the DNS name that the certificate must be made out to.
    pub name_suffix: String,
}

#[cfg(test)]
mod tests {
    use crate::psp::profile::Profile;

    #[test]
    fn what_is_found_stands_in_a_header_or_in_the_message() {
        let read = |found: &str, time: &str| {
            let text = format!(
                "name = \"it\"\ntitle = \"It\"\namounts = \"minor\"\n[[notification]]\nname = \"it\"\ntype = [\"/type\"]\n\
                 [[notification.signature]]\nalgorithm = \"hmac-sha256\"\nsigned = [\"signed-at\", \"body\"]\n\
                 encoding = \"hex\"\nfound = {found}\ntime = {{ found = {time}, tolerance_s = 300 }}\n"
            );
            Profile::read(&text).err().map(|error| error.to_string())
        };
        let (header, pointer) = ("{ header = \"sign\" }", "{ pointer = \"/sign\" }");
        assert_eq!(read(header, header), None);
        for neither in ["{}", "{ header = \"sign\", pointer = \"/sign\" }"] {
            assert_eq!(read(neither, header).as_deref(), Some("line 11: found: needs either header or pointer"));
            assert_eq!(read(header, neither).as_deref(), Some("line 12: found: needs either header or pointer"));
        }
        assert_eq!(read(header, pointer).as_deref(), Some("line 7: time.found: must stand in a header"));
    }
}
