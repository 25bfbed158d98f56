//! Short-lived tokens by OAuth 2.0 (RFC 6749): the grants `client_credentials` and `password`.
//!
//! Tokens are not stored. A token consists of its end and a MAC over that end, its audience and its client's whole
//! configuration. Each process makes its own key for the MAC. So the number of tokens needs no limit, and a reload
//! keeps them. The tokens of a client end at once when the client is removed or gets another secret. A restart ends all
//! tokens.

use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::basic::{Basic, decoded_basic};
use super::compare::{counts, same};
use super::token::Client;

/// The code of an error (RFC 6749, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenErrorCode {
    /// The request is not as it must be.
    InvalidRequest,
    /// No or wrong client credentials.
    InvalidClient,
    /// No or wrong credentials of the user.
    InvalidGrant,
    /// The client is configured for the other grant.
    UnauthorizedClient,
    /// There is no such grant.
    UnsupportedGrantType,
}

impl TokenErrorCode {
    /// The code on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }
}

/// The reason why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The error's code.
    pub error: TokenErrorCode,
    /// The description, for people.
    pub description: &'static str,
}

impl Refused {
    const fn new(error: TokenErrorCode, description: &'static str) -> Self {
        Self { error, description }
    }

    /// The error's status.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.error == TokenErrorCode::InvalidClient { 401 } else { 400 }
    }

    /// Whether the credentials were wrong, rather than only the request.
    #[must_use]
    pub fn was_a_guess(&self) -> bool {
        matches!(self.error, TokenErrorCode::InvalidClient | TokenErrorCode::InvalidGrant)
    }
}

/// A form's parameters, each present once and not empty. An empty one counts as left out (RFC 6749, section 3.2).
struct Form(Vec<(String, String)>);

