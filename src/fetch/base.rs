//! The base URL of a PSP's API. Nothing in a notification can lead a call anywhere else.

use std::fmt;

use url::Url;

use crate::outbound::guard::guarded;

/// The configured base URL: every call stays below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// Reads a URL: https, or plain http to this machine. It has no credentials, query or fragment.
    ///
    /// # Errors
    /// The reason why the URL cannot be a base.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = guarded(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must have neither query nor fragment".to_owned());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL of a call below the base.
    ///
    /// # Errors
    /// The call leads elsewhere. A path that a URL would rewrite (`..`, say) counts as leading elsewhere.
    pub fn url(&self, path: &str) -> Result<Url, String> {
        let text = format!("{}{path}", self.0);
        let url = Url::parse(&text).map_err(|error| format!("the call is not a URL: {error}"))?;
        let below = path.starts_with('/') && url.as_str() == text && url.fragment().is_none();
        if below { Ok(url) } else { Err("the call does not stay below the base URL".to_owned()) }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_https_or_on_this_machine() {
        for good in ["https://api.mollie.com", "https://a.example/b/", "http://127.0.0.1:80", "http://localhost:1/x"] {
            assert!(Base::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.mollie.com",
            "ftp://localhost/",
            "https://u:p@a.example",
            "https://a.example?x=1",
            "https://a.example#x",
            "/v2",
            "",
        ] {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_call_is_below_its_base() {
        let base = Base::parse("https://a.example/api/").unwrap();
        let url = base.url("/v2/payments/tr_1?embed=refunds,chargebacks").unwrap();
        assert_eq!(url.as_str(), "https://a.example/api/v2/payments/tr_1?embed=refunds,chargebacks");
        assert!(base.url("/v1/invoice/a%2Fb%20c").is_ok());
        for bad in [
            ".evil.example/",
            "@evil.example/",
            ":81/",
            "/../x",
            "/v2/payments/..",
            "/v2/payments/%2e%2e",
            "/v2/payments/.",
            "/a\\b",
            "/a b",
            "/a\nb",
            "/a#b",
            "",
        ] {
            assert!(base.url(bad).is_err(), "{bad:?}");
        }
        let root = Base::parse("https://a.example").unwrap();
        for bad in [".evil.example/", "@evil.example/", ":81/"] {
            assert!(root.url(bad).is_err(), "{bad:?}");
        }
    }
}
