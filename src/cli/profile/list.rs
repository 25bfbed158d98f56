//! `profile list`: the profiles, one on a line.

use crate::psp::profile::catalogue::Catalogue;

pub(super) fn list(catalogue: &Catalogue) -> String {
    let mut text = String::new();
    for entry in catalogue.iter() {
        let origin = if entry.built_in { "" } else { "  (yours)" };
        let rules: usize = entry.profile.forms.iter().map(|form| form.rules.len()).sum();
        text.push_str(&format!("{:<20} {:<28} {rules} rules{origin}\n", entry.profile.name, entry.profile.title));
    }
    text
}
