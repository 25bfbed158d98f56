//! Values as Transform reads them: amounts digit for digit, instants with seven decimals, and the states of each kind of
//! record.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::domain::ids::Kind;
use crate::domain::status::Status;

/// Major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Number", extend("minimum" = 0))]
pub struct Amount(Decimal);

impl Amount {
    /// An amount that is always written.
    #[must_use]
    pub const fn of(amount: Decimal) -> Self {
        Self(amount)
    }

    /// An amount that is left out where it is zero.
    #[must_use]
    pub fn unless_zero(amount: Decimal) -> Option<Self> {
        Some(Self(amount)).filter(|_| !amount.is_zero())
    }
}

impl Serialize for Amount {
    /// A JSON number, digit for digit.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // The text of a decimal is always a JSON number.
        self.0.normalize().to_string().parse::<Number>().map_err(S::Error::custom)?.serialize(to)
    }
}

/// UTC, seven decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename = "Instant", with = "Timestamp", extend("pattern" = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{7}Z$"))]
pub struct UtcTime(Timestamp);

impl UtcTime {
    /// The instant at that time.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for UtcTime {
    /// `yyyy-MM-ddTHH:mm:ss.fffffffZ` (contract, section 3).
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let at = self.0.to_zoned(TimeZone::UTC);
        to.collect_str(&format_args!("{}.{:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"), at.subsec_nanosecond() / 100))
    }
}

/// The state of a preauthorization, a payment or a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TransactionStatus(pub Status);

/// The state of an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AgreementStatus(pub Status);

impl JsonSchema for TransactionStatus {
    fn schema_name() -> Cow<'static, str> {
        "TransactionStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        states_of(Kind::Payment, generator)
    }
}

impl JsonSchema for AgreementStatus {
    fn schema_name() -> Cow<'static, str> {
        "AgreementStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        states_of(Kind::Agreement, generator)
    }
}

/// The schema of the states that a record of this kind can be in, with their meanings.
#[must_use]
pub fn states_of(kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Status::json_schema(generator);
    schema.remove("description");
    let fits = |state: &Value| Status::ALL.iter().any(|status| status.fits(kind) && state["const"] == status.name());
    if let Some(states) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        states.retain(fits);
    }
    schema
}

#[cfg(test)]
mod tests {
    use schemars::schema_for;
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn instants_have_seven_decimals() {
        let instant = |text: &str| to_value(UtcTime::of(text.parse().unwrap())).unwrap();
        assert_eq!(instant("2022-11-08T18:23:45.0123456+01:00"), "2022-11-08T17:23:45.0123456Z");
        assert_eq!(instant("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00.0000000Z");
    }

    #[test]
    fn amounts_are_numbers_digit_for_digit() {
        let text = |text: &str| serde_json::to_string(&Amount::of(text.parse().unwrap())).unwrap();
        assert_eq!(text("89.25"), "89.25");
        assert_eq!(text("100.00"), "100");
        assert_eq!(text("0.1"), "0.1");
        assert_eq!(text("99999999999.99"), "99999999999.99");
        assert_eq!(to_value(Amount::of(Decimal::TEN)).unwrap(), json!(10));
        assert_eq!(Amount::unless_zero(Decimal::ZERO), None);
    }

    #[test]
    fn each_kind_has_its_states() {
        let states = |schema: Schema| -> Vec<Value> {
            schema.get("oneOf").unwrap().as_array().unwrap().iter().map(|state| state["const"].clone()).collect()
        };
        assert_eq!(states(schema_for!(AgreementStatus)), ["Initiated", "Pending", "Active", "Inactive"]);
        let transaction = ["Initiated", "Pending", "Succeeded", "Failed", "Cancelled", "Expired"];
        assert_eq!(states(schema_for!(TransactionStatus)), transaction);
    }
}
