//! Reading amounts, currencies and instants at the places that a profile names.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::place::{Place, Scope};
use super::profile::{Amounts, Profile, TimeFormat};
use crate::domain::money::{Currency, believed, from_minor, parse_decimal};
use crate::domain::text::shown;

/// Reads one message's values; remembers nothing.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Units and exponents.
    pub profile: &'a Profile,
    /// How instants are written.
    pub time_format: TimeFormat,
    /// Of the amounts.
    pub currency: Option<Currency>,
    /// Where to look.
    pub scope: Scope<'a>,
}

impl Reader<'_> {
    /// The amount at the first place that has one, in major units.
    ///
    /// # Errors
    /// No number, a negative one, or no currency to tell its unit by.
    pub fn amount(&self, places: &[Place]) -> Result<Option<Decimal>, String> {
        let Some(text) = self.scope.first(places) else { return Ok(None) };
        let wrong = |reason: String| format!("amount at {}: {reason}", names(places));
        let number = parse_decimal(&text).map_err(wrong)?;
        let currency = self.currency.ok_or_else(|| wrong("there is no currency to tell its unit by".into()))?;
        let digits = self.profile.exponent(currency);
        let amount = match self.profile.amounts {
            Amounts::Major => without_noise(number, digits).map_err(wrong)?,
            Amounts::Minor => from_minor(number, digits).map_err(wrong)?,
        };
        believed(amount).map(Some).map_err(wrong)
    }

    /// The amount at the first place that has one.
    ///
    /// # Errors
    /// As [`Self::amount`], and if there is none.
    pub fn needed_amount(&self, places: &[Place]) -> Result<Decimal, String> {
        self.amount(places)?.ok_or_else(|| format!("amount at {}: missing", names(places)))
    }

    /// The instant at the first place that has one.
    ///
    /// # Errors
    /// Text that is no instant in the profile's format.
    pub fn instant(&self, places: &[Place]) -> Result<Option<Timestamp>, String> {
        let Some((place, text)) = places.iter().find_map(|place| Some((place, self.scope.text(place)?))) else {
            return Ok(None);
        };
        let format = if *place == Place::SignedAt { TimeFormat::Unix } else { self.time_format };
        instant(&text, format).map(Some).ok_or_else(|| format!("time at {place}: {} is no instant", shown(&text)))
    }
}

/// An amount in major units, without what binary floating point on the PSP's side left in it: Digital River documents
/// 53.769999999999996. Anything beyond noise is not a sum of money in that currency.
fn without_noise(number: Decimal, digits: u32) -> Result<Decimal, String> {
    let rounded = number.round_dp(digits).normalize();
    if (number - rounded).abs() > NOISE {
        return Err(format!("{number} has more than {digits} decimal places"));
    }
    Ok(rounded)
}

const NOISE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

fn instant(text: &str, format: TimeFormat) -> Option<Timestamp> {
    match format {
        TimeFormat::Unix => Timestamp::from_second(text.parse().ok()?).ok(),
        TimeFormat::Rfc3339 => text.parse().ok(),
    }
}

/// The currency at the first place that has one.
///
/// # Errors
/// Text that is no currency.
pub fn currency(scope: &Scope<'_>, places: &[Place]) -> Result<Option<Currency>, String> {
    scope
        .first(places)
        .map(|text| text.parse().map_err(|reason| format!("currency at {}: {reason}", names(places))))
        .transpose()
}

/// The places as a reader of a dead letter wants them.
pub fn names(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
