//! Fields of a registration as JSON: the forms in which the payment stack may write their values. An error repeats what stands
//! there, and says what is right.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::due::utc_date;
use super::money::parse_decimal;
use super::text::{masked, shown};

/// Reads an amount: a JSON number, or its decimal text.
pub(super) fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => parse_decimal(&number.to_string()).map(Some),
        Some(Value::String(text)) if is_plain(&text) => parse_decimal(&text).map(Some),
        Some(Value::String(text)) => {
            Err(format!("{} is not a decimal number: digits, and one point between them", shown(&text)))
        }
        Some(other) => Err(format!("is {}, but must be a number or its decimal text", masked(&other.to_string()))),
    }
    .map_err(D::Error::custom)
}

/// Whether a text has the signs of a decimal number only, with digits on both sides of its point: no plus and no exponent, which no
/// price is written with. A minus is refused as what it means.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// Reads an object. serde takes a list for one as well: the values of its fields, in their order.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_option(Object(PhantomData))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<T>, A::Error> {
        Err(A::Error::custom("is a list, but must be an object"))
    }
}

/// Reads an instant: RFC 3339.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    parsed(from, |text| text.parse().ok(), "a time such as \"2026-03-31T09:30:00Z\"")
}

/// Reads an instant, or a day. A day is its first instant in UTC. The contract's sample has due dates as instants (contract,
/// section 3a); earlier versions of the relay stored days.
pub(super) fn instant_or_day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    // A text with a time, but without a zone, is no day.
    let only_a_day = |text: &&str| text.len() == "2026-03-31".len();
    let at_its_start = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let day = |text: &str| Some(text).filter(only_a_day)?.parse().ok().and_then(at_its_start);
    let right = "a day such as \"2026-03-31\", or a time such as \"2026-03-31T09:30:00Z\"";
    parsed(from, |text| text.parse().ok().or_else(|| day(text)), right)
}

/// Reads a day, or an instant, of which the day in UTC counts.
pub(super) fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    Ok(instant_or_day(from)?.map(utc_date))
}

fn parsed<'de, T, D: Deserializer<'de>>(
    from: D,
    parse: impl Fn(&str) -> Option<T>,
    right: &str,
) -> Result<Option<T>, D::Error> {
    let wrong = |found: String| D::Error::custom(format!("is {found}, but must be {right}"));
    match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => parse(&text).map(Some).ok_or_else(|| wrong(shown(&text))),
        Some(other) => Err(wrong(masked(&other.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Due(#[serde(deserialize_with = "instant_or_day")] Option<Timestamp>);

    #[test]
    fn a_day_is_its_first_instant_and_an_instant_stays_as_it_is() {
        for (written, read) in [
            ("2026-03-05", "2026-03-05T00:00:00Z"),
            ("2026-03-05T10:00:00+02:00", "2026-03-05T08:00:00Z"),
            ("2026-03-05T08:00:00.1234567Z", "2026-03-05T08:00:00.1234567Z"),
        ] {
            let Due(at) = serde_json::from_value(written.into()).unwrap();
            assert_eq!(at, Some(read.parse().unwrap()), "{written}");
        }
        assert_eq!(serde_json::from_value::<Due>(Value::Null).unwrap().0, None);
        for wrong in ["05.03.2026".into(), "2026-02-30".into(), "2026-03-05T10:00:00".into(), "".into(), Value::from(7)]
        {
            let error = serde_json::from_value::<Due>(wrong.clone()).err().unwrap().to_string();
            assert!(error.contains("but must be a day such as"), "{wrong}: {error}");
        }
    }
}
