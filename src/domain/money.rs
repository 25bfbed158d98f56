//! Money: decimal amounts in major units with an ISO 4217 currency. Never floating point.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{masked, shown};

/// An ISO 4217 currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^[A-Z]{3}$"))]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Digits after the decimal point by ISO 4217; 2 for the few codes (metals, funds) that have none.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }

    /// The three-letter code, upper case.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = String;

    /// Takes the code in any case: Stripe writes `eur`. CNH is the renminbi as it is traded outside mainland China. ISO 4217 has
    /// no code for it, and it is the same money as CNY.
    fn from_str(text: &str) -> Result<Self, String> {
        let code = text.to_ascii_uppercase();
        let code = if code == "CNH" { "CNY" } else { &code };
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or_else(|| format!("{} is not an ISO 4217 currency code", shown(text)))
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The largest amount that is accepted, in major units. It bounds the sums: 28 digits fit a [`Decimal`].
pub const LARGEST_AMOUNT: Decimal = Decimal::from_parts(0x4876_E800, 0x17, 0, false, 0); // 10^11

/// Reads a decimal number exactly, as PSPs and integrators write it: `12.9`, `-5`, `1E+2`.
///
/// # Errors
/// The text is not a decimal number, or has more than 28 digits.
pub fn parse_decimal(text: &str) -> Result<Decimal, String> {
    let wrong = || format!("{} is not a decimal number", shown(text));
    // The parser would skip underscores; no PSP writes them.
    if text.contains('_') {
        return Err(wrong());
    }
    // The parser of exponents would round the part before one.
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let exact = Decimal::from_str_exact(mantissa).map_err(|_| wrong())?;
    let number = if mantissa == text { Ok(exact) } else { Decimal::from_scientific(text) };
    number.map(|number| number.normalize()).map_err(|_| wrong())
}

/// Accepts an amount in major units: not negative, and not beyond [`LARGEST_AMOUNT`].
///
/// # Errors
/// The reason, without the amount itself, which may be anything.
pub fn believed(amount: Decimal) -> Result<Decimal, String> {
    if amount < Decimal::ZERO {
        return Err("is negative".to_owned());
    }
    if amount > LARGEST_AMOUNT {
        return Err(format!("is more than {LARGEST_AMOUNT}"));
    }
    Ok(amount)
}

/// Accepts an amount that the payment stack says, in major units.
///
/// # Errors
/// The amount, and the reason.
pub fn stated(amount: Decimal) -> Result<Decimal, String> {
    let said = || masked(&amount.to_string());
    match believed(amount) {
        Err(reason) if amount < Decimal::ZERO => Err(format!("{} {reason}, but must be 0 or more", said())),
        Err(reason) => Err(format!("{} {reason}", said())),
        Ok(amount) => Ok(amount),
    }
}

/// Turns an amount in minor units into major units: `1050` with exponent 2 is `10.50`.
///
/// # Errors
/// The amount has a fraction: minor units are whole.
pub fn from_minor(minor: Decimal, exponent: u32) -> Result<Decimal, String> {
    if !minor.fract().is_zero() {
        return Err("is not a whole number of minor units".to_owned());
    }
    Decimal::try_from_i128_with_scale(minor.trunc().mantissa(), exponent)
        .map(|amount| amount.normalize())
        .map_err(|_| format!("is more than {LARGEST_AMOUNT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        parse_decimal(text).unwrap()
    }

    #[test]
    fn minor_units_follow_the_exponent() {
        assert_eq!(from_minor(dec("1050"), 2).unwrap(), dec("10.5"));
        assert_eq!(from_minor(dec("5000"), 0).unwrap(), dec("5000"));
        assert_eq!(from_minor(dec("5120"), 3).unwrap(), dec("5.12"));
        assert_eq!(from_minor(dec("-7"), 2).unwrap(), dec("-0.07"));
        assert!(from_minor(dec("10.5"), 2).is_err());
    }

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(dec("0.1") + dec("0.2"), dec("0.3"));
        assert_eq!(dec("139000.0").to_string(), "139000");
        assert_eq!(dec("1E+2"), dec("100"));
        assert_eq!(LARGEST_AMOUNT.to_string(), "100000000000");
        let rounded = format!("0.{}1e35", "0".repeat(34));
        for bad in ["", "NaN", "12,5", "1_000", "1e400", "12345678901234567890123456789012", "1e-400", "1e", &rounded] {
            assert!(parse_decimal(bad).is_err(), "{bad}");
        }
        assert!(believed(dec("100000000000")).is_ok());
        assert!(believed(dec("100000000001")).is_err());
        assert!(believed(dec("-0.01")).is_err());
    }

    #[test]
    fn an_amount_of_the_payment_stack_is_repeated_unless_it_may_be_a_card_number() {
        let reason = |text| stated(dec(text)).unwrap_err();
        assert_eq!(reason("-0.01"), "-0.01 is negative, but must be 0 or more");
        assert_eq!(reason("100000000001"), "100000000001 is more than 100000000000");
        assert_eq!(reason("-4111111111111111"), "-[card number] is negative, but must be 0 or more");
        assert_eq!(stated(dec("0")), Ok(dec("0")));
    }

    #[test]
    fn exponents_are_iso_4217() {
        for (code, digits) in [("EUR", 2), ("jpy", 0), ("KWD", 3), ("CLP", 0)] {
            assert_eq!(code.parse::<Currency>().unwrap().exponent(), digits, "{code}");
        }
        assert!("EURO".parse::<Currency>().is_err());
    }

    #[test]
    fn the_renminbi_has_two_codes() {
        let codes = ["CNH", "cnh", "CNY"].map(|code| code.parse::<Currency>().unwrap());
        assert_eq!(codes.map(Currency::code), ["CNY"; 3]);
    }
}
