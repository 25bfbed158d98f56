//! Circles of imports: no file of `src` uses a file that uses it, directly or through others. So each file can be read,
//! and replaced, on top of the files that it uses. Imports of tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::code::{paths, sources};

#[test]
fn no_file_imports_in_a_circle() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let imports = imports(&files);
    let many = imports.values().map(BTreeSet::len).sum::<usize>();
    assert!(many > 3 * imports.len(), "the imports were not understood: {many} of {} files", imports.len());
    let found = circles(&imports);
    let told: Vec<_> = found.iter().map(|circle| told(&imports, circle)).collect();
    assert!(told.is_empty(), "circles of imports:\n{}", told.join("\n"));
}

/// A circle with the imports that make it.
fn told(imports: &BTreeMap<&str, BTreeSet<&str>>, circle: &BTreeSet<&str>) -> String {
    let uses = circle.iter().flat_map(|file| imports[file].intersection(circle).map(move |used| (file, used)));
    let uses: Vec<_> = uses.map(|(file, used)| format!("  {file} -> {used}")).collect();
    format!("{circle:?}\n{}", uses.join("\n"))
}

#[test]
fn circles_are_seen() {
    let found = |files: &[(&str, &str)]| -> Vec<String> {
        let files = files.iter().map(|(file, code)| ((*file).to_owned(), (*code).to_owned())).collect();
        circles(&imports(&files)).into_iter().map(|circle| circle.into_iter().collect::<Vec<_>>().join(" ")).collect()
    };
    let none: [&str; 0] = [];
    let (a, b) = (("x/a.rs", "use super::b::B;\npub struct A;"), ("x/b.rs", "pub struct B;"));
    assert_eq!(found(&[("lib.rs", "mod x;"), ("x/mod.rs", "mod a;\nmod b;"), a, b]), none);
    let back = ("x/b.rs", "pub struct B;\nfn b(a: crate::x::a::A) {}");
    assert_eq!(found(&[("lib.rs", "mod x;"), ("x/mod.rs", "mod a;\nmod b;"), a, back]), ["x/a.rs x/b.rs"]);
    // Through a third file, and by the name of an imported module.
    let (c, on) = (("x/c.rs", "use crate::x::a::A;\npub struct C;"), ("x/b.rs", "use super::c;\nfn b(c: c::C) {}"));
    assert_eq!(found(&[("x/mod.rs", "mod a;\nmod b;\nmod c;"), a, on, c]), ["x/a.rs x/b.rs x/c.rs"]);
    // Through a re-export of a module; the re-export alone is no circle.
    let passed = ("x/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;");
    assert_eq!(found(&[passed, a, b]), none);
    assert_eq!(found(&[passed, a, ("x/b.rs", "use super::A;\npub struct B;")]), ["x/a.rs x/b.rs"]);
    // With the module itself, if it defines something that its parts use.
    let defines = ("x/mod.rs", "mod d;\npub struct D;\nfn x() { d::run() }");
    assert_eq!(found(&[defines, ("x/d.rs", "use super::D;\npub fn run() {}")]), ["x/d.rs x/mod.rs"]);
    // Tests may use any file.
    let tests = "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::x::a::A;\n}\n#[cfg(test)]\nmod rig;\n";
    assert_eq!(found(&[("x/mod.rs", "mod a;\nmod b;"), a, ("x/b.rs", tests), ("x/b/rig.rs", "use super::B;")]), none);
    let after = format!("{tests}use super::a::A;\n");
    assert_eq!(found(&[("x/mod.rs", "mod a;\nmod b;"), a, ("x/b.rs", &after)]), ["x/a.rs x/b.rs"]);
}

/// For each file, the other files that it uses.
fn imports(files: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let read = Read::of(files);
    let of = |file: &'_ str| {
        let used = read.paths[file].iter().filter_map(|path| read.target(path, 0));
        used.filter(|used| *used != file).collect()
    };
    read.paths.keys().map(|file| (*file, of(file))).collect()
}

/// The sets of files that reach each other.
fn circles<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached: BTreeMap<_, _> = imports.keys().map(|file| (*file, reached(imports, file))).collect();
    let with = |file: &str| reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect();
    reached.keys().map(|file| with(file)).filter(|circle: &BTreeSet<_>| circle.len() > 1).collect()
}

fn reached<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(imports[file].iter().copied().filter(|used| reached.insert(*used)));
    }
    reached
}

