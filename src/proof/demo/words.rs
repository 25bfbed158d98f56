//! The demo's words: amounts with the decimals of their currency, a record in one sentence, and lines of at most 80 columns.
//! Pure.

use serde_json::Value;

use crate::domain::money::{Currency, parse_decimal};

/// The most columns of a line.
pub(super) const COLUMNS: usize = 80;

/// An amount with the decimals of its currency: `89.25 EUR`, `120.00 EUR`, `5990 JPY`.
pub(super) fn amount(amount: &Value, currency: &Value) -> String {
    let code = currency.as_str().unwrap_or_default();
    let text = amount.to_string();
    let (Ok(mut decimal), Ok(known)) = (parse_decimal(&text), code.parse::<Currency>()) else {
        return format!("{text} {code}");
    };
    if decimal.scale() < known.exponent() {
        decimal.rescale(known.exponent());
    }
    format!("{decimal} {known}")
}

/// A record as Transform reads it: its status, and its amounts if it has any.
pub(super) fn record(body: &Value) -> String {
    let sum = |value: &Value| amount(value, &body["currency"]);
    let mut parts = Vec::new();
    for (list, name) in [("payments", "paid"), ("chargebacks", "charged back")] {
        let items = body[list].as_array().into_iter().flatten();
        parts.extend(items.map(|item| {
            let date = item["bookingDate"].as_str().unwrap_or_default();
            format!("{} {name} on {date}", sum(&item["amount"]))
        }));
    }
    for (field, name) in
        [("authorizedAmount", "authorized"), ("refundedAmount", "refunded"), ("refundableAmount", "refundable")]
    {
        parts.extend(body.get(field).map(|value| format!("{} {name}", sum(value))));
    }
    let status = body["status"].as_str().unwrap_or("without a status");
    if parts.is_empty() { status.to_owned() } else { format!("{status}: {}", parts.join(", ")) }
}

/// A text in lines of at most this many columns, broken between words. A longer word has a line of its own.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        let said = |number: &str, currency: &str| amount(&serde_json::from_str(number).unwrap(), &json!(currency));
        assert_eq!(said("120", "EUR"), "120.00 EUR");
        assert_eq!(said("89.25", "EUR"), "89.25 EUR");
        assert_eq!(said("5990", "JPY"), "5990 JPY");
        assert_eq!(said("1.5", "KWD"), "1.500 KWD");
        assert_eq!(said("0.125", "EUR"), "0.125 EUR", "no digit is lost");
        assert_eq!(said("7", "???"), "7 ???");
    }

    #[test]
    fn a_record_is_one_sentence() {
        let paid = json!({"status": "Succeeded", "currency": "EUR", "refundedAmount": 19.25, "refundableAmount": 70,
                          "payments": [{"amount": 89.25, "bookingDate": "2026-11-29"}], "chargebacks": []});
        let said = "Succeeded: 89.25 EUR paid on 2026-11-29, 19.25 EUR refunded, 70.00 EUR refundable";
        assert_eq!(record(&paid), said);
        assert_eq!(record(&json!({"status": "Active"})), "Active");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("→ → →", 3), ["→ →", "→"]);
        assert_eq!(wrapped("a-long-word b", 4), ["a-long-word", "b"]);
        assert!(wrapped("", 4).is_empty());
    }
}
