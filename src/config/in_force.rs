//! Settings in force as TOML, which `check` prints: the settings of all layers, and as comments what no layer says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::settings::{Settings, SourceSettings};
use super::toml_text::toml_text;
use crate::access::secrets::NamedSecret;
use crate::app::Options;
use crate::psp::profile::Profile;
use crate::psp::profile::catalogue::Catalogue;
use crate::source::Source;

/// The settings in force. Secrets are serialised as a mask, so no secret is in the text.
///
/// # Errors
/// The settings cannot be serialised; the reason.
pub(super) fn in_force(settings: &Settings, options: &Options, profiles: &Catalogue) -> Result<String, String> {
    let mut notes: BTreeMap<_, _> = options
        .sources
        .values()
        .filter_map(|source| Some(noted(source, settings.sources.get(&source.name)?)))
        .collect();
    let names: Vec<_> = profiles.iter().map(|entry| entry.profile.name.as_str()).collect();
    notes.insert("profiles".to_owned(), vec![format!("there are: {}", names.join(", "))]);
    let roots = options.certificates.roots.len();
    if roots > 0 {
        notes.insert("certificates".to_owned(), vec![format!("roots: {roots} beside this machine's authorities")]);
    }
    let settings = serde_json::to_value(settings).map_err(|error| error.to_string())?;
    Ok(toml_text(&settings, &notes))
}

/// The section of a source, and what its profile and its secrets_file say beside the settings.
fn noted(source: &Source, settings: &SourceSettings) -> (String, Vec<String>) {
    let mut notes = vec![format!("its PSP posts to /notifications/{}", source.name)];
    if settings.tolerance.is_none() {
        notes.extend(tolerances(&source.profile).map(|spans| format!("tolerance: {spans}, as the profile says")));
    }
    // The secrets of the secrets_file come last.
    notes.extend(
        source.secrets.iter().skip(settings.secrets.len()).map(|secret| format!("secrets_file: {}", timed(secret))),
    );
    (format!("sources.{}", source.name), notes)
}

/// The tolerances of the profile's signatures, if any has a time.
fn tolerances(profile: &Profile) -> Option<String> {
    let signatures = profile.forms.iter().flat_map(|form| &form.signature);
    let seconds: BTreeSet<_> = signatures.filter_map(|signature| Some(signature.time.as_ref()?.tolerance_s)).collect();
    let spans: Vec<_> =
        seconds.into_iter().map(|seconds| format!("{:#}", SignedDuration::from_secs(seconds.into()))).collect();
    (!spans.is_empty()).then(|| spans.join(" or "))
}

/// A secret's name and times.
fn timed(secret: &NamedSecret) -> String {
    let from = secret.not_before.map(|at| format!(" from {at}")).unwrap_or_default();
    let until = secret.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
    format!("{:?}{from}{until}", secret.name)
}
