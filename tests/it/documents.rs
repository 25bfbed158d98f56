//! Documents against the code: the example configuration, the OpenAPI description of the routes, the rules of the
//! layers.

mod circles;
pub(crate) mod code;
mod described;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use toml::{Table, Value};
use transform_relay::config::{Config, load};

use self::code::{paths, sources};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const EXAMPLE: &str = include_str!("../../config.example.toml");
const SETTINGS: &str = include_str!("../../src/config/settings.rs");

// --- config.example.toml: `# text` is prose, `#key = …` and `#[section]` are settings that are switched off ---

#[test]
fn the_example_starts_as_it_is_and_lets_nobody_in() {
    let example = loaded(&Path::new(ROOT).join("config.example.toml"), BTreeMap::new());
    let options = example.options;
    assert!(options.sources.is_empty() && options.delivery.allowed_hosts.is_empty());
    assert!(options.transform.is_empty() && options.integrator.is_empty() && options.monitor.is_empty());
}

#[test]
fn the_example_of_a_payment_stack_is_valid() {
    let file = Path::new(ROOT).join("examples/stack/relay.toml");
    let variables = quoted(&fs::read_to_string(&file).unwrap(), "{ env = ").into_iter().enumerate();
    let config = loaded(&file, variables.map(|(index, name)| (name, format!("{index:04x}"))).collect());
    let ids: Vec<_> = config.options.sources.values().flat_map(|source| &source.psp_settings_ids).collect();
    let stack = fs::read_to_string(file.with_file_name("stack.py")).unwrap();
    assert!(ids.len() == 3 && ids.iter().all(|id| stack.contains(&format!("\"{id}\": "))), "{ids:?}");
}

/// A line that nothing reads could be deleted, and would explain a setting that does not exist.
#[test]
fn every_active_line_of_the_example_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let (mut section, mut count) = ("", 0);
    for line in EXAMPLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.split_once(" = ") {
            count += 1;
            fs::write(&file, format!("[{section}]\n{key} = [{{}}]\n")).unwrap();
            let errors = load(Some(&file), std::iter::empty()).unwrap_err().0;
            let [error] = errors.as_slice() else { panic!("{errors:?}") };
            assert_eq!(error.key, format!("{section}.{key}"));
            assert!(error.reason.starts_with("is a list, but must be "), "{line}: {error:?}");
        }
    }
    assert!(count > 25, "the example was not understood: {count} active lines");
}

#[test]
fn the_example_is_valid_with_all_its_settings_switched_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("profiles")).unwrap();
    let mut text = switched_on();
    for file in quoted(&text, "{ file = ") {
        let name = file.strip_prefix("/run/secrets/").expect("secrets of the example stand in /run/secrets");
        let path = folder.path().join(name);
        fs::write(&path, "a0").unwrap();
        text = text.replace(&file, path.to_str().unwrap());
    }
    fs::write(folder.path().join("stripe-main.secrets.toml"), "[[secret]]\nname = \"a\"\nvalue = \"b\"").unwrap();
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, rcgen::generate_simple_self_signed(["root.example".to_owned()]).unwrap().cert.pem()).unwrap();
    text = text.replace("/etc/transform-relay/roots.pem", roots.to_str().unwrap());
    let path = folder.path().join("relay.toml");
    fs::write(&path, &text).unwrap();
    // Each secret is different, and hexadecimal as Adyen's keys are.
    let variables = quoted(&text, "{ env = ").into_iter().enumerate();
    let mut environment: BTreeMap<_, _> = variables.map(|(index, name)| (name, format!("{index:04x}"))).collect();
    let config = loaded(&path, environment.clone());
    let options = &config.options;
    assert!(!options.delivery.allowed_hosts.is_empty() && !options.sources.is_empty());
    for credentials in [&options.transform, &options.integrator] {
        assert!(!credentials.tokens.is_empty() && credentials.basic.is_some());
    }
    let profiles: BTreeSet<_> = options.sources.values().map(|source| source.profile.name.as_str()).collect();
    assert_eq!(
        profiles,
        ["adyen", "digital-river", "frisbii-media", "frisbii-pay", "paypal", "square", "stripe"].into()
    );

    let overrides: Vec<_> = EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   RELAY_")).collect();
    assert!(overrides.len() >= 4, "the example shows what the environment overrides");
    for one in overrides {
        let (name, value) = one.split_once('=').unwrap();
        environment.insert(format!("RELAY_{name}"), value.to_owned());
    }
    assert_ne!(loaded(&path, environment).in_force, config.in_force, "the overrides are in force");
}

