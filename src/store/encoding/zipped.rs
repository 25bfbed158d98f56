//! Compression with Zstandard. Records and events are compressed with a dictionary: most of them are names of fields.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// The effort: more of it costs more time than it saves room.
const LEVEL: i32 = 1;
/// The effort for records and events, which the writer compresses: less of it, twice as quick, for a tenth more room.
const LEVEL_OF_RECORDS: i32 = -5;

/// Records and events as they are written, the usual ones last. A row can only be read with the dictionary that it was written with: it
/// never changes.
const RECORDS: &[u8] = include_bytes!("dictionary.jsonl");

/// The most bytes that one value has: more is damage.
const LENGTH_MAX: usize = 1 << 30;

static TO_ZIP: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(RECORDS, LEVEL_OF_RECORDS));
static TO_UNZIP: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(RECORDS));

thread_local! {
    // The state of a compressor is large. Each thread makes those that it needs, once.
    static ZIP: Once<Compressor<'static>> = const { RefCell::new(None) };
    static ZIP_LIKE_RECORDS: Once<Compressor<'static>> = const { RefCell::new(None) };
    static UNZIP: Once<Decompressor<'static>> = const { RefCell::new(None) };
    static UNZIP_LIKE_RECORDS: Once<Decompressor<'static>> = const { RefCell::new(None) };
}

/// Something that is made at its first use.
type Once<T> = RefCell<Option<T>>;

/// Does something with a tool, which is made if it is not there.
fn with<T, D>(
    tool: &mut Option<T>,
    make: impl FnOnce() -> std::io::Result<T>,
    does: impl FnOnce(&mut T) -> std::io::Result<D>,
) -> Result<D, String> {
    let tool = match tool {
        Some(tool) => Ok(tool),
        none => make().map(|made| none.insert(made)),
    };
    tool.and_then(does).map_err(|error| error.to_string())
}

/// Compresses bytes of any kind.
pub(super) fn zip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    ZIP.with_borrow_mut(|tool| with(tool, || Compressor::new(LEVEL), |zip| zip.compress(bytes)))
}

/// Reads what [`zip`] has made.
pub(super) fn unzip(zipped: &[u8]) -> Result<Vec<u8>, String> {
    let length = length(zipped)?;
    UNZIP.with_borrow_mut(|tool| with(tool, Decompressor::new, |unzip| unzip.decompress(zipped, length)))
}

/// Compresses a record or an event.
pub(super) fn zip_like_records(json: &[u8]) -> Result<Vec<u8>, String> {
    let make = || Compressor::with_prepared_dictionary(&TO_ZIP);
    ZIP_LIKE_RECORDS.with_borrow_mut(|tool| with(tool, make, |zip| zip.compress(json)))
}

/// Reads what [`zip_like_records`] has made.
pub(super) fn unzip_like_records(zipped: &[u8]) -> Result<Vec<u8>, String> {
    let length = length(zipped)?;
    let make = || Decompressor::with_prepared_dictionary(&TO_UNZIP);
    UNZIP_LIKE_RECORDS.with_borrow_mut(|tool| with(tool, make, |unzip| unzip.decompress(zipped, length)))
}

/// The length of what was compressed. A frame has it in its head.
fn length(zipped: &[u8]) -> Result<usize, String> {
    let length = zstd::zstd_safe::get_frame_content_size(zipped).ok().flatten();
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= LENGTH_MAX);
    length.ok_or_else(|| "it is no frame of Zstandard, or too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dictionary that changes makes all rows of this format unreadable.
    #[test]
    fn the_dictionary_never_changes() {
        assert_eq!(crc32fast::hash(RECORDS), 0x54e4_f27c);
    }
}
