//! Seeds: the fixtures as inputs of the fuzz targets.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use transform_relay::psp::profile::catalogue::BUILT_IN;

use crate::fixtures;
use crate::support::contents::{fetched, profile, vectors, wrapped};

/// A body as a PSP documents it, and the name of its profile.
pub(super) struct Seed {
    pub(super) profile: &'static str,
    /// The name of its file or vector.
    name: String,
    /// The headers of a signed body.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) is_xml: bool,
}

/// All bodies, fetched objects and vectors.
pub(super) static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for (profile, _) in BUILT_IN {
        for file in fixtures::bodies(profile).into_iter().chain(fetched(profile)) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let is_xml = name.ends_with(".xml");
            let headers = fixtures::headers(&file);
            seeds.push(Seed { profile, name, headers, body: fs::read(file).unwrap(), is_xml });
        }
        for vector in vectors(profile) {
            let headers = vector.headers.into_iter().collect();
            let name = format!("vector-{}", vector.name);
            seeds.push(Seed { profile, name, headers, body: vector.body.into_bytes(), is_xml: false });
        }
    }
    seeds.sort_by(|a, b| a.body.cmp(&b.body));
    assert!(seeds.len() > 1000, "{}", seeds.len());
    seeds
});

/// A seed's body, perhaps changed, as it is sent: a form may carry XML in Base64 in one of its fields.
pub(super) fn sent(seed: &Seed, body: Vec<u8>) -> Vec<u8> {
    let mut forms = profile(seed.profile).forms.iter();
    let form = forms.find(|form| form.content.inner.is_some()).filter(|_| seed.is_xml);
    match form {
        Some(form) => wrapped(form, body),
        None => body,
    }
}

/// A line that names a profile, and the text after it.
pub(super) fn under(profile: &str, rest: &[u8]) -> Vec<u8> {
    [profile.as_bytes(), b"\n", rest].concat()
}

/// The name of a target, the name of an input, and the input.
pub(super) type Input = (&'static str, String, Vec<u8>);

/// The inputs of all targets.
pub(super) fn inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    for seed in SEEDS.iter() {
        let name = format!("{}-{}", seed.profile, seed.name);
        let body = sent(seed, seed.body.clone());
        let lines: String = seed.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let signed = [lines.as_bytes(), b"stripe-signature: t=1700000000,v1=00\n\n", &body].concat();
        inputs.push(("verify", name.clone(), under(seed.profile, &signed)));
        inputs.push(("normalise", name.clone(), under(seed.profile, &body)));
        match Path::new(&seed.name).extension().and_then(|ending| ending.to_str()) {
            Some("xml") => inputs.push(("xml", name, seed.body.clone())),
            Some("form") => inputs.push(("form", name, seed.body.clone())),
            _ => {}
        }
    }
    for (name, text) in BUILT_IN {
        inputs.push(("profile", (*name).to_owned(), text.as_bytes().to_vec()));
        inputs.push(("challenge", (*name).to_owned(), under(name, b"20f9f8ed05f77439fe955c977e4c8a53")));
    }
    inputs
}

/// Writes inputs into a folder for each target.
pub(super) fn write(folder: &Path, inputs: &[Input]) {
    for (target, name, input) in inputs {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), input).unwrap();
    }
}