#[test]
fn the_example_names_and_explains_every_key() {
    let on: Table = toml::from_str(&switched_on()).unwrap();
    let known = keys(&structs(SETTINGS), "Settings", "");
    assert!(known.len() > 25, "the settings were not understood: {known:?}");
    for key in &known {
        let path: Vec<_> = key.split('.').collect();
        assert!(sets(&Value::Table(on.clone()), &path), "config.example.toml does not show {key}");
    }
    // A list of tables shows each key once, in any section.
    for key in keys(&structs(SETTINGS), "ClientSettings", "sources.*.oauth.*.") {
        let path: Vec<_> = key.split('.').collect();
        assert!(sets(&Value::Table(on.clone()), &path), "config.example.toml does not show {key}");
    }
    let (mut section, mut seen, mut above) = (String::new(), BTreeSet::new(), "");
    for line in EXAMPLE.lines() {
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
        if let Some(name) = setting.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.split('.').next().filter(|first| *first == "sources").unwrap_or(name).to_owned();
        } else if let Some((key, value)) = setting.split_once(" = ").filter(|_| !setting.starts_with('#')) {
            // What a source may set for itself is explained where it is set for all.
            let is_explained = section == "sources" && seen.contains(&format!("fetch.{key}"));
            if seen.insert(format!("{section}.{key}")) && !is_explained {
                assert!(above.starts_with("# "), "config.example.toml does not explain {section}.{key}");
            }
            let default = format!("# Default: {value}.");
            assert!(line.starts_with('#') || above == default, "{section}.{key}: the line above must be {default:?}");
        }
        above = line;
    }
}

/// The defaults are the active lines; what each source may set has its default in the code.
#[test]
fn the_example_says_what_a_source_sets_if_it_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    fs::write(&file, "[sources.one]\nprofile = \"mollie\"\nsecrets = [\"s\"]\nfetch = { token = \"t\" }\n").unwrap();
    let in_force: Table = toml::from_str(&loaded(&file, BTreeMap::new()).in_force).unwrap();
    let source = &in_force["sources"]["one"];
    for key in ["enabled", "disabled_answer"] {
        let line = format!("# Default: {0}.\n#{key} = {0}\n", source[key]);
        assert!(EXAMPLE.contains(&line), "config.example.toml: {line}");
    }
    let fetch = in_force["fetch"].as_table().unwrap();
    assert!(fetch.len() > 5, "{fetch:?}");
    for (key, value) in fetch {
        assert_eq!(source["fetch"].get(key), Some(value), "{key}");
    }
}

/// Keys of the example that no type of the settings has would be refused; keys that it lacks are named here.
#[test]
fn the_settings_in_force_are_those_of_the_example() {
    let example: Table = toml::from_str(EXAMPLE).unwrap();
    let in_force: Table = toml::from_str(&load(None, std::iter::empty()).unwrap().in_force).unwrap();
    assert_eq!(without_empty(Value::Table(in_force)), without_empty(Value::Table(example)));
}

#[test]
fn the_example_shows_the_three_forms_of_a_secret() {
    let on = switched_on();
    for form in ["secrets = [\"", "secrets = [{ env = ", "secrets = [{ file = "] {
        assert!(on.contains(form), "{form}");
    }
}

fn loaded(file: &Path, environment: BTreeMap<String, String>) -> Config {
    let environment = environment.into_iter().map(|(name, value)| (name.into(), value.into()));
    load(Some(file), environment).unwrap_or_else(|errors| panic!("{}:\n{errors}", file.display()))
}

/// The example with every setting switched on: without the `#` before it.
fn switched_on() -> String {
    let on = EXAMPLE.lines().map(|line| {
        let setting = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_alphabetic()));
        setting.unwrap_or(line)
    });
    on.collect::<Vec<_>>().join("\n")
}

/// The quoted texts that follow this mark in settings.
fn quoted(text: &str, mark: &str) -> BTreeSet<String> {
    let settings = text.lines().filter(|line| !line.starts_with('#'));
    let behind = settings.flat_map(|line| line.split(mark).skip(1));
    behind.filter_map(|rest| rest.strip_prefix('"')?.split('"').next().map(str::to_owned)).collect()
}

