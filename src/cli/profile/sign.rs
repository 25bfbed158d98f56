//! `profile sign`: signs a body as the PSP would.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use url::Url;

use super::told::Told;
use crate::cli::input::read;
use crate::psp::profile::Profile;
use crate::psp::profile::catalogue::Entry;
use crate::psp::vouch::needs::{check_secret, needs_public_url};
use crate::psp::vouch::sign::sign;
use crate::psp::vouch::verify::Means;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The profile.
    pub(super) name: String,
    /// The notification's body.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// The source's secret.
    #[arg(long)]
    secret: String,
    /// The URL that the PSP posts to, as the PSP knows it. For PSPs that sign it.
    #[arg(long, value_name = "PUBLIC_URL")]
    url: Option<Url>,
    /// The form of notification, where the profile has several. Default: the first signed form.
    #[arg(long)]
    form: Option<String>,
}

pub(super) fn run(entry: &Entry, arguments: &Arguments) -> Result<Told, String> {
    let profile = &entry.profile;
    let body = read(&arguments.body)?;
    check_secret(profile, &arguments.secret).map_err(|reason| format!("--secret: {reason}"))?;
    if needs_public_url(profile) && arguments.url.is_none() {
        return Err("--url is needed: the PSP signs the URL that it posts to".to_owned());
    }
    let secret = arguments.secret.clone().into();
    let means = Means { public_url: arguments.url.as_ref(), ..Means::secret(&secret) };
    let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let signed = sign(profile, arguments.form.as_deref(), &means, Timestamp::now().as_second(), &id, &body)
        .map_err(|reason| reason + &forms(profile))?;
    if signed.headers.is_empty() {
        return String::from_utf8(signed.body).map(|body| (body, true)).map_err(|error| error.to_string());
    }
    let lines = signed.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    Ok((lines.collect::<Vec<_>>().join("\n"), true))
}

/// A hint with the forms to choose from, if there are several.
fn forms(profile: &Profile) -> String {
    let names: Vec<_> = profile.forms.iter().map(|form| form.name.as_str()).collect();
    if names.len() > 1 { format!("; --form is one of {}", names.join(", ")) } else { String::new() }
}
