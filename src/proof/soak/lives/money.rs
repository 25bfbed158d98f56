//! Amounts in whole smallest units, and their forms in notifications.

use serde_json::{Number, Value};

use super::chance::Chance;

/// A currency as a life uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::proof::soak) struct Currency {
    /// ISO 4217, upper case.
    pub(super) code: &'static str,
    /// The decimal places of the amounts in lives.
    pub(super) digits: u32,
    /// The decimal places of the PSP's minor units.
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

/// The currencies in which a PSP counts otherwise than ISO 4217.
const STRIPES: [Currency; 2] = [currency("ISK", 0, 2), currency("UGX", 0, 2)];
const ADYENS: [Currency; 3] = [currency("ISK", 0, 2), currency("CLP", 0, 2), currency("IDR", 0, 0)];

impl Currency {
    /// A currency of this profile's PSP.
    pub(super) fn of(profile: &str, chance: &mut Chance) -> Self {
        match profile {
            "stripe" if chance.one_in(8) => chance.pick(&STRIPES),
            "adyen" if chance.one_in(8) => chance.pick(&ADYENS),
            _ => chance.pick(&EVERYWHERE),
        }
    }

    /// A likely amount of a payment, in smallest units.
    pub(super) fn amount(self, chance: &mut Chance) -> i64 {
        let whole = if chance.one_in(6) { chance.within(1, 9) } else { chance.within(10, 2_000) };
        match chance.within(0, 2) {
            0 => whole * power(self.digits),
            _ => whole * power(self.digits) + chance.within(0, power(self.digits) - 1),
        }
    }

    /// The amount as written by a PSP that counts in minor units.
    pub(super) fn minor(self, amount: i64) -> i64 {
        amount * power(self.wire.saturating_sub(self.digits))
    }

    /// The amount as written by the contract, and by PSPs that count in major units: a JSON number without needless zeros.
    pub(super) fn major(self, amount: i64) -> Value {
        self.text(amount).parse::<Number>().map_or(Value::Null, Value::Number)
    }

    /// The amount as written by a PSP that computes in binary floating point: `53.769999999999996`.
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