/// Settings with an empty default are left to the user, so they are not active in the example.
fn without_empty(value: Value) -> Value {
    let Value::Table(table) = value else { return value };
    let kept = table.into_iter().map(|(key, value)| (key, without_empty(value))).filter(|(_, value)| match value {
        Value::Table(table) => !table.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    });
    Value::Table(kept.collect())
}

/// The structs of a Rust file: name → fields with their types.
fn structs(code: &str) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let mut structs = BTreeMap::<_, Vec<_>>::new();
    let mut current = None;
    for line in code.lines() {
        let line = line.trim().trim_start_matches("pub(super) ");
        if let Some(name) = line.strip_prefix("struct ").and_then(|rest| rest.strip_suffix(" {")) {
            current = Some(name);
        } else if line == "}" {
            current = None;
        } else if let (Some(name), Some((field, of))) = (current, line.trim_end_matches(',').split_once(": ")) {
            structs.entry(name).or_default().push((field, of));
        }
    }
    structs
}

/// All keys of the settings; `*` stands for a name that the user chooses.
fn keys(structs: &BTreeMap<&str, Vec<(&str, &str)>>, name: &str, before: &str) -> Vec<String> {
    let fields = structs.get(name).unwrap_or_else(|| panic!("no struct {name}"));
    let keys = fields.iter().map(|(field, of)| {
        let of = of.trim_start_matches("Option<").trim_end_matches('>');
        let (of, star) = of.strip_prefix("BTreeMap<String, ").map_or((of, ""), |of| (of, ".*"));
        let key = format!("{before}{field}{star}");
        if structs.contains_key(of) { keys(structs, of, &format!("{key}.")) } else { vec![key] }
    });
    keys.flatten().collect()
}

fn sets(value: &Value, path: &[&str]) -> bool {
    match path {
        [] => true,
        ["*", rest @ ..] => match value {
            Value::Array(list) => list.iter().any(|value| sets(value, rest)),
            _ => value.as_table().is_some_and(|table| table.values().any(|value| sets(value, rest))),
        },
        [key, rest @ ..] => value.get(key).is_some_and(|value| sets(value, rest)),
    }
}

// --- The layers. These rules are never crossed; ARCHITECTURE.md gives the reasons. ---

/// Parts that only compute: no server, SQL, clock, randomness or log, and no import of the parts that use them.
const PURE: [&str; 6] = ["domain/", "psp/", "guide/", "transform/", "outbound/guard.rs", "outbound/retry.rs"];
const IMPURE: [&str; 23] = [
    "actix*",
    "hyper*",
    "reqwest",
    "rusqlite",
    "tokio*",
    "tracing*",
    "log",
    "fastrand",
    "rand*",
    "getrandom",
    "uuid",
    "config",
    "clap",
    "anstream",
    "println!",
    "print!",
    "eprintln!",
    "eprint!",
    "dbg!",
    "std::env",
    "std::net",
    "std::thread",
    "std::process",
];
/// A crate, a macro (`!`) or a part of ours (`crate::`), and the only parts that may use it.
const ONLY: [(&str, &[&str]); 8] = [
    ("rusqlite", &["store/sqlite/", "proof/soak/", "proof/bench/"]),
    ("actix*", &["http/", "app.rs", "proof/bench/"]),
    ("reqwest", &["outbound/client.rs", "proof/demo/", "proof/soak/"]),
    // The configuration fills in the options of all parts at once.
    ("crate::app", &["app.rs", "app/", "cli/", "config/"]),
    ("crate::config", &["config/", "cli/"]),
    ("crate::cli", &["cli/", "main.rs"]),
    ("crate::guide", &["guide/", "cli/"]),
    ("crate::proof", &["proof/", "cli/bench.rs", "cli/demo.rs", "cli/soak.rs", "cli/stand_in.rs"]),
];
/// The storeys of `psp`, from the ground up: each uses only the storeys below it. Tests may look up.
const STOREYS: [&str; 4] = ["psp/document/", "psp/profile/", "psp/vouch/", "psp/meaning/"];
/// The store uses the domain, and no other part of ours.
const STORE_USES: [&str; 2] = ["domain", "store"];
/// The core of the store only computes, and so does the writing of its facts. They use the domain and the store's face. The core is given
/// its ids, and names them.
const CORE: [&str; 2] = ["store/core/", "store/encoding"];
const LINES_MAX: usize = 500;

