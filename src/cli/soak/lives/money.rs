//! Amounts in whole smallest units, and how they are written.

use serde_json::{Number, Value};

use super::chance::Chance;

/// A currency as a life uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli::soak) struct Currency {
    /// ISO 4217, upper case.
    pub(super) code: &'static str,
    /// Decimal places of the amounts that occur.
    pub(super) digits: u32,
    /// Decimal places that the PSP counts in where it counts in minor units.
    wire: u32,
}

const fn currency(code: &'static str, digits: u32, wire: u32) -> Currency {
    Currency { code, digits, wire }
}

const EVERYWHERE: [Currency; 7] = [
    currency("EUR", 2, 2),
    currency("EUR", 2, 2),
    currency("EUR", 2, 2),
    currency("USD", 2, 2),
    currency("CHF", 2, 2),
    currency("JPY", 0, 0),
    currency("KWD", 3, 3),
];

/// Where a PSP counts otherwise than ISO 4217 says.
const STRIPES: [Currency; 2] = [currency("ISK", 0, 2), currency("UGX", 0, 2)];
const ADYENS: [Currency; 3] = [currency("ISK", 0, 2), currency("CLP", 0, 2), currency("IDR", 0, 0)];

impl Currency {
    /// A currency that the PSP of this profile deals in.
    pub(super) fn of(profile: &str, chance: &mut Chance) -> Self {
        match profile {
            "stripe" if chance.one_in(8) => chance.pick(&STRIPES),
            "adyen" if chance.one_in(8) => chance.pick(&ADYENS),
            _ => chance.pick(&EVERYWHERE),
        }
    }

    /// An amount that somebody might pay, in smallest units.
    pub(super) fn amount(self, chance: &mut Chance) -> i64 {
        let whole = if chance.one_in(6) { chance.within(1, 9) } else { chance.within(10, 2_000) };
        match chance.within(0, 2) {
            0 => whole * power(self.digits),
            _ => whole * power(self.digits) + chance.within(0, power(self.digits) - 1),
        }
    }

    /// As a PSP writes it that counts in minor units.
    pub(super) fn minor(self, amount: i64) -> i64 {
        amount * power(self.wire.saturating_sub(self.digits))
    }

    /// As the contract writes it, and PSPs that count in major units: a JSON number without needless zeros.
    pub(super) fn major(self, amount: i64) -> Value {
        self.text(amount).parse::<Number>().map_or(Value::Null, Value::Number)
    }

    /// As a PSP writes it that computed it in binary floating point: `53.769999999999996`.
    pub(super) fn noisy(self, amount: i64) -> Value {
        if self.digits == 0 || amount < 1 {
            return self.major(amount);
        }
        let digits = usize::try_from(self.digits).unwrap_or_default();
        let below = amount - 1;
        let text = format!("{}.{:0digits$}{}", below / power(self.digits), below % power(self.digits), "9999999999996");
        text.parse::<Number>().map_or(Value::Null, Value::Number)
    }

    pub(super) fn text(self, amount: i64) -> String {
        let digits = usize::try_from(self.digits).unwrap_or_default();
        let (whole, part) = (amount / power(self.digits), amount % power(self.digits));
        let part = format!("{part:0digits$}");
        let part = part.trim_end_matches('0');
        if part.is_empty() { whole.to_string() } else { format!("{whole}.{part}") }
    }
}

const fn power(digits: u32) -> i64 {
    10_i64.pow(digits)
}
