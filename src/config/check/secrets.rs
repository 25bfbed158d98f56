//! Checks of the secrets that a source shares with its PSP, with their names and times.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use super::checker::{Checker, but};
use crate::access::secrets::{NAME_MAX, NamedSecret, SECRETS_MAX, is_name};
use crate::config::rotation_lock::target;
use crate::config::secret::{NamedSetting, others_can_read};
use crate::config::secrets_file;
use crate::config::settings::SourceSettings;
use crate::domain::text::shown;

impl Checker<'_> {
    /// All secrets of a source, each with its key. If secrets are `needed`, a source without any is an error.
    pub(super) fn source_secrets(
        &mut self,
        source: &str,
        settings: &SourceSettings,
        file: Option<&Path>,
        needed: bool,
    ) -> Vec<(String, NamedSecret)> {
        let key = format!("sources.{source}.secrets");
        let own = settings.secrets.iter().enumerate();
        let mut secrets: Vec<_> = own.filter_map(|(index, one)| self.named(&key, index, one)).collect();
        if let Some(file) = file {
            secrets.extend(self.of_file(source, file));
        }
        let mut names = BTreeSet::new();
        for (at, secret) in &secrets {
            if !is_name(&secret.name) {
                self.wrong(
                    &format!("{at}.name"),
                    but(shown(&secret.name), format!("must have 1 to {NAME_MAX} bytes and no control characters")),
                );
            } else if !names.insert(secret.name.clone()) {
                self.wrong(
                    &format!("{at}.name"),
                    format!("is {:?}, which is the name of another secret of the source", secret.name),
                );
            }
            if let (Some(from), Some(end)) = (secret.not_before, secret.expires_at)
                && end <= from
            {
                self.wrong(&format!("{at}.expires_at"), but(end, format!("must be after not_before, {from}")));
            }
        }
        let count = settings.secrets.len().max(secrets.len());
        if count > SECRETS_MAX || (count == 0 && needed) {
            self.wrong(
                &key,
                format!("has {count} secrets, but must have 1 to {SECRETS_MAX}, those of secrets_file included"),
            );
        }
        secrets
    }

    fn named(&mut self, key: &str, index: usize, setting: &NamedSetting) -> Option<(String, NamedSecret)> {
        let key = format!("{key}[{index}]");
        let table = setting.table();
        let name = setting.name(index);
        let not_before = table.and_then(|table| self.time(&format!("{key}.not_before"), table.not_before.as_deref()));
        let expires_at = table.and_then(|table| self.time(&format!("{key}.expires_at"), table.expires_at.as_deref()));
        let setting = setting.setting().map_err(|reason| self.wrong(&key, reason)).ok()?;
        let value = self.secret(&key, &setting)?;
        let key_id = table.and_then(|table| table.key_id.clone());
        Some((key, NamedSecret { name, value, key_id, not_before, expires_at }))
    }

    fn time(&mut self, key: &str, text: Option<&str>) -> Option<Timestamp> {
        let parsed = secrets_file::time(text?);
        parsed.map_err(|reason| self.wrong(key, reason)).ok()
    }

    fn of_file(&mut self, source: &str, file: &Path) -> Vec<(String, NamedSecret)> {
        let key = format!("sources.{source}.secrets_file");
        if others_can_read(file) {
            self.warnings.push(format!("{key}: everybody on this machine can read {}", file.display()));
        }
        if let Err(error) = target(file)
            && file.is_symlink()
        {
            self.wrong(&key, format!("cannot read {}: {error}", file.display()));
            return Vec::new();
        }
        if !file.exists() {
            let make = format!("`transform-relay secret rotate {source} …` makes it");
            self.wrong(&key, format!("cannot read {}: it is not there; {make}", file.display()));
            return Vec::new();
        }
        self.reads(file);
        match secrets_file::read(file) {
            Ok(secrets) => {
                let at = |index: usize| format!("{key}: secret[{index}]");
                secrets.into_iter().enumerate().map(|(index, secret)| (at(index), secret)).collect()
            }
            Err(reason) => {
                self.wrong(&key, reason);
                Vec::new()
            }
        }
    }
}