#[test]
fn no_layer_is_crossed() {
    let files = sources(&Path::new(ROOT).join("src"));
    assert!(files.len() > 40 && files.contains_key("http/mod.rs"), "{:?}", files.keys());
    let crossed: Vec<_> = files.iter().flat_map(|(file, code)| crossings(file, code)).collect();
    assert!(crossed.is_empty(), "crossed:\n{}", crossed.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let files = sources(&Path::new(ROOT).join("src"));
    let long: Vec<_> =
        files.iter().filter(|(_, code)| code.lines().count() > LINES_MAX).map(|(file, _)| file).collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:?}");
}

#[test]
fn a_mod_rs_declares_its_files_and_defines_nothing() {
    let files = sources(&Path::new(ROOT).join("src"));
    let defining = files.iter().filter(|(file, _)| file.ends_with("mod.rs"));
    let defined: Vec<_> = defining.flat_map(|(file, code)| definitions(code).map(move |line| (file, line))).collect();
    assert!(files.keys().filter(|file| file.ends_with("mod.rs")).count() > 10 && defined.is_empty(), "{defined:?}");
}

/// The lines at the top level of a file that define something. Declaring a module or re-exporting is no definition.
fn definitions(code: &str) -> impl Iterator<Item = &str> {
    let begins = ["mod ", "use ", "pub", "//", "#", "}", " "];
    code.lines().filter(move |line| {
        let declared = line.strip_prefix("pub").map(|rest| rest.split_once(") ").map_or(rest, |(_, rest)| rest).trim());
        let is_seen = declared.is_some_and(|rest| rest.starts_with("mod ") || rest.starts_with("use "));
        !line.is_empty() && !is_seen && (declared.is_some() || !begins.iter().any(|begin| line.starts_with(begin)))
    })
}

