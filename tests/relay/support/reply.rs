//! Answers of the relay's routes.

use serde_json::Value;

/// Status, headers and body.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    path: String,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let path = response.url().path().to_owned();
        Self { status, path, headers, text: response.text().await.unwrap() }
    }

    /// A header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The body as JSON. Numbers keep their digits.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Checks that it is a problem of this status (RFC 9457), or for Transform an error object; its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        if self.path.to_ascii_lowercase().starts_with("/api") {
            return self.error_object();
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self:?}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {self:?}");
        }
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// Checks that it is the contract's error object for a trouble of the relay (contract, section 3a); its message.
    #[track_caller]
    fn error_object(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let code = match self.status {
            401 => "InvalidConfiguration",
            404 => "InvalidPreconditions",
            429 => "RateLimit",
            400..500 => "InvalidData",
            _ => "InternalError",
        };
        let error = self.json();
        let message = error["errorMessage"].as_str().unwrap().to_owned();
        let expected = serde_json::json!({
            "errorCode": code, "errorMessage": message, "receivedAt": "1970-01-01T00:00:00.0000000Z", "status": "Initiated",
        });
        assert_eq!(error, expected);
        message
    }

    /// Checks that it is a problem of this status that names this field.
    #[track_caller]
    pub(crate) fn names(&self, status: u16, field: &str) {
        let detail = self.problem(status);
        assert!(detail.contains(field), "{field:?} in {detail:?}");
    }
}
