//! Values of a message: amounts, currencies, instants, ids and words, read at the places that a profile names.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use crate::domain::money::{Currency, believed, from_minor, parse_decimal};
use crate::domain::text::shown;
use crate::psp::document::place::{Place, Scope};
use crate::psp::profile::{Amounts, Profile, TimeFormat};

/// Reads the values of one message; keeps no state.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The profile, for its exponents.
    pub profile: &'a Profile,
    /// The unit of amounts.
    pub amounts: Amounts,
    /// The digits after the decimal point, if the message names them.
    pub exponent: Option<u32>,
    /// Whether the sign of amounts is ignored.
    pub unsigned_amounts: bool,
    /// The format of instants.
    pub time_format: TimeFormat,
    /// The currency of the amounts.
    pub currency: Option<Currency>,
    /// The values in which places are looked up.
    pub scope: Scope<'a>,
}

impl Reader<'_> {
    /// The amount at the first place that has one, in major units.
    ///
    /// # Errors
    /// The text is not a number, the number is negative, or there is no currency to determine its unit.
    pub fn amount(&self, places: &[Place]) -> Result<Option<Decimal>, String> {
        let Some(text) = self.scope.first(places) else { return Ok(None) };
        let wrong = |reason: String| format!("amount at {}: {reason}", names(places));
        let number = parse_decimal(&text).map_err(wrong)?;
        let number = if self.unsigned_amounts { number.abs() } else { number };
        let currency = self.currency.ok_or_else(|| wrong("there is no currency to determine its unit".into()))?;
        let wrong = |reason: String| wrong(format!("{} {reason}", shown(&text)));
        let digits = self.exponent.unwrap_or_else(|| self.profile.exponent(currency));
        let amount = match self.amounts {
            Amounts::Major => without_noise(number, digits.max(currency.exponent())).map_err(wrong)?,
            Amounts::Minor => from_minor(number, digits).map_err(wrong)?,
        };
        believed(amount).map(Some).map_err(wrong)
    }

    /// The smallest amount that the PSP can charge, where the currency has smaller ones.
    pub fn smallest(&self) -> Option<Decimal> {
        let currency = self.currency?;
        let digits = self.profile.exponent(currency);
        (digits < currency.exponent()).then(|| Decimal::new(1, digits))
    }

    /// The amount at the first place that has one, negative if it is written so.
    ///
    /// # Errors
    /// As [`Self::amount`], but for a negative number.
    pub fn signed_amount(&self, places: &[Place]) -> Result<Option<Decimal>, String> {
        let is_negative = self.scope.first(places).is_some_and(|text| text.trim_start().starts_with('-'));
        let amount = Self { unsigned_amounts: true, ..*self }.amount(places)?;
        Ok(amount.map(|amount| if is_negative { -amount } else { amount }))
    }

    /// The amount at the first place that has one.
    ///
    /// # Errors
    /// As [`Self::amount`], and if there is no amount.
    pub fn needed_amount(&self, places: &[Place]) -> Result<Decimal, String> {
        self.amount(places)?.ok_or_else(|| format!("amount at {}: missing", names(places)))
    }

    /// The instant at the first place that has one.
    ///
    /// # Errors
    /// The text is not an instant in the profile's format.
    pub fn instant(&self, places: &[Place]) -> Result<Option<Timestamp>, String> {
        let Some((place, text)) = places.iter().find_map(|place| Some((place, self.scope.text(place)?))) else {
            return Ok(None);
        };
        let format = if *place == Place::SignedAt { TimeFormat::Unix } else { self.time_format };
        instant(&text, format).map(Some).ok_or_else(|| format!("time at {place}: {} is not an instant", shown(&text)))
    }
}

/// An amount in major units, without the noise of binary floating point on the PSP's side: Digital River documents
/// 53.769999999999996. More decimal places than noise explains are refused.
fn without_noise(number: Decimal, digits: u32) -> Result<Decimal, String> {
    let rounded = number.round_dp(digits).normalize();
    if (number - rounded).abs() > NOISE {
        return Err(format!("has more than {digits} decimal places"));
    }
    Ok(rounded)
}