#[test]
fn crossings_are_seen() {
    let crossed = |file, code| crossings(file, code).len();
    assert_eq!(crossed("domain/a.rs", "// rusqlite::x\nlet a = \"crate::store\"; /* tokio::spawn */ x.tracing;"), 0);
    assert_eq!(crossed("domain/a.rs", "use super::super::{psp, store::Store};"), 1);
    assert_eq!(crossed("domain/mod.rs", "use super::http::State; use self::ids::Kind;"), 1);
    assert_eq!(crossed("psp/a.rs", "use crate::{\n    domain::{ids, money},\n    delivery::retry,\n};"), 1);
    assert_eq!(crossed("psp/a.rs", "fn a<'a>(c: &'a char) { if *c == '\"' { Timestamp::now(); } }"), 1);
    assert_eq!(crossed("transform/a.rs", r##"let a = r#"""#; tracing::info!("x"); println!("y");"##), 2);
    assert_eq!(crossed("store/sqlite/a.rs", "use rusqlite::Connection; fn a(app: &str) { crate::app::run(); }"), 2);
    assert_eq!(crossed("delivery/worker.rs", "use reqwest::{Client, Url};"), 2);
    assert_eq!(crossed("delivery/client.rs", "use reqwest::Client;"), 1);
    assert_eq!(crossed("transform/a.rs", "use crate::outbound::guard::guarded; use crate::domain;"), 0);
    assert_eq!(crossed("transform/a.rs", "use crate::outbound::{client::Client, guard::guarded};"), 1);
    assert_eq!(crossed("outbound/guard.rs", "use super::client::Client; use crate::domain_of_another::Name;"), 2);
    assert_eq!(crossed("outbound/guard.rs", "use super::*;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n"), 1);
    assert_eq!(crossed("http/a.rs", "use rusqlite as db;"), 1);
    assert_eq!(crossed("domain/a.rs", "use super::*; let a = Vec::<fastrand::Rng>::new();"), 1);
    assert_eq!(crossed("store/sqlite/a.rs", "use crate::psp::profile::Form; use crate::domain::event::Event;"), 1);
    assert_eq!(crossed("psp/document/a.rs", "use crate::psp::profile::Form; use super::place::Place;"), 1);
    assert_eq!(crossed("psp/vouch/a.rs", "use crate::psp::explain; use crate::psp::profile::Form;"), 1);
    assert_eq!(crossed("psp/vouch/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    use crate::psp::explain;\n}\n"), 0);
    assert_eq!(crossed("proof/demo/relay.rs", "use reqwest::Client; use crate::psp::vouch::sign::Signed;"), 0);
    assert_eq!(crossed("ingest.rs", "use crate::proof::stand_in::Psp;"), 1);
    assert_eq!(crossed("cli/stand_in.rs", "use crate::proof::stand_in::Transform;"), 0);
    assert_eq!(crossed("cli/notify.rs", "use crate::proof::stand_in::Psp;"), 1);
    assert_eq!(crossed("domain/record.rs", "use std::fs::File;"), 1);
    assert_eq!(crossed("store/core/way.rs", "use crate::store::sqlite::load; use uuid::Uuid;"), 1);
    assert_eq!(crossed("store/core/way.rs", "fn f() { tracing::info!(\"?\"); }"), 1);
    assert_eq!(crossed("store/encoding/sum.rs", "use rusqlite::Row;"), 2);
    assert_eq!(crossed("psp/document/place.rs", "fn f() { std::env::var(\"A\"); }"), 1);
    assert_eq!(crossed("ingest.rs", "use crate::http as edge; use crate::config::Config;"), 1);
}

fn crossings(file: &str, code: &str) -> Vec<String> {
    let part = file.split('/').next().unwrap_or_default();
    let mut crossed = Vec::new();
    let tests = if file.ends_with("/tests.rs") { 0 } else { tests_begin(code) };
    let folder = file.rsplit_once('/').map(|(folder, _)| format!("crate::{}", folder.replace('/', "::")));
    for (line, path) in paths(file, code) {
        for (what, who) in ONLY {
            let looks_up = line >= tests && what == "crate::guide";
            if !looks_up && uses(&path, what) && !who.iter().any(|who| file.starts_with(who)) {
                crossed.push(format!("src/{file}:{line} uses {path}: {what} belongs to {} alone", who.join(", ")));
            }
        }
        let of_ours = path.strip_prefix("crate::").and_then(|rest| rest.split("::").next());
        // In a file's own tests `super` is the file, not its folder.
        let is_own = line >= tests && folder.as_deref() == Some(path.as_str());
        let impure = of_ours.is_some() && !is_own && !is_pure(&path)
            || IMPURE.iter().any(|what| uses(&path, what))
            || ["std::fs", "std::process", "std::env", "std::thread"].iter().any(|what| path.starts_with(what))
            || path.split("::").any(|word| ["SystemTime", "Instant", "now_v7", "new_v4"].contains(&word))
            || path.ends_with("::now")
            || path.ends_with("TimeZone::system");
        if line < tests && climbs(file, &path) {
            crossed.push(format!("src/{file}:{line} uses {path}: a storey uses only those below it"));
        }
        if part == "store" && of_ours.is_some_and(|part| !STORE_USES.contains(&part)) {
            crossed.push(format!("src/{file}:{line} uses {path}: the store knows the domain alone"));
        }
        let is_of_core =
            path.starts_with("crate::store") && !path.starts_with("crate::store::sqlite") || path == "uuid::Uuid";
        if CORE.iter().any(|core| file.starts_with(core)) && line < tests && impure && !is_of_core {
            crossed.push(format!("src/{file}:{line} uses {path}: the core of the store is computation only"));
        }
        if PURE.iter().any(|pure| file.starts_with(pure)) && impure {
            crossed.push(format!("src/{file}:{line} uses {path}: {} are computation only", PURE.join(", ")));
        }
    }
    crossed
}

/// Whether a path of ours leads into one of the parts that only compute.
fn is_pure(path: &str) -> bool {
    PURE.iter().any(|pure| {
        let module = format!("crate::{}", pure.trim_end_matches(".rs").trim_end_matches('/').replace('/', "::"));
        path.strip_prefix(&module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// The line in which a file's tests begin.
fn tests_begin(code: &str) -> usize {
    code.lines().position(|line| line == "#[cfg(test)]").map_or(usize::MAX, |at| at + 1)
}

/// Whether a path leads from a storey to a storey above it, or to the parts beside the storeys.
fn climbs(file: &str, path: &str) -> bool {
    let Some(own) = STOREYS.iter().position(|storey| file.starts_with(storey)) else { return false };
    let Some(path) = path.strip_prefix("crate::psp::") else { return false };
    let storey = path.split("::").next().map(|part| format!("psp/{part}/"));
    STOREYS.iter().position(|known| Some(*known) == storey.as_deref()).is_none_or(|used| used > own)
}

/// Whether a path names this thing or something inside it. A `*` at its end stands for any end of the first word.
fn uses(path: &str, what: &str) -> bool {
    match what.strip_suffix('*') {
        Some(start) => path.starts_with(start) && path.contains("::"),
        None => path
            .strip_prefix(what)
            .is_some_and(|rest| rest.starts_with("::") || rest.is_empty() && what.contains([':', '!'])),
    }
}
