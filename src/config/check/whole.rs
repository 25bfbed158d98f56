//! The check of all settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::checker::Checker;
use super::fetch::Fetching;
use super::transform;
use crate::app::Options;
use crate::config::checked::Config;
use crate::config::error::ConfigErrors;
use crate::config::in_force::in_force;
use crate::config::layers::FoundSettings;
use crate::config::secret::others_can_read;
use crate::config::settings::{CredentialSettings, TransformSettings};

/// Checks the settings.
pub(in crate::config) fn check(
    layered: FoundSettings,
    environment: &BTreeMap<String, String>,
    file: Option<&Path>,
) -> Result<Config, ConfigErrors> {
    let FoundSettings { mut settings, errors, sources_with_secrets, .. } = layered;
    let mut checker = Checker {
        environment,
        errors,
        folder: file.and_then(Path::parent),
        warnings: Vec::new(),
        text_secrets: false,
        client_ids: BTreeSet::new(),
        read_once: None,
    };
    if let Some(file) = file {
        checker.reads(file);
    }
    let server = checker.server(&settings.server);
    let store = checker.store(&settings.store, &settings.debounce);
    let delivery = checker.delivery(&settings.transform);
    let proxies = checker.proxies(&settings.server);
    let throttle = checker.throttle(&settings.throttle);
    let token_lifetime = checker.whole_seconds("oauth.token_lifetime", &settings.oauth.token_lifetime);
    let CredentialSettings { tokens, basic, oauth } = &settings.integrator;
    let integrator = checker.credentials("integrator", tokens, basic.as_ref(), oauth);
    let monitor = checker.credentials("monitor", &settings.monitor.tokens, None, &[]);
    let TransformSettings { tokens, basic, oauth, .. } = &settings.transform;
    let transform = checker.credentials("transform", tokens, basic.as_ref(), oauth);
    let jwt = checker.jwt(&settings.transform.jwt);
    let operators = checker.operators(&settings.operators);
    checker.own_tokens(&monitor, &[("integrator", &integrator), ("transform", &transform)]);
    checker.shared_tokens(&integrator, &transform);
    let failed_as = checker.take("transform.failed_as", transform::failed_as(&settings.transform.failed_as));
    let certificates = checker.certificates(&settings.certificates);
    let fetching = Fetching { settings: &settings.fetch, options: checker.fetch_options(&settings.fetch) };
    let profiles_dir = checker.beside_config(settings.profiles.dir.as_deref());
    let profiles = checker.profiles(profiles_dir.as_deref());
    let sources = checker.sources(&mut settings.sources, &profiles, fetching);
    let own = [("integrator", &integrator), ("monitor", &monitor), ("transform", &transform)];
    let own = own.map(|(section, credentials)| (section.to_owned(), credentials)).into_iter();
    let of_sources = sources.values().map(|source| (format!("sources.{}", source.name), &source.authorization));
    checker.operators_own_tokens(&operators, &own.chain(of_sources).collect::<Vec<_>>());
    let of_environment = sources_with_secrets.into_iter();
    let counted = of_environment.filter_map(|name| settings.sources.get(&name).map(|one| (name, one.secrets.len())));
    let secrets_of_environment = counted.collect();
    if let Some(file) = file.filter(|file| checker.text_secrets && others_can_read(file)) {
        let file = file.display();
        checker
            .warnings
            .push(format!("{file}: a secret stands in the settings, and everybody on this machine can read this file"));
    }
    let Checker { errors, warnings, read_once, .. } = checker;
    if !errors.is_empty() {
        return Err(ConfigErrors(errors));
    }
    let options = Options {
        server,
        store,
        delivery,
        transform,
        jwt,
        failed_as,
        integrator,
        monitor,
        operators,
        proxies,
        throttle,
        token_lifetime: Duration::from_secs(token_lifetime.into()),
        certificates,
        sources,
    };
    let in_force =
        in_force(&settings, &options, &profiles).map_err(|reason| ConfigErrors::one("configuration", reason))?;
    Ok(Config { options, profiles, in_force, read_once, secrets_of_environment, warnings })
}
