//! Checks of credentials: tokens, user names with passwords, OAuth clients, and their secrets.

use secrecy::{ExposeSecret, SecretString};

use super::checker::Checker;
use crate::access::basic::Basic;
use crate::access::compare::{GUESSABLE_BELOW, counts};
use crate::access::credentials::Credentials;
use crate::access::token::Client;
use crate::config::secret::SecretSetting;
use crate::config::settings::{BasicSettings, ClientSettings};

impl Checker<'_> {
    pub(super) fn credentials(
        &mut self,
        section: &str,
        tokens: &[SecretSetting],
        basic: Option<&BasicSettings>,
        clients: &[ClientSettings],
    ) -> Credentials {
        let tokens = self.secrets(&format!("{section}.tokens"), tokens);
        let basic = basic.and_then(|basic| self.basic(&format!("{section}.basic"), basic));
        if let Some(basic) = &basic {
            self.guessable(&format!("{section}.basic.password"), &basic.password);
        }
        let clients = clients.iter().enumerate();
        let clients = clients.filter_map(|(index, client)| self.client(&format!("{section}.oauth[{index}]"), client));
        Credentials { tokens, basic, clients: clients.collect() }
    }

    /// Checks that a monitor's token opens nothing else: a secret that monitoring knows must not register or read records.
    pub(super) fn own_tokens(&mut self, monitor: &Credentials, others: &[(&str, &Credentials)]) {
        for (index, token) in monitor.tokens.iter().enumerate() {
            let has = |credentials: &Credentials| {
                credentials.tokens.iter().any(|other| other.expose_secret() == token.expose_secret())
            };
            if let Some((other, _)) = others.iter().find(|(_, credentials)| has(credentials)) {
                let reason = format!("is a token of {other}.tokens too; the monitor needs one of its own");
                self.wrong(&format!("monitor.tokens[{index}]"), reason);
            }
        }
    }

    /// Warns of a token with which Transform could register, and the payment stack could read as Transform does.
    pub(super) fn shared_tokens(&mut self, integrator: &Credentials, transform: &Credentials) {
        for (one, token) in integrator.tokens.iter().enumerate() {
            let same = |other: &SecretString| other.expose_secret() == token.expose_secret();
            if let Some(other) = transform.tokens.iter().position(same) {
                self.warnings.push(format!(
                    "integrator.tokens[{one}], transform.tokens[{other}]: the same token. Transform could register records with \
                     it, and the payment stack could read as Transform: give each a token of its own"
                ));
            }
        }
    }

    pub(super) fn secrets(&mut self, key: &str, settings: &[SecretSetting]) -> Vec<SecretString> {
        let resolved = settings.iter().enumerate().map(|(index, one)| self.credential(&format!("{key}[{index}]"), one));
        resolved.flatten().collect()
    }

    /// A secret that a client presents.
    pub(super) fn credential(&mut self, key: &str, setting: &SecretSetting) -> Option<SecretString> {
        let secret = self.secret(key, setting)?;
        self.guessable(key, &secret);
        Some(secret)
    }

    /// Warns of a short secret, which does not count at a suspicious address.
    fn guessable(&mut self, key: &str, secret: &SecretString) {
        if !counts(secret, true) {
            self.warnings.push(format!(
                "{key}: it has fewer than {GUESSABLE_BELOW} bytes. It may be guessed, and an address that was wrong too often \
                 is refused with it for a while (throttle.failures): make it {GUESSABLE_BELOW} bytes or longer"
            ));
        }
    }

    pub(super) fn secret(&mut self, key: &str, setting: &SecretSetting) -> Option<SecretString> {
        if let Some(file) = setting.readable_by_others() {
            self.warnings.push(format!("{key}: everybody on this machine can read {file}"));
        }
        self.text_secrets |= setting.is_text();
        if let Some(file) = setting.file() {
            self.reads(file);
        }
        setting.resolve(self.environment).map_err(|reason| self.wrong(key, reason)).ok()
    }

    pub(super) fn basic(&mut self, key: &str, settings: &BasicSettings) -> Option<Basic> {
        self.user(key, settings.username.as_deref(), settings.password.as_ref())
    }

    /// A user name and a password. A wrong name is not repeated: the password may stand behind its colon.
    fn user(&mut self, key: &str, username: Option<&str>, password: Option<&SecretSetting>) -> Option<Basic> {
        let username = self.user_name(key, username);
        let Some(password) = password else {
            self.wrong(&format!("{key}.password"), "is needed");
            return None;
        };
        Some(Basic { password: self.secret(&format!("{key}.password"), password)?, username: username?.to_owned() })
    }

    pub(super) fn user_name<'a>(&mut self, key: &str, username: Option<&'a str>) -> Option<&'a str> {
        let username = username.filter(|name| !name.is_empty() && !name.contains(':'));
        if username.is_none() {
            self.wrong(&format!("{key}.username"), "is needed: not empty, without a colon");
        }
        username
    }

    /// An OAuth client. Its id is unique over all audiences, since one route issues all tokens. An id in a wrong form is not
    /// repeated: the secret may stand behind its colon.
    fn client(&mut self, key: &str, settings: &ClientSettings) -> Option<Client> {
        let visible = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        let id = settings.client_id.as_deref().filter(visible);
        match id {
            None => self.wrong(&format!("{key}.client_id"), "is needed, in visible ASCII without a colon"),
            Some(id) if !self.client_ids.insert(id.to_owned()) => {
                self.wrong(
                    &format!("{key}.client_id"),
                    format!("is {id:?}, which is the id of another client: a client has one audience"),
                );
            }
            Some(_) => {}
        }
        let user = settings.username.is_some() || settings.password.is_some();
        let user = user.then(|| self.user(key, settings.username.as_deref(), settings.password.as_ref()));
        let Some(secret) = &settings.client_secret else {
            self.wrong(&format!("{key}.client_secret"), "is needed");
            return None;
        };
        let secret = self.credential(&format!("{key}.client_secret"), secret)?;
        // A wrong user must not count as no user.
        let user = match user {
            Some(user) => {
                let user = user?;
                self.guessable(&format!("{key}.password"), &user.password);
                Some(user)
            }
            None => None,
        };
        Some(Client { id: id?.to_owned(), secret, user })
    }
}
