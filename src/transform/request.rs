//! Bodies of Transform's own requests, POST /api/Preauth, /Payment and /Refund (contract, section 4), in the words of a
//! registration. Transform posts them to the payment stack, which may pass them on as they are.

use serde_json::{Map, Value};

use crate::domain::ids::{Kind, RecordKey};
use crate::domain::registration::Refusal;
use crate::domain::text::{masked, shown, shown_id};

/// The fields of a body, by name.
type Fields = Map<String, Value>;

/// The field by which Transform's bodies are known: each of them has it, and no registration has.
pub const SETTINGS_ID: &str = "pspSettingsId";
/// The id of the record in Transform's bodies. A registration has it in the path.
pub(super) const TRANSACTION_ID: &str = "transactionId";
/// The fields of a registration. Beside Transform's own, a body may have those that the payment stack has added.
pub(super) const FIELDS: [&str; 21] = [
    "agreementId",
    "answeredAt",
    "bearer",
    "currency",
    "description",
    "dueDate",
    "error",
    "expiresAt",
    "externalTransactionId",
    "paymentTransactionId",
    "preauthTransactionId",
    "pspAgreementId",
    "pspTransactionId",
    "redirectData",
    "redirectUrl",
    "requestedAmount",
    "source",
    "status",
    "statusAt",
    "tell",
    "webhookTarget",
];
/// The fields of `error`, each with its name in a refusal.
const ERROR_FIELDS: [(&str, &str); 3] =
    [("errorCode", "error.errorCode"), ("errorMessage", "error.errorMessage"), ("pspErrorCode", "error.pspErrorCode")];
/// The ids that Transform leaves empty where there is none.
pub const OPTIONAL_IDS: [&str; 3] = ["agreementId", "paymentTransactionId", "preauthTransactionId"];

/// The fields of a registration that a body says. A body with a `pspSettingsId` is Transform's own: its names are read in any
/// case, as the contract's sample reads them, and a field that does not concern the relay is left out. Any other body stays as it is.
/// `source_of` knows the source of a `pspSettingsId`.
///
/// # Errors
/// A field is there twice, the body is of another record, or no source or two sources are named.
pub fn registration<'a>(
    body: Fields,
    key: &RecordKey,
    source_of: impl FnOnce(&str) -> Option<&'a str>,
) -> Result<Fields, Refusal> {
    if !body.keys().any(|name| name.eq_ignore_ascii_case(SETTINGS_ID)) {
        return Ok(body);
    }
    let names = FIELDS.into_iter().chain([SETTINGS_ID, TRANSACTION_ID]).map(|name| (name, name));
    let (mut fields, _) = in_our_case(body, names)?;
    let id = fields.remove(SETTINGS_ID).unwrap_or_default();
    is_of(&mut fields, key)?;
    for id in OPTIONAL_IDS {
        if fields.get(id).and_then(Value::as_str) == Some("") {
            fields.remove(id);
        }
    }
    if let Some(Value::Object(error)) = fields.get_mut("error") {
        let (mut known, others) = in_our_case(std::mem::take(error), ERROR_FIELDS.into_iter())?;
        known.extend(others);
        *error = known;
    }
    name_source(&mut fields, &id, source_of)?;
    Ok(fields)
}

/// Takes out a `pspSettingsId` that names the source, where there is one. The other fields stay as they are.
///
/// # Errors
/// No source or two sources are named.
pub fn with_source<'a>(fields: &mut Fields, source_of: impl FnOnce(&str) -> Option<&'a str>) -> Result<(), Refusal> {
    fields.remove(SETTINGS_ID).map_or(Ok(()), |id| name_source(fields, &id, source_of))
}

/// Says the source that a `pspSettingsId` names.
fn name_source<'a>(
    fields: &mut Fields,
    id: &Value,
    source_of: impl FnOnce(&str) -> Option<&'a str>,
) -> Result<(), Refusal> {
    let source = named_source(id, source_of)?;
    match fields.get("source") {
        None | Some(Value::Null) => drop(fields.insert("source".to_owned(), source.into())),
        Some(Value::String(other)) if other != source => {
            let reason = format!("is {}, but {SETTINGS_ID} names source {source:?}: leave one out", shown(other));
            return Err(Refusal::invalid("source", reason));
        }
        Some(_) => {}
    }
    Ok(())
}

