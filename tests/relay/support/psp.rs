//! PSPs that sign.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::psp::vouch::sign::{Signed, sign};
use transform_relay::psp::vouch::verify::Means;

use super::setup;

/// The profile and the secret of each source.
fn account(source: &str) -> (&'static str, &'static str) {
    match source {
        "stripe-main" => ("stripe", setup::STRIPE_SECRET),
        "stripe-two" => ("stripe", setup::STRIPE_TWO_SECRET),
        "adyen-main" => ("adyen", setup::ADYEN_SECRET),
        "adyen-known" => ("adyen", setup::ADYEN_KNOWN_SECRET),
        "media" => ("frisbii-media", setup::MEDIA_SECRET),
        "river" => ("digital-river", setup::DIGITAL_RIVER_SECRET),
        other => panic!("no source {other}"),
    }
}

/// A notification as the PSP behind a source sends it now: signed, and with the credentials that the source asks for.
pub(crate) fn seal(source: &str, body: &[u8]) -> Signed {
    let (profile, secret) = account(source);
    let mut sealed = seal_with(profile, secret, Timestamp::now().as_second(), body);
    if source == "media" {
        sealed.headers.extend(media_extras());
    }
    sealed
}

/// A notification signed with this secret at this time.
pub(crate) fn seal_with(profile: &str, secret: &str, at: i64, body: &[u8]) -> Signed {
    seal_form(profile, None, secret, at, body)
}

/// The same in one of the several forms that a profile has.
pub(crate) fn seal_form(profile: &str, form: Option<&str>, secret: &str, at: i64, body: &[u8]) -> Signed {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());
    let profile = &CATALOGUE.get(profile).unwrap().profile;
    sign(profile, form, &Means::secret(&secret.to_owned().into()), at, "msg_1", body).unwrap()
}

/// The credentials that source `media` asks for beside the signature.
pub(crate) fn media_extras() -> Vec<(String, String)> {
    let credentials = STANDARD.encode(format!("plenigo_test:{}", setup::MEDIA_PASSWORD));
    let headers = setup::MEDIA_HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let authorization = ("Authorization".to_owned(), format!("Basic {credentials}"));
    headers.into_iter().chain([authorization]).collect()
}
