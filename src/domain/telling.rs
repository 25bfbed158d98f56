//! The wish that Transform be told again: of records by id, or of deliveries that were given up.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::time;
use super::ids::TransformId;
use super::registration::Refusal;
use super::text::shown;

/// The records that Transform is to be told of again: these ids, or else deliveries that were given up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToTell {
    /// Only what was given up at this host, such as `app.billwerk.com`. A port behind a colon chooses that port alone.
    #[schemars(length(min = 1, max = 255))]
    pub host: Option<String>,
    /// Only what was given up then or later: RFC 3339.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<Timestamp>")]
    pub since: Option<Timestamp>,
    /// Transform's ids of records. They are told whether or not anything is owed of them. `host` and `since` exclude them.
    #[schemars(length(min = 1, max = 1000))]
    pub ids: Option<Vec<TransformId>>,
    /// Whether nothing is changed: the answer says what would be told.
    pub dry_run: bool,
}

/// The most ids of one wish.
pub const IDS_MAX: usize = 1000;
/// The longest name of a host with its port, in bytes.
const HOST_MAX: usize = 255;

impl ToTell {
    /// The wish for one record.
    #[must_use]
    pub fn one(id: TransformId) -> Self {
        Self { ids: Some(vec![id]), ..Self::default() }
    }

    /// Checks that it can be meant.
    ///
    /// # Errors
    /// The field that is wrong, and what is right.
    pub fn check(&self) -> Result<(), Refusal> {
        let Some(ids) = &self.ids else {
            return match &self.host {
                Some(host) if !can_be_host(host) => Err(Refusal::invalid(
                    "host",
                    format!("is {}, but must be a host such as app.billwerk.com or app.billwerk.com:443", shown(host)),
                )),
                _ => Ok(()),
            };
        };
        if self.host.is_some() || self.since.is_some() {
            return Err(Refusal::invalid("ids", "stand beside host or since, which exclude them: leave one out"));
        }
        if ids.is_empty() {
            return Err(Refusal::invalid("ids", format!("is empty, but must have 1 to {IDS_MAX} ids")));
        }
        if ids.len() > IDS_MAX {
            return Err(Refusal::invalid("ids", format!("has {} ids, but must have 1 to {IDS_MAX}", ids.len())));
        }
        Ok(())
    }
}

/// Whether a text can be the name of a host, with its port or without. An URL is none.
fn can_be_host(text: &str) -> bool {
    let may_stand_there = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (1..=HOST_MAX).contains(&text.len()) && text.bytes().all(may_stand_there)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(wish: Value) -> String {
        let wish: ToTell = match serde_json::from_value(wish) {
            Ok(wish) => wish,
            Err(error) => return error.to_string(),
        };
        wish.check().err().map(|refusal| refusal.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_wish_that_cannot_be_meant_is_refused_with_its_field() {
        let many = vec!["tx-1"; IDS_MAX + 1];
        for (wish, said) in [
            (json!({}), ""),
            (json!({"host": "app.billwerk.com", "since": "2026-03-01T00:00:00Z", "dryRun": true}), ""),
            (json!({"host": "[::1]:9000"}), ""),
            (json!({"ids": ["tx-1"]}), ""),
            (json!({"host": ""}), "host: is \"\", but must be a host"),
            (
                json!({"host": "https://app.billwerk.com/"}),
                "host: is \"https://app.billwerk.com/\", but must be a host",
            ),
            (json!({"ids": ["tx-1"], "host": "a"}), "ids: stand beside host or since"),
            (json!({"ids": ["tx-1"], "since": "2026-03-01T00:00:00Z"}), "ids: stand beside host or since"),
            (json!({"ids": []}), "ids: is empty, but must have 1 to 1000 ids"),
            (json!({"ids": many}), "ids: has 1001 ids, but must have 1 to 1000"),
            (json!({"ids": ["a b"]}), "\"a b\" is no Transform id: such an id has 1 to 128 visible ASCII characters"),
            (json!({"since": "yesterday"}), "is \"yesterday\", but must be a time such as"),
            (json!({"hosts": "a"}), "unknown field `hosts`"),
        ] {
            let refused = refusal(wish.clone());
            assert!(refused.starts_with(said) && refused.is_empty() == said.is_empty(), "{wish}: {refused}");
        }
    }
}
