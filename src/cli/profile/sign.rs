//! `profile sign`: sign a body as the PSP would.

use jiff::Timestamp;

use super::Told;
use crate::psp::catalogue::Entry;
use crate::psp::needs::check_secret;
use crate::psp::sign::sign;
use crate::psp::verify::Means;

pub(super) fn run(entry: &Entry, body: &[u8], secret: &str) -> Result<Told, String> {
    check_secret(&entry.profile, secret)?;
    let secret = secret.to_owned().into();
    let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let signed = sign(&entry.profile, None, &Means::secret(&secret), Timestamp::now().as_second(), &id, body)?;
    if signed.headers.is_empty() {
        return String::from_utf8(signed.body).map(|body| (body, true)).map_err(|error| error.to_string());
    }
    let lines = signed.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    Ok((lines.collect::<Vec<_>>().join("\n"), true))
}
