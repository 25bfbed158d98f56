//! The headers and the body of a notification, as one compressed value.

use super::{sealed, zipped};

/// How a notification stands in its row: the column `packing`.
pub const PLAIN: i64 = 0;
/// Headers and body are one sealed value in the column of the body.
pub const PACKED: i64 = 1;

/// The format of a packed notification: the length of the headers, the headers as JSON, and the body, compressed as one.
const ZIPPED: u8 = 1;
/// The length of that length.
const HEAD: usize = 4;

/// Headers and body of a notification, ready for its row.
#[derive(Debug)]
pub(in crate::store) struct Packed {
    /// The column `packing`.
    pub(in crate::store) packing: i64,
    /// The headers as JSON; empty if they are packed with the body.
    pub(in crate::store) headers: String,
    /// The body, or the packed value.
    pub(in crate::store) body: Vec<u8>,
    /// The length of the headers as JSON and of the body, before they were packed.
    pub(in crate::store) bytes: i64,
}

impl Packed {
    /// Packs headers, as JSON, and a body. What cannot be compressed stays as it is.
    pub(in crate::store) fn of(headers: String, body: Vec<u8>) -> Self {
        let bytes = i64::try_from(headers.len().saturating_add(body.len())).unwrap_or(i64::MAX);
        match pack(&headers, &body) {
            Ok(body) => Self { packing: PACKED, headers: String::new(), body, bytes },
            Err(_) => Self { packing: PLAIN, headers, body, bytes },
        }
    }
}

fn pack(headers: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let length = u32::try_from(headers.len()).map_err(|_| "its headers are too long".to_owned())?;
    let mut both = Vec::with_capacity(HEAD + headers.len() + body.len());
    both.extend(length.to_le_bytes());
    both.extend(headers.as_bytes());
    both.extend(body);
    Ok(sealed::seal(ZIPPED, &zipped::zip(&both)?))
}

/// The headers, as JSON, and the body of a row, packed or not.
///
/// # Errors
/// The row is damaged, or of a later format. The error does not repeat what stands there: it may be payer data.
pub fn unpack(packing: i64, headers: &str, body: &[u8]) -> Result<(String, Vec<u8>), String> {
    match packing {
        PLAIN => Ok((headers.to_owned(), body.to_owned())),
        PACKED => unpacked(body),
        other => Err(format!("its packing is {other}; it should be {PLAIN} or {PACKED}")),
    }
}

fn unpacked(packed: &[u8]) -> Result<(String, Vec<u8>), String> {
    let (ZIPPED, zipped) = sealed::open(packed)? else { return Err(format!("its format is not {ZIPPED}")) };
    let mut both = zipped::unzip(zipped)?;
    let length = both.first_chunk::<HEAD>().map(|length| u32::from_le_bytes(*length));
    let end =
        length.and_then(|length| HEAD.checked_add(usize::try_from(length).ok()?)).filter(|end| *end <= both.len());
    let body = both.split_off(end.ok_or_else(|| "its headers are longer than it is".to_owned())?);
    let headers = String::from_utf8(both.split_off(HEAD)).map_err(|_| "its headers are not UTF-8".to_owned())?;
    Ok((headers, body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(headers in ".{0,300}", body in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let packed = pack(&headers, &body).unwrap();
            prop_assert_eq!(unpack(PACKED, "", &packed), Ok((headers.clone(), body.clone())));
            prop_assert_eq!(unpack(PLAIN, &headers, &body), Ok((headers, body)));
        }
    }
}
