//! A notification made as a source's PSP would send it: the form that suits a body, and its signature.

use super::sign::{Signed, sign};
use super::verify::Means;
use crate::psp::profile::{Form, Profile};

/// Makes a notification of a body, in the named form or in the first one that the body fits. The signed forms come first; a form
/// that nobody signs is sent as it is. The other arguments are those of [`sign`].
///
/// A body need not fit a form that is named: a trial may want to see how the relay takes it.
///
/// # Errors
/// The body fits no form, or only the PSP can sign the form that it fits.
pub fn notification<'a>(
    profile: &'a Profile,
    form: Option<&str>,
    means: &Means<'_>,
    now_s: i64,
    id: &str,
    body: &[u8],
) -> Result<(&'a Form, Signed), String> {
    let made = |form: &'a Form| {
        let signed = if form.signature.is_empty() {
            Signed { headers: Vec::new(), body: body.to_vec() }
        } else {
            sign(profile, Some(&form.name), means, now_s, id, body)?
        };
        Ok((form, signed))
    };
    if let Some(name) = form {
        return profile.form(name).map_or_else(|| Err(no_such_form(profile, name)), made);
    }
    let is_signed = |form: &&Form| !form.signature.is_empty();
    let forms = profile.forms.iter().filter(is_signed).chain(profile.forms.iter().filter(|form| !is_signed(form)));
    let mut reasons = Vec::new();
    let mut fits = false;
    for form in forms {
        let tried = match form.content.message(body) {
            Ok(_) if fits && !is_signed(&form) => break,
            Ok(_) => {
                fits = true;
                made(form)
            }
            Err(reason) => Err(format!("form {:?}: {reason}", form.name)),
        };
        match tried {
            Ok(made) => return Ok(made),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; "))
}

fn no_such_form(profile: &Profile, name: &str) -> String {
    let names: Vec<_> = profile.forms.iter().map(|form| form.name.as_str()).collect();
    format!("the profile {} has no form {name:?}; its forms: {}", profile.name, names.join(", "))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::psp::profile::catalogue::Catalogue;
    use crate::psp::vouch::verify::Secret;

    fn made(profile: &str, form: Option<&str>, secrets: &[&str], body: &str) -> Result<(String, Signed), String> {
        let catalogue = Catalogue::built_in().unwrap();
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
        let means = Means { secrets: secrets.iter().map(Secret::from).collect(), ..Means::default() };
        let profile = &catalogue.get(profile).unwrap().profile;
        let made = notification(profile, form, &means, 1_700_000_000, "msg_1", body.as_bytes());
        made.map(|(form, signed)| (form.name.clone(), signed))
    }

    const ITEM: &str = r#"{"notificationItems":[{"NotificationRequestItem":{"a":"b"}}]}"#;

    #[test]
    fn the_form_is_the_first_one_that_the_body_fits() {
        let (form, item) = made("adyen", None, &["5a5b"], ITEM).unwrap();
        assert!(form == "item" && item.headers.is_empty() && item.body != ITEM.as_bytes(), "{item:?}");
        let (form, token) = made("adyen", None, &["5a5b"], "{}").unwrap();
        assert!(form == "token" && token.headers.len() == 1 && token.body == b"{}", "{token:?}");
        assert_eq!(made("adyen", Some("token"), &["5a5b"], ITEM).unwrap().0, "token");
        assert_eq!(made("mollie", None, &["5a5b"], "{}").unwrap().0, "event");
        let (form, plain) = made("mollie", None, &["5a5b"], "id=tr_1").unwrap();
        assert!(form == "classic" && plain.headers.is_empty() && plain.body == b"id=tr_1", "{plain:?}");
        assert_eq!(made("worldpay-wpg", None, &[], "<a/>").unwrap().0, "order");
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        for (profile, form, secrets, body, why) in [
            ("paypal", None, &[][..], "{}", "only the PSP can sign form \"event\": it signs with the private key"),
            ("stripe", None, &[], "{}", "there is no secret to sign form \"event\" with"),
            ("stripe", None, &["s"], "{", "form \"event\": the body is not JSON"),
            ("mollie", None, &[], "{}", "there is no secret to sign form \"event\" with"),
            ("adyen", Some("none"), &["5a5b"], ITEM, "no form \"none\"; its forms: item, token"),
        ] {
            let refused = made(profile, form, secrets, body).unwrap_err();
            assert!(refused.contains(why), "{profile}: {refused}");
        }
    }

    #[test]
    fn a_form_that_is_named_takes_any_body() {
        assert!(made("stripe", Some("event"), &["s"], "{").is_ok());
    }
}
