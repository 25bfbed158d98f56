//! Identifiers: the kind and the Transform id of a record.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::shown;

/// The four kinds of record and their type codes in a webhook (contract, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Money reserved, not yet taken.
    Preauth = 1,
    /// Money taken: a direct payment or the capture of a preauthorization.
    Payment = 2,
    /// Money given back for one payment.
    Refund = 3,
    /// The customer's standing permission (mandate, stored payment method).
    Agreement = 4,
}

impl Kind {
    /// All kinds, by type code.
    pub const ALL: [Self; 4] = [Self::Preauth, Self::Payment, Self::Refund, Self::Agreement];

    /// The type code of the contract, 1 to 4. The sample's 5 (Mandate) does not exist here.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Preauth => 1,
            Self::Payment => 2,
            Self::Refund => 3,
            Self::Agreement => 4,
        }
    }

    /// The kind with this type code, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The lower-case name in routes, logs and profiles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preauth => "preauth",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Agreement => "agreement",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    /// Takes the name in any case: Transform writes `Payment`, integrators write `payment`.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{} is not preauth, payment, refund or agreement", shown(text)))
    }
}

/// The identifier that Transform gave a transaction or an agreement: 1 to 128 visible ASCII characters,
/// never refused on form alone (contract, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[!-~]{1,128}$"))]
pub struct TransformId(String);

impl TransformId {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id has the form that Transform gives its ids: 24 hex digits, after a day for transactions (contract,
    /// section 4). Merchants' own references have other forms.
    #[must_use]
    pub fn has_transforms_form(&self) -> bool {
        let hex = match self.0.split_once('-') {
            Some((day, hex)) if day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()) => hex,
            Some(_) => return false,
            None => &self.0,
        };
        hex.len() == 24 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

impl fmt::Display for TransformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TransformId> for String {
    fn from(id: TransformId) -> Self {
        id.0
    }
}

impl TryFrom<String> for TransformId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(format!("{} is no Transform id: such an id has 1 to 128 visible ASCII characters", shown(&text)))
        }
    }
}

impl FromStr for TransformId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

/// The key of one record: its kind and its Transform id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordKey {
    /// The kind; fixed once a Transform id is registered.
    pub kind: Kind,
    /// The Transform id.
    pub id: TransformId,
}

impl RecordKey {
    /// The key of that kind and id.
    #[must_use]
    pub const fn new(kind: Kind, id: TransformId) -> Self {
        Self { kind, id }
    }
}

impl FromStr for RecordKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, id) = text
            .split_once('/')
            .ok_or_else(|| format!("{} is no KIND/ID; write payment/64f1c0ffee, for example", shown(text)))?;
        Ok(Self::new(kind.parse()?, id.parse()?))
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_codes_are_those_of_the_contract() {
        assert_eq!(Kind::ALL.map(Kind::code), [1, 2, 3, 4]);
        assert_eq!(Kind::from_code(2), Some(Kind::Payment));
        assert_eq!(Kind::from_code(5), None, "the sample's Mandate does not exist here");
    }

    #[test]
    fn a_key_is_read_as_it_is_shown() {
        let key = RecordKey::new(Kind::Refund, "re-1/x".parse().unwrap());
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["payment", "payment/", "mandate/1", "/1"] {
            assert!(wrong.parse::<RecordKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_transform_id_is_visible_ascii() {
        for good in ["tx123456", "20221108-636a91f61c48d9fa186166f8", "~"] {
            assert!(good.parse::<TransformId>().is_ok(), "{good}");
        }
        let long = "x".repeat(129);
        for bad in ["", "a b", "ä", "tab\t", long.as_str()] {
            assert!(bad.parse::<TransformId>().is_err(), "{bad}");
        }
    }
}
