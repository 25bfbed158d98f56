//! `[transform.jwt]`

use url::Url;

use super::checker::{Checker, but};
use crate::access::jwt::JwtPolicy;
use crate::config::settings::JwtSettings;
use crate::config::written::Address;
use crate::outbound::guard::guarded;

impl Checker<'_> {
    /// The issuer of Transform's JWTs; none if nothing is said of it.
    pub(super) fn jwt(&mut self, settings: &JwtSettings) -> Option<JwtPolicy> {
        let JwtSettings { jwks_url, issuer, audience } = settings;
        if jwks_url.is_none() && issuer.is_none() && audience.is_none() {
            return None;
        }
        let jwks_url = self.jwks_url(jwks_url.as_ref());
        let issuer = self.jwt_name("issuer", issuer.as_deref());
        let audience = self.jwt_name("audience", audience.as_deref());
        Some(JwtPolicy { jwks_url: jwks_url?, issuer: issuer?, audience: audience? })
    }

    fn jwks_url(&mut self, written: Option<&Address>) -> Option<Url> {
        let key = "transform.jwt.jwks_url";
        let Some(written) = written else {
            self.wrong(key, "is needed beside the other settings of [transform.jwt]: the URL of the issuer's keys");
            return None;
        };
        let text = self.url(key, written)?;
        guarded(text).map_err(|reason| self.wrong(key, but(written, reason))).ok()
    }

    fn jwt_name(&mut self, name: &str, text: Option<&str>) -> Option<String> {
        let text = text.filter(|text| !text.is_empty());
        if text.is_none() {
            let reason = "is needed beside the other settings of [transform.jwt], and must not be empty";
            self.wrong(&format!("transform.jwt.{name}"), reason);
        }
        text.map(str::to_owned)
    }
}