/// The fields with these names, in the case in which the names are given, and the other fields. A refusal has the name beside.
fn in_our_case(
    body: Fields,
    names: impl Iterator<Item = (&'static str, &'static str)> + Clone,
) -> Result<(Fields, Fields), Refusal> {
    let (mut known, mut others) = (Map::new(), Map::new());
    for (name, value) in body {
        match names.clone().find(|(ours, _)| ours.eq_ignore_ascii_case(&name)) {
            None => drop(others.insert(name, value)),
            Some((ours, field)) => {
                if known.insert(ours.to_owned(), value).is_some() {
                    let reason = "is there twice, in upper and lower case. Both count as the same field: leave one out";
                    return Err(Refusal::invalid(field, reason));
                }
            }
        }
    }
    Ok((known, others))
}

/// The source that a `pspSettingsId` names.
fn named_source<'a>(id: &Value, source_of: impl FnOnce(&str) -> Option<&'a str>) -> Result<&'a str, Refusal> {
    let wrong = |must: &str| Refusal::invalid(SETTINGS_ID, format!("is {}, but {must}", written(id, shown)));
    match id.as_str() {
        None | Some("") => Err(wrong("must be a text that is not empty")),
        Some(text) => source_of(text).ok_or_else(|| {
            wrong("no source has it: add it to sources.NAME.psp_settings_ids in the relay's configuration")
        }),
    }
}

/// Checks that a body is of the record that the path names, and takes the id out. An agreement has an id of its own, beside that
/// of the transaction that created it.
fn is_of(fields: &mut Fields, key: &RecordKey) -> Result<(), Refusal> {
    let transaction = fields.remove(TRANSACTION_ID);
    let (field, id) = match key.kind {
        Kind::Agreement => ("agreementId", fields.remove("agreementId")),
        Kind::Preauth | Kind::Payment | Kind::Refund => (TRANSACTION_ID, transaction),
    };
    match id {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(id)) if id == key.id.as_str() => Ok(()),
        Some(other) => {
            let path = shown_id(key.id.as_str());
            Err(Refusal::invalid(field, format!("is {}, but the path names {path}", written(&other, shown_id))))
        }
    }
}

