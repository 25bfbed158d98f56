//! Lists the built-in profiles: each TOML file in `src/psp/profiles` is one, by the name of its file.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

const FOLDER: &str = "src/psp/profiles";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = folder(Path::new(&env::var("CARGO_MANIFEST_DIR")?))?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let files = folder.read_dir()?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let mut profiles = BTreeMap::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let name = file.file_stem().and_then(|name| name.to_str()).ok_or("a profile's file has no name in UTF-8")?;
        profiles.insert(name, file);
    }
    let mut list = "&[\n".to_owned();
    for (name, file) in profiles {
        writeln!(list, "    ({name:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("built_in.rs"), list)?;
    Ok(())
}

/// The folder lies in this package, or above it: `fuzz/` builds the same code.
fn folder(package: &Path) -> Result<PathBuf, String> {
    let found = package.ancestors().map(|above| above.join(FOLDER)).find(|folder| folder.is_dir());
    found.ok_or_else(|| format!("there is no {FOLDER} in or above {}", package.display()))
}
