//! `[operators]`

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::checker::{Checker, but};
use crate::access::credentials::Credentials;
use crate::access::operators::{Operator, Role};
use crate::config::key::named;
use crate::config::settings::OperatorSettings;
use crate::domain::text::{is_name, shown};

impl Checker<'_> {
    pub(super) fn operators(&mut self, settings: &BTreeMap<String, OperatorSettings>) -> BTreeMap<String, Operator> {
        let checked = settings.iter().map(|(name, settings)| Some((name.clone(), self.operator(name, settings)?)));
        checked.flatten().collect()
    }

    fn operator(&mut self, name: &str, settings: &OperatorSettings) -> Option<Operator> {
        let key = format!("operators.{}", named(name));
        if !is_name(name) {
            self.wrong(&key, "the name of an operator must consist of lower case letters, digits, - and _");
        }
        // An operator without a token would take the operators' routes from the payment stack, and open them to nobody.
        if settings.tokens.is_empty() {
            self.wrong(&format!("{key}.tokens"), "is needed: at least one token, by which the operator comes in");
        }
        let tokens = self.secrets(&format!("{key}.tokens"), &settings.tokens);
        let role = self.role(&format!("{key}.role"), settings.role.as_deref())?;
        Some(Operator { role, credentials: Credentials { tokens, ..Credentials::default() } })
    }

    fn role(&mut self, key: &str, name: Option<&str>) -> Option<Role> {
        let must = "must be \"look\", \"act\" or \"manage\"";
        let role = name.and_then(Role::named);
        match (role, name) {
            (None, Some(other)) => self.wrong(key, but(shown(other), must)),
            (None, None) => self.wrong(key, format!("is needed: {}", must.replace("must be ", ""))),
            _ => {}
        }
        role
    }

    /// Checks that each operator's tokens are the operator's own. Otherwise the log would name the wrong one, or a token would
    /// open more than its role does.
    pub(super) fn operators_own_tokens(
        &mut self,
        operators: &BTreeMap<String, Operator>,
        others: &[(String, &Credentials)],
    ) {
        let all: Vec<_> = operators.iter().map(|(name, one)| (format!("operators.{name}"), &one.credentials)).collect();
        for (at, (section, credentials)) in all.iter().enumerate() {
            for (index, token) in credentials.tokens.iter().enumerate() {
                let has = |other: &Credentials| {
                    other.tokens.iter().any(|other| other.expose_secret() == token.expose_secret())
                };
                // Of two operators the later one is told of: one error names both.
                let before = all.iter().take(at).chain(others);
                if let Some((other, _)) = before.into_iter().find(|(_, credentials)| has(credentials)) {
                    let reason = format!("is a token of {other}.tokens too; each operator needs tokens of their own");
                    self.wrong(&format!("{section}.tokens[{index}]"), reason);
                }
            }
        }
    }
}