impl Form {
    fn parse(body: &[u8]) -> Result<Self, Refused> {
        let pairs = url::form_urlencoded::parse(body).into_owned();
        let pairs: Vec<(String, String)> = pairs.filter(|(_, value)| !value.is_empty()).collect();
        let repeated =
            pairs.iter().enumerate().any(|(at, (name, _))| pairs.iter().take(at).any(|(earlier, _)| earlier == name));
        if repeated {
            Err(Refused::new(TokenErrorCode::InvalidRequest, "a parameter is repeated"))
        } else {
            Ok(Self(pairs))
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Decides about a request for a token. Returns the audience and the client of the token. `suspicious` is as in
/// [`Look`](super::credentials::Look).
///
/// # Errors
/// The reason why there is no token.
pub fn decide<'a>(
    body: &[u8],
    authorization: Option<&str>,
    clients: &[(String, &'a Client)],
    suspicious: bool,
) -> Result<(String, &'a Client), Refused> {
    let form = Form::parse(body)?;
    let grant = form.get("grant_type").ok_or(Refused::new(TokenErrorCode::InvalidRequest, "grant_type is missing"))?;
    let known = |(id, secret): &(String, String)| {
        // All clients are compared, so that the time does not tell which of them exist.
        let matching = clients.iter().filter(|(_, client)| {
            let right = same(id.as_bytes(), client.id.as_bytes())
                & same(secret.as_bytes(), client.secret.expose_secret().as_bytes());
            right && counts(&client.secret, suspicious)
        });
        matching.fold(None, |_, one| Some(one))
    };
    let (audience, client) = presented(&form, authorization)?
        .iter()
        .find_map(known)
        .ok_or(Refused::new(TokenErrorCode::InvalidClient, "no such client, or its secret is wrong"))?;
    match (grant, &client.user) {
        ("client_credentials", None) => {}
        ("password", Some(user)) => owner(&form, user, suspicious)?,
        ("client_credentials" | "password", _) => {
            return Err(Refused::new(
                TokenErrorCode::UnauthorizedClient,
                "this client is configured for the other grant",
            ));
        }
        _ => {
            return Err(Refused::new(
                TokenErrorCode::UnsupportedGrantType,
                "the grants are client_credentials and password",
            ));
        }
    }
    Ok((audience.clone(), *client))
}

/// The client's credentials, from the Authorization header or from the form, not from both. RFC 6749 wants them form-encoded
/// in the header (section 2.3.1), but many clients send them plain. So both readings are returned.
fn presented(form: &Form, authorization: Option<&str>) -> Result<Vec<(String, String)>, Refused> {
    let in_form = form.get("client_secret").is_some();
    let Some(authorization) = authorization else {
        let id = form.get("client_id").ok_or(Refused::new(TokenErrorCode::InvalidClient, "no client credentials"))?;
        let secret =
            form.get("client_secret").ok_or(Refused::new(TokenErrorCode::InvalidClient, "no client credentials"))?;
        return Ok(vec![(id.to_owned(), secret.to_owned())]);
    };
    if in_form {
        return Err(Refused::new(
            TokenErrorCode::InvalidRequest,
            "client credentials must not stand in both header and form",
        ));
    }
    let decoded = decoded_basic(authorization).and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_ref().and_then(|text| text.split_once(':'));
    let (id, secret) =
        pair.ok_or(Refused::new(TokenErrorCode::InvalidClient, "Authorization: must be basic credentials"))?;
    if form.get("client_id").is_some_and(|named| named != id && named != form_decoded(id)) {
        return Err(Refused::new(
            TokenErrorCode::InvalidRequest,
            "client_id must equal the one in the Authorization header",
        ));
    }
    Ok(vec![(id.to_owned(), secret.to_owned()), (form_decoded(id), form_decoded(secret))])
}

/// Decodes one form-encoded value. A `=` in it belongs to the value.
fn form_decoded(text: &str) -> String {
    let one = text.replace('=', "%3D").replace('&', "%26");
    url::form_urlencoded::parse(one.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn owner(form: &Form, user: &Basic, suspicious: bool) -> Result<(), Refused> {
    let (Some(name), Some(password)) = (form.get("username"), form.get("password")) else {
        return Err(Refused::new(TokenErrorCode::InvalidRequest, "username or password is missing"));
    };
    let right = same(name.as_bytes(), user.username.as_bytes())
        & same(password.as_bytes(), user.password.expose_secret().as_bytes());
    if right && counts(&user.password, suspicious) {
        Ok(())
    } else {
        Err(Refused::new(TokenErrorCode::InvalidGrant, "username or password is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    fn client(id: &str, secret: &str, user: Option<(&str, &str)>) -> Client {
        let user = user.map(|(name, password)| Basic { username: name.into(), password: password.to_owned().into() });
        Client { id: id.into(), secret: secret.to_owned().into(), user }
    }

    fn decided(body: &str, authorization: Option<&str>) -> Result<(String, String), &'static str> {
        let (plain, user) = (client("plain", "p&= w%", None), client("user", "own", Some(("u", "pw"))));
        let clients = [("transform".to_owned(), &plain), ("sources/x".to_owned(), &user)];
        let decided = decide(body.as_bytes(), authorization, &clients, false);
        decided.map(|(audience, client)| (audience, client.id.clone())).map_err(|refused| refused.error.name())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    }

    #[test]
    fn each_client_has_its_grant() {
        let transform = Ok(("transform".to_owned(), "plain".to_owned()));
        let source = Ok(("sources/x".to_owned(), "user".to_owned()));
        let plain = "grant_type=client_credentials&client_id=plain&client_secret=p%26%3D+w%25";
        assert_eq!(decided(plain, None), transform);
        for header in ["plain:p&= w%", "plain:p%26%3D+w%25"] {
            assert_eq!(decided("grant_type=client_credentials&scope=all", Some(&basic(header))), transform, "{header}");
        }
        let user = "grant_type=password&username=u&password=pw";
        assert_eq!(decided(user, Some(&basic("user:own"))), source);
        assert_eq!(decided(&format!("{user}&client_id=user&client_secret=own"), None), source);
    }

    #[test]
    fn what_is_wrong_has_its_code() {
        let own = basic("user:own");
        for (body, authorization, error) in [
            ("", None, "invalid_request"),
            ("grant_type=", Some(&own), "invalid_request"),
            ("grant_type=password", None, "invalid_client"),
            ("grant_type=password&client_id=user", None, "invalid_client"),
            ("grant_type=password&client_id=user&client_secret=other", None, "invalid_client"),
            ("grant_type=password&client_id=plain&client_secret=own", None, "invalid_client"),
            ("grant_type=password", Some(&basic("user:other")), "invalid_client"),
            ("grant_type=password", Some(&"Bearer own".to_owned()), "invalid_client"),
            ("grant_type=password&client_id=user&client_secret=own", Some(&own), "invalid_request"),
            ("grant_type=password&client_id=plain&username=u&password=pw", Some(&own), "invalid_request"),
            ("grant_type=password&username=u&username=u&password=pw", Some(&own), "invalid_request"),
            ("grant_type=password&username=u", Some(&own), "invalid_request"),
            ("grant_type=password&username=u&password=other", Some(&own), "invalid_grant"),
            ("grant_type=password&username=v&password=pw", Some(&own), "invalid_grant"),
            ("grant_type=client_credentials", Some(&own), "unauthorized_client"),
            ("grant_type=authorization_code&code=1", Some(&own), "unsupported_grant_type"),
        ] {
            assert_eq!(decided(body, authorization.map(String::as_str)), Err(error), "{body}");
        }
    }

    #[test]
    fn a_code_has_the_same_name_in_the_log_and_on_the_wire() {
        use TokenErrorCode::{InvalidClient, InvalidGrant, InvalidRequest, UnauthorizedClient, UnsupportedGrantType};
        for code in [InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
