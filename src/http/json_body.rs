//! Bodies in JSON: an object whose fields are read strictly. The refusal of a field names it.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::problem::Problem;
use crate::domain::json::{self, in_our_words};
use crate::domain::text::masked;

/// The longest name of a field that may stand in the log, in characters.
const FIELD_MAX: usize = 32;

/// The object of a body. Text that is no JSON is answered with 400, a name that stands twice in its object with 422.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let json = json::read(bytes).map_err(|reason| Problem::new(400, format!("no JSON: {reason}")))?;
    let Value::Object(body) = json else { return Err(Problem::new(422, "the body must be a JSON object")) };
    if let Some(way) = json::twice(bytes) {
        return Err(refused(
            &way.join("."),
            way.iter().all(|name| may_be_told(name)),
            "is there twice in its object: leave one out",
        ));
    }
    Ok(body)
}

/// Reads the fields of a body. A wrong or unknown field is answered with 422, and the answer names the field.
pub(super) fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let may_be_told = error.path().iter().all(|part| !matches!(part, Segment::Map { key } if !may_be_told(key)));
        let field = error.path().to_string();
        let reason = in_our_words(&error.into_inner().to_string());
        if field != "." {
            return refused(&field, may_be_told, &reason);
        }
        Problem::new(422, masked(&reason)).because("Unprocessable Entity", "the body as a whole is not as it must be")
    })
}

/// The refusal of a field. The reader repeats what it cannot read, and that may be the payer's; so may be the name of the field.
pub(super) fn refused(field: &str, may_be_told: bool, reason: &str) -> Problem {
    let problem = Problem::field(&masked(field), &masked(reason));
    let untold = "a field is refused. Its name is in the answer but not here: it does not look like a field's name";
    if may_be_told { problem } else { problem.because("Unprocessable Entity", untold) }
}

/// Whether the name of a field may stand in the log. A text that does not look like a field's name may be anything, also the
/// payer's data.
pub(super) fn may_be_told(name: &str) -> bool {
    name.len() <= FIELD_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
