//! Sealed values: a format version before them, and a checksum of both. One flipped bit must not turn a fact into another one.

/// The length of the seal: the format version and a CRC-32.
const SEAL: usize = 5;

/// Seals a value in a format.
pub(super) fn seal(format: u8, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(SEAL + value.len());
    sealed.push(format);
    sealed.extend(sum(format, value).to_le_bytes());
    sealed.extend(value);
    sealed
}

/// The format and the value that were sealed.
///
/// # Errors
/// The seal is broken.
pub(super) fn open(sealed: &[u8]) -> Result<(u8, &[u8]), String> {
    let opened = sealed.split_first().and_then(|(format, rest)| Some((*format, rest.split_first_chunk::<4>()?)));
    match opened {
        Some((format, (found, value))) if u32::from_le_bytes(*found) == sum(format, value) => Ok((format, value)),
        Some(_) => Err("its checksum is wrong".to_owned()),
        None => Err("it is too short for its checksum".to_owned()),
    }
}

fn sum(format: u8, value: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[format]);
    sum.update(value);
    sum.finalize()
}
