//! Checker of settings: takes texts as spans, sizes and numbers, and collects errors and warnings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fallback::Fallback;
use crate::config::error::ConfigError;
use crate::config::folder::beside;
use crate::config::written::{Address, Count, MASK};
use crate::domain::span::span;
use crate::domain::text::shown;
use bytesize::ByteSize;

/// The largest body that may be configured: it is held in memory.
pub(super) const SIZE_MAX: ByteSize = ByteSize::gib(1);
/// The largest size of anything that is kept on the disk.
pub(super) const KEPT_MAX: ByteSize = ByteSize::tib(1);
/// The largest number of anything that is counted.
pub(super) const COUNT_MAX: usize = 1_000_000;
/// The longest span that is taken. A longer one is more likely a typing error.
pub(super) const SPAN_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

/// Takes settings one by one, and notes what is wrong with them.
pub(super) struct Checker<'a> {
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) errors: Vec<ConfigError>,
    /// The folder of the configuration file.
    pub(super) folder: Option<&'a Path>,
    pub(super) warnings: Vec<String>,
    /// Whether there is a secret in the configuration itself.
    pub(super) text_secrets: bool,
    /// The OAuth clients so far.
    pub(super) client_ids: BTreeSet<String>,
    /// A file that can perhaps be read only once.
    pub(super) read_once: Option<PathBuf>,
}

impl Checker<'_> {
    pub(super) fn wrong(&mut self, key: &str, reason: impl Into<String>) {
        self.errors.push(ConfigError::new(key, reason));
    }

    /// Notes a file if it can perhaps be read only once, as a pipe or a shell's `<(…)` can.
    pub(super) fn reads(&mut self, path: &Path) {
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            self.read_once.get_or_insert_with(|| path.to_owned());
        }
    }

    /// Whether the setting with this key has an error already. Its value is then a fallback, not worth another error.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.errors.iter().any(|error| error.key == key)
    }

    /// The value; or a fallback, with an error. Nothing that is built from a fallback is used.
    pub(super) fn take<T: Fallback>(&mut self, key: &str, value: Result<T, String>) -> T {
        value.unwrap_or_else(|reason| {
            self.wrong(key, reason);
            T::fallback()
        })
    }

    pub(super) fn beside_config(&self, path: Option<&str>) -> Option<PathBuf> {
        path.map(|path| beside(self.folder, path))
    }

    pub(super) fn span(&mut self, key: &str, text: &str) -> Duration {
        let must = "must be a number with a unit, such as \"500ms\", \"10s\", \"72h\" or \"7d\"; 400d at most";
        self.take(key, span(text).filter(|span| *span <= SPAN_MAX).ok_or_else(|| but(shown(text), must)))
    }

    pub(super) fn positive_span(&mut self, key: &str, text: &str) -> Duration {
        let span = self.span(key, text);
        if span.is_zero() && !self.is_wrong(key) {
            self.wrong(key, but(shown(text), "must be more than 0"));
        }
        span
    }

    /// A size of something that is held in memory.
    pub(super) fn size(&mut self, key: &str, size: &Count) -> usize {
        usize::try_from(self.bytes(key, size, SIZE_MAX)).unwrap_or(usize::MAX)
    }

    pub(super) fn bytes(&mut self, key: &str, size: &Count, most: ByteSize) -> u64 {
        let parsed = match size.text().parse::<ByteSize>().map(|size| size.as_u64()) {
            Ok(bytes) if (1..=most.as_u64()).contains(&bytes) => Ok(bytes),
            Ok(_) => Err(but(size, format!("must be from 1 byte to {most}"))),
            Err(_) => Err(but(size, "must be a size such as \"1MiB\" or 1048576")),
        };
        self.take(key, parsed)
    }

    /// A span of whole seconds, for times of signatures and tokens.
    pub(super) fn whole_seconds(&mut self, key: &str, text: &str) -> u32 {
        let span = self.span(key, text);
        if (span.as_secs() == 0 || span.subsec_nanos() > 0) && !self.is_wrong(key) {
            self.wrong(key, but(shown(text), "must be whole seconds, at least 1s"));
        }
        u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
    }

    pub(super) fn number(&mut self, key: &str, number: &Count, most: usize) -> usize {
        let parsed = number.text().parse().ok().filter(|number| (1..=most).contains(number));
        self.take(key, parsed.ok_or_else(|| but(number, format!("must be a number from 1 to {most}"))))
    }

    /// A number of what is counted in 32 bits.
    pub(super) fn count(&mut self, key: &str, number: &Count, most: usize) -> u32 {
        u32::try_from(self.number(key, number, most)).unwrap_or(u32::MAX)
    }

    /// The text of a URL. A mask in it was a query or credentials before `check` printed it.
    pub(super) fn url<'a>(&mut self, key: &str, url: &'a Address) -> Option<&'a str> {
        let text = url.text();
        if text.contains(MASK) {
            self.wrong(
                key,
                but(url, format!("must be the whole URL: `check` prints {MASK:?} in the place of what is secret")),
            );
            return None;
        }
        if url.masked().is_none() {
            // A secret may stand anywhere in a text that is no URL.
            self.wrong(key, "is no absolute URL, so it is not repeated here; it must be like \"https://host/path\"");
            return None;
        }
        Some(text)
    }
}

/// The reason why a value is wrong: the value, and what it must be. The value of a secret has no place here.
pub(super) fn but(value: impl Display, must: impl Display) -> String {
    format!("is {value}, but {must}")
}
