//! Checks of the ids by which Transform names the sources: an id belongs to one source.

use std::collections::BTreeMap;

use super::checker::{Checker, but};
use crate::config::key::named;
use crate::config::settings::SourceSettings;
use crate::domain::text::shown;

impl Checker<'_> {
    pub(super) fn psp_settings_ids(&mut self, sources: &BTreeMap<String, SourceSettings>) {
        let mut keys: BTreeMap<&str, String> = BTreeMap::new();
        for (name, source) in sources {
            for (index, id) in source.psp_settings_ids.iter().enumerate() {
                let key = format!("sources.{}.psp_settings_ids[{index}]", named(name));
                if id.is_empty() || id.trim() != id || id.contains(char::is_control) {
                    let must = "must be an id as Transform writes it: not empty, without control characters, without spaces around it";
                    self.wrong(&key, but(shown(id), must));
                } else if let Some(other) = keys.get(id.as_str()) {
                    self.wrong(&key, but(shown(id), format!("must be in one place only: {other} is the same")));
                } else {
                    keys.insert(id, key);
                }
            }
        }
    }
}
