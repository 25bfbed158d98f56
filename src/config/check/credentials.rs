//! Secrets, wherever they stand, and who presents them

use secrecy::SecretString;

use super::Checker;
use crate::config::secret::SecretSetting;
use crate::config::settings::BasicSettings;
use crate::credentials::{Basic, Credentials};

impl Checker<'_> {
    pub(super) fn credentials(
        &mut self,
        section: &str,
        tokens: &[SecretSetting],
        basic: Option<&BasicSettings>,
    ) -> Credentials {
        let tokens = self.secrets(&format!("{section}.tokens"), tokens);
        let basic = basic.and_then(|basic| self.basic(&format!("{section}.basic"), basic));
        Credentials { tokens, basic }
    }

    pub(super) fn secrets(&mut self, key: &str, settings: &[SecretSetting]) -> Vec<SecretString> {
        let resolved = settings.iter().enumerate().map(|(index, one)| self.secret(&format!("{key}[{index}]"), one));
        resolved.flatten().collect()
    }

    pub(super) fn secret(&mut self, key: &str, setting: &SecretSetting) -> Option<SecretString> {
        if let Some(file) = setting.readable_by_others() {
            self.warnings.push(format!("{key}: everybody on this machine can read {file}"));
        }
        self.text_secrets |= setting.is_text();
        setting.resolve(self.environment).map_err(|reason| self.wrong(key, reason)).ok()
    }

    pub(super) fn basic(&mut self, key: &str, settings: &BasicSettings) -> Option<Basic> {
        let username = settings.username.clone().filter(|name| !name.is_empty() && !name.contains(':'));
        if username.is_none() {
            self.wrong(&format!("{key}.username"), "is needed, without a colon");
        }
        let Some(password) = &settings.password else {
            self.wrong(&format!("{key}.password"), "is needed");
            return None;
        };
        Some(Basic { password: self.secret(&format!("{key}.password"), password)?, username: username? })
    }
}
