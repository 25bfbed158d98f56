//! How facts are written into rows: as JSON that is compressed, with a format version and a checksum. All engines share it.

pub mod notification;
mod sealed;
mod sum;
mod zipped;

pub(in crate::store) use sum::Sum;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The format of records and events: JSON, compressed with the dictionary of this version. Before it, the JSON stood in its row as text,
/// without a checksum.
const JSON_ZIPPED: u8 = 2;

/// A record or an event, ready for its row.
///
/// # Errors
/// It cannot be written as JSON, or compressed.
pub(in crate::store) fn write(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    Ok(sealed::seal(JSON_ZIPPED, &zipped::zip_like_records(&json)?))
}

/// Reads a record or an event from its row.
///
/// # Errors
/// The row is damaged, or of a later format. The error does not repeat the JSON: it may be payer data.
pub(in crate::store) fn read<T: DeserializeOwned>(sealed: &[u8]) -> Result<T, String> {
    text(&opened(sealed)?)
}

/// The JSON of a record or an event, from its row, whether or not it is sealed there.
///
/// # Errors
/// The row is damaged, or of a later format.
pub fn json_of(stored: &[u8]) -> Result<String, String> {
    let json = if stored.starts_with(b"{") { stored.to_vec() } else { opened(stored)? };
    String::from_utf8(json).map_err(|_| "its JSON is not UTF-8".to_owned())
}

fn opened(sealed: &[u8]) -> Result<Vec<u8>, String> {
    let (JSON_ZIPPED, zipped) = sealed::open(sealed)? else {
        return Err(format!("its format is not {JSON_ZIPPED}"));
    };
    zipped::unzip_like_records(zipped)
}

/// Reads a record or an event from JSON.
///
/// # Errors
/// It is none. The error does not repeat the JSON: it may be payer data.
pub(in crate::store) fn text<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json)
        .map_err(|error| format!("its JSON cannot be read at line {}, column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_wrong_bit_is_noticed_wherever_it_is() {
        let written = write(&"a fact").unwrap();
        assert_eq!(read::<String>(&written), Ok("a fact".to_owned()));
        for bit in 0..written.len() * 8 {
            let mut damaged = written.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read::<String>(&damaged).is_err(), "{bit}");
        }
        (0..written.len()).for_each(|length| assert!(read::<String>(&written[..length]).is_err(), "{length}"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in ".{0,2000}") {
            prop_assert_eq!(read::<String>(&write(&text).unwrap()), Ok(text));
        }
    }
}