const NOISE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

/// An instant from 1970 to 9999. No payment has another year, and a date has four digits for its year.
fn instant(text: &str, format: TimeFormat) -> Option<Timestamp> {
    let instant: Option<Timestamp> = match format {
        TimeFormat::Unix => Timestamp::from_second(text.parse().ok()?).ok(),
        TimeFormat::UnixMs => Timestamp::from_millisecond(text.parse().ok()?).ok(),
        TimeFormat::Rfc3339 => text.parse().ok(),
        TimeFormat::Utc => {
            let at = text.parse::<DateTime>().ok().or_else(|| padded(text)?.parse().ok())?;
            at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
        }
        TimeFormat::UnixOrRfc3339 => {
            text.parse().map_or_else(|_| text.parse().ok(), |second| Timestamp::from_second(second).ok())
        }
    };
    instant.filter(|at| *at >= Timestamp::UNIX_EPOCH)
}

/// A time whose month or day has one digit, with two digits for each.
fn padded(text: &str) -> Option<String> {
    let end = text.find(['T', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(end);
    let [year, month, day] = <[&str; 3]>::try_from(date.split('-').collect::<Vec<_>>()).ok()?;
    Some(format!("{year}-{month:0>2}-{day:0>2}{time}"))
}

/// The currency at the first place that has one.
///
/// # Errors
/// The text is not a currency.
pub fn currency(scope: &Scope<'_>, places: &[Place]) -> Result<Option<Currency>, String> {
    scope
        .first(places)
        .map(|text| text.parse().map_err(|reason| format!("currency at {}: {reason}", names(places))))
        .transpose()
}

/// The most digits after the decimal point that any currency has.
const EXPONENT_MAX: u32 = 4;

/// The digits after the decimal point, at the first of these places that has text.
///
/// # Errors
/// The text is not a small number.
pub fn exponent(scope: &Scope<'_>, places: &[Place]) -> Result<Option<u32>, String> {
    let wrong =
        |text: &str| format!("exponent at {}: {} is not a number from 0 to {EXPONENT_MAX}", names(places), shown(text));
    scope
        .first(places)
        .map(|text| text.parse().ok().filter(|digits| *digits <= EXPONENT_MAX).ok_or_else(|| wrong(&text)))
        .transpose()
}

// One message may mean many events, and each keeps its ids and words. They must be short: otherwise a small body makes large
// events.

/// The longest PSP id with which a record can be registered, in bytes.
const ID_MAX: usize = 255;
/// The most of a PSP's words that is kept, in characters.
const WORDS_MAX: usize = 1024;

/// The PSP's words at the first place that has any.
#[must_use]
pub fn words(scope: &Scope<'_>, places: &[Place]) -> Option<String> {
    scope.first(places).map(|text| text.chars().take(WORDS_MAX).collect())
}

/// The id at the first place that has one.
///
/// # Errors
/// The text is too long for an id.
pub fn id(scope: &Scope<'_>, places: &[Place]) -> Result<Option<String>, String> {
    scope.first(places).map(|text| short(text, places)).transpose()
}

/// The ids at all places that have one.
///
/// # Errors
/// The text is too long for an id.
pub fn ids(scope: &Scope<'_>, places: &[Place]) -> Result<Vec<String>, String> {
    texts(scope, places).into_iter().map(|text| short(text, places)).collect()
}

fn short(id: String, places: &[Place]) -> Result<String, String> {
    if id.len() <= ID_MAX { Ok(id) } else { Err(format!("id at {}: more than {ID_MAX} bytes", names(places))) }
}

/// The texts at all places that have one, each once.
#[must_use]
pub fn texts(scope: &Scope<'_>, places: &[Place]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for text in places.iter().filter_map(|place| scope.text(place)) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// The places in words, for a reader of a dead letter.
pub fn names(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