/// The files without their tests.
struct Read<'a> {
    /// Each module's file.
    modules: BTreeMap<String, &'a str>,
    /// The names that each file defines.
    defined: BTreeMap<&'a str, BTreeSet<String>>,
    /// The paths into our crate that each file names, each from `crate` on.
    paths: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Read<'a> {
    fn of(files: &'a BTreeMap<String, String>) -> Self {
        let (mut code, mut tests) = (BTreeMap::new(), Vec::new());
        for (file, whole) in files.iter().filter(|(file, _)| *file != "main.rs") {
            let (kept, modules) = without_tests(whole);
            tests.extend(modules.into_iter().map(|name| format!("{}::{name}", module(file))));
            code.insert(file.as_str(), kept);
        }
        let is_test = |own: &str| tests.iter().any(|test| own == test || own.starts_with(&format!("{test}::")));
        code.retain(|file, _| !is_test(&module(file)));
        let modules: BTreeMap<_, _> = code.keys().map(|file| (module(file), *file)).collect();
        let paths = code.iter().map(|(file, code)| (*file, whole_paths(file, code, &modules))).collect();
        let defined = code.iter().map(|(file, code)| (*file, defined(code))).collect();
        Self { modules, defined, paths }
    }

    /// The file that defines the end of a path. A re-export is followed to its definition.
    fn target(&self, path: &str, steps: usize) -> Option<&'a str> {
        let (module, rest) = self.split(path)?;
        let file = self.modules[module];
        let Some(name) = rest.split("::").next().filter(|name| !name.is_empty()) else {
            // Only a module is named. If it has parts, the paths that begin with its name say which of them is used.
            return self.is_leaf(module).then_some(file);
        };
        let name = name.trim_end_matches('!');
        if self.defined[file].contains(name) || steps > 9 {
            return Some(file);
        }
        let passed = self.paths[file].iter().find(|passed| passed.rsplit("::").next() == Some(name));
        passed.map_or(Some(file), |passed| self.target(passed, steps + 1))
    }

    fn is_leaf(&self, module: &str) -> bool {
        !self.modules.keys().any(|other| other.starts_with(&format!("{module}::")))
    }

    /// The longest module at the beginning of a path, and the rest of the path.
    fn split<'b>(&self, path: &'b str) -> Option<(&'b str, &'b str)> {
        let mut end = path.len();
        while !self.modules.contains_key(&path[..end]) {
            end = path[..end].rfind("::")?;
        }
        Some((&path[..end], path[end..].trim_start_matches("::")))
    }
}

/// The paths into our crate that a file names. A path that begins with the name of an imported or declared module is
/// made whole, from `crate` on.
fn whole_paths(file: &str, code: &str, modules: &BTreeMap<String, &str>) -> BTreeSet<String> {
    let own = module(file);
    let named: BTreeSet<_> = paths(file, code).into_iter().map(|(_, path)| path).collect();
    let mut whole: BTreeSet<String> = BTreeSet::new();
    let mut short = Vec::new();
    for path in named {
        let path = path.trim_end_matches("::self");
        if path.starts_with("crate::") {
            whole.insert(path.to_owned());
        } else {
            short.push(path.to_owned());
        }
    }
    // A bare `super` is mostly a visibility.
    whole.retain(|path| !own.starts_with(&format!("{path}::")) && *path != own);
    let imported: BTreeMap<_, _> = whole
        .iter()
        .filter(|path| modules.contains_key(*path))
        .filter_map(|path| Some((path.rsplit("::").next()?.to_owned(), path.clone())))
        .collect();
    for path in short {
        let Some((first, rest)) = path.split_once("::") else { continue };
        let child = format!("{own}::{first}");
        if let Some(module) = imported.get(first) {
            whole.insert(format!("{module}::{rest}"));
        } else if modules.contains_key(&child) {
            whole.insert(format!("{child}::{rest}"));
        }
    }
    whole
}

/// The names that a file's code defines.
fn defined(code: &str) -> BTreeSet<String> {
    const KEYWORDS: [&str; 8] = ["struct ", "enum ", "trait ", "type ", "fn ", "const ", "static ", "macro_rules! "];
    let of = |line: &str| {
        let keyword = KEYWORDS.iter().find(|keyword| {
            line.split_once(**keyword).is_some_and(|(before, _)| {
                before.is_empty() || before.starts_with("pub") && before.ends_with(' ') || MODIFIERS.contains(&before)
            })
        })?;
        let name = line.split_once(*keyword)?.1.trim_start_matches("fn ");
        Some(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
    };
    code.lines().filter_map(of).collect()
}

const MODIFIERS: [&str; 3] = ["async ", "const ", "unsafe "];

fn module(file: &str) -> String {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    ["crate"].into_iter().chain(stem.split('/').filter(|part| *part != "lib")).collect::<Vec<_>>().join("::")
}

/// A file's code without the items that are compiled for tests only, and the names of its test modules.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let first = lines.by_ref().find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
        if let Some(module) = first.trim_start().strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.push(module.to_owned());
        }
        let end = format!("{indent}}}");
        if !first.ends_with([';', ',']) && !first.ends_with('}') {
            lines.by_ref().find(|line| *line == end || *line == format!("{end};"));
        }
    }
    (kept.join("\n"), modules)
}