/// A value in the form in which a refusal may repeat it. A list or an object may hold the payer's data.
fn written(value: &Value, text: impl Fn(&str) -> String) -> String {
    match value {
        Value::String(written) => text(written),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => masked(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::registration::Registration;
    use crate::domain::stated::StatedError;

    fn read(kind: Kind, body: &Value) -> Result<Value, Refusal> {
        let key = RecordKey::new(kind, "tx-1".parse().unwrap());
        let source_of = |id: &str| (id == "known").then_some("stripe-main");
        registration(body.as_object().unwrap().clone(), &key, source_of).map(Value::Object)
    }

    fn refused(kind: Kind, body: &Value) -> (&'static str, String) {
        let refusal = read(kind, body).unwrap_err();
        assert!(!refusal.conflict);
        (refusal.field, refusal.reason)
    }

    /// The names that serde knows of a struct that refuses others.
    fn names<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>(r#"{"?": 1}"#).err().unwrap().to_string();
        let mut names: Vec<_> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        names.sort();
        names
    }

    #[test]
    fn every_field_of_a_registration_is_known() {
        assert_eq!(names::<Registration>(), FIELDS);
        assert_eq!(names::<StatedError>(), ERROR_FIELDS.map(|(name, _)| name));
        assert!(ERROR_FIELDS.iter().all(|(name, field)| *field == format!("error.{name}")));
    }

    #[test]
    fn transforms_body_is_read_in_any_case_and_what_does_not_concern_the_relay_is_left_out() {
        let camel = json!({
            "pspSettingsId": "known", "transactionId": "tx-1", "requestedAmount": 1.5, "currency": "EUR",
            "webhookTarget": "https://t.example/", "agreementId": "ag-1", "preauthTransactionId": "tx-0",
            "payerData": {"firstName": "Petra"}, "isInitial": true, "plannedExecutionDate": "2026-03-31",
            "pspTransactionId": "pi_1", "tell": true, "error": {"pspErrorCode": "51"},
        });
        let expected = json!({
            "source": "stripe-main", "requestedAmount": 1.5, "currency": "EUR", "webhookTarget": "https://t.example/",
            "agreementId": "ag-1", "preauthTransactionId": "tx-0", "pspTransactionId": "pi_1", "tell": true,
            "error": {"pspErrorCode": "51"},
        });
        assert_eq!(read(Kind::Payment, &camel).as_ref(), Ok(&expected));
        let recased = |case: fn(&str) -> String| {
            let recased = |(name, value): (&String, &Value)| (case(name), value.clone());
            let mut body: Map<_, _> = camel.as_object().unwrap().iter().map(recased).collect();
            body.insert(case("error"), json!({case("pspErrorCode"): "51"}));
            Value::Object(body)
        };
        let pascal = |name: &str| name[..1].to_uppercase() + &name[1..];
        for case in [pascal, |name: &str| name.to_lowercase(), |name: &str| name.to_uppercase()] {
            assert_eq!(read(Kind::Payment, &recased(case)).as_ref(), Ok(&expected));
        }
    }

    #[test]
    fn ids_that_are_empty_or_null_are_absent() {
        let body = json!({
            "pspSettingsId": "known", "transactionId": null, "agreementId": "", "preauthTransactionId": null,
            "PaymentTransactionId": "",
        });
        let said: Registration = serde_json::from_value(read(Kind::Payment, &body).unwrap()).unwrap();
        assert_eq!(said, Registration { source: Some("stripe-main".to_owned()), ..Registration::default() });
        // Only Transform leaves these empty. What the payment stack adds is read as ever.
        let body = json!({"pspSettingsId": "known", "pspTransactionId": ""});
        assert_eq!(read(Kind::Payment, &body).unwrap()["pspTransactionId"], "");
    }

    #[test]
    fn any_other_body_stays_as_it_is() {
        let body = json!({"RequestedAmount": 1, "requestedAmount": 2, "payerData": {}, "agreementId": ""});
        assert_eq!(read(Kind::Payment, &body), Ok(body));
    }

    #[test]
    fn an_id_of_psp_settings_is_a_text_that_a_source_has() {
        let id = |id: Value| refused(Kind::Payment, &json!({"PspSettingsId": id, "source": "stripe-main"}));
        let (field, reason) = id("other".into());
        assert_eq!((field, reason.contains("\"other\"")), ("pspSettingsId", true));
        assert!(reason.contains("sources.NAME.psp_settings_ids"), "{reason}");
        assert!(id("4111111111111111".into()).1.contains("[card number]"));
        for (wrong, said) in
            [("".into(), "\"\""), (Value::Null, "null"), (7.into(), "7"), (json!({"a": "Petra"}), "an object")]
        {
            let reason = format!("is {said}, but must be a text that is not empty");
            assert_eq!(id(wrong), ("pspSettingsId", reason));
        }
    }

    #[test]
    fn two_sources_are_one_too_many() {
        let of = |source: Value| read(Kind::Payment, &json!({"pspSettingsId": "known", "source": source}));
        for same in [Value::Null, "stripe-main".into()] {
            assert_eq!(of(same).unwrap()["source"], "stripe-main");
        }
        for other in ["stripe-two", ""] {
            let refusal = of(other.into()).unwrap_err();
            assert_eq!(refusal.field, "source");
            assert!(refusal.reason.contains(&format!("{other:?}")) && refusal.reason.contains("\"stripe-main\""));
        }
        assert_eq!(of(7.into()).unwrap()["source"], 7, "the wrong type is refused where all are");
    }

    #[test]
    fn a_body_is_of_the_record_that_the_path_names() {
        for kind in [Kind::Preauth, Kind::Payment, Kind::Refund] {
            let (field, reason) = refused(kind, &json!({"pspSettingsId": "known", "TransactionId": "tx-2"}));
            assert_eq!((field, reason.as_str()), ("transactionId", "is \"tx-2\", but the path names \"tx-1\""));
        }
        for other in [Value::from(1), "".into(), "TX-1".into()] {
            refused(Kind::Payment, &json!({"pspSettingsId": "known", "transactionId": other}));
        }
        // What created an agreement has an id of its own.
        let body = json!({"pspSettingsId": "known", "transactionId": "tx-2", "agreementId": "tx-1"});
        assert_eq!(read(Kind::Agreement, &body), Ok(json!({"source": "stripe-main"})));
        assert_eq!(refused(Kind::Agreement, &json!({"pspSettingsId": "known", "agreementId": "ag"})).0, "agreementId");
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_and_any_other_is_none_of_ours() {
        for field in FIELDS.into_iter().chain([SETTINGS_ID, TRANSACTION_ID]) {
            let mut body = json!({"pspSettingsId": "known"});
            body[field.to_uppercase()] = "x".into();
            body[field] = "x".into();
            assert_eq!(refused(Kind::Payment, &body).0, field);
        }
        let error = json!({"ErrorCode": "InvalidData", "errorCode": "InvalidData", "Other": 1});
        let (field, reason) = refused(Kind::Payment, &json!({"pspSettingsId": "known", "error": error}));
        assert_eq!(field, "error.errorCode", "{reason}");
        let others = json!({"pspSettingsId": "known", "payerData": 1, "PayerData": 2});
        assert_eq!(read(Kind::Payment, &others), Ok(json!({"source": "stripe-main"})));
        // An error is as strict as ever.
        let error = json!({"pspSettingsId": "known", "error": {"ReceivedAt": "now"}});
        assert_eq!(read(Kind::Payment, &error).unwrap()["error"], json!({"ReceivedAt": "now"}));
    }
}
