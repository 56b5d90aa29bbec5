//! Rules of `docs/architecture.md` that no compiler knows: who may use whom, which crates are used where, and where there is no
//! `unsafe`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell::{self, About, Result, cargo, finding, output};

/// Our crates, each with those of ours that it may use (architecture, section 1).
const ARROWS: &[(&str, &[&str])] = &[
    ("erf-core", &[]),
    ("erf", &["erf-core"]),
    ("dag-sys", &[]),
    ("dag-trace", &["erf-core", "dag-sys"]),
    ("dag-trace-abi", &["erf-core", "dag-sys", "dag-trace"]),
    ("dag-emu", &["erf-core", "erf"]),
    ("dag-emu-abi", &["erf-core", "erf", "dag-emu"]),
    ("dag-emu-conf-abi", &[]),
    ("endace-dag", &["erf-core", "erf", "dag-emu", "dag-sys"]),
    ("wire-truth", &["erf-core", "erf", "dag-emu", "endace-dag"]),
    ("dag-tools", &["erf-core", "erf", "dag-emu", "endace-dag", "wire-truth", "dag-trace"]),
];

/// What only the house itself uses; nobody is to depend on it except for tests.
const HOUSE: &[&str] = &["house-skip", "house-tests", "house-benches", "house-hot", "xtask"];

/// Crates that have their place: in which of ours they are used (architecture, section 1).
const PLACES: &[(&str, &[&str])] = &[
    ("bindgen", &["dag-sys"]),
    ("byteorder", &["erf"]),
    ("clap", &["dag-tools"]),
    ("crossbeam-channel", &["erf", "endace-dag"]),
    ("io-uring", &["endace-dag"]),
    ("libc", &["dag-sys", "dag-emu", "dag-emu-abi", "endace-dag", "dag-trace-abi", "dag-trace"]),
    ("memmap2", &["erf"]),
    ("thiserror", &["dag-sys", "erf", "dag-emu", "endace-dag", "dag-tools", "dag-trace", "wire-truth"]),
];

/// Crates that may hold `unsafe` (architecture, section 6). In `erf` only two modules may, in `erf-core` one, and the crates deny it elsewhere.
const UNSAFE: &[&str] = &["dag-sys", "dag-emu", "dag-emu-abi", "endace-dag", "dag-trace", "dag-trace-abi"];

/// Files that allow `unsafe` to a module: the caller of libpcap, the mapped reader, and the one that asks for memory ahead.
const UNSAFE_MODULES: &[(&str, &[&str])] =
    &[("erf", &["erf/src/filter/compile/mod.rs", "erf/src/reader/mod.rs"]), ("erf-core", &["erf-core/src/lib.rs"])];

/// Lines of a file without its tests, past which it is two ideas.
const LONGEST: usize = 500;

/// One package of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    /// Names of dependencies and whether they are for tests only.
    dependencies: Vec<(String, bool)>,
    /// Crate roots of libraries and programs.
    roots: Vec<PathBuf>,
}

/// Checks every rule and names every breach.
pub(crate) fn step() -> Result {
    let packages = packages()?;
    let mut breaches = Vec::new();
    for package in &packages {
        arrows(package, &mut breaches);
        unsafe_code(package, &mut breaches)?;
        used(package, &mut breaches)?;
        sizes(package)?;
    }
    places(&packages, &mut breaches);
    println!("{} packages, {} breaches of the rules of the house", packages.len(), breaches.len());
    match breaches.is_empty() {
        true => Ok(()),
        false => finding(format!("rules of the house are broken:\n  {}", breaches.join("\n  "))),
    }
}

fn packages() -> Result<Vec<Package>> {
    let text = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).or_else(|error| finding(format!("cargo metadata: {error}")))?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let package = |package: &Value| {
        let dependency = |one: &Value| (text(&one["name"]), one["kind"] == "dev");
        let is_root = |target: &&Value| {
            let kinds = list(&target["kind"]);
            kinds.iter().any(|kind| ["lib", "bin", "cdylib"].iter().any(|ours| kind == ours))
        };
        Package {
            name: text(&package["name"]),
            folder: Path::new(&text(&package["manifest_path"])).parent().map(Path::to_owned).unwrap_or_default(),
            dependencies: list(&package["dependencies"]).iter().map(dependency).collect(),
            roots: list(&package["targets"]).iter().filter(is_root).map(|one| text(&one["src_path"]).into()).collect(),
        }
    };
    Ok(list(&metadata["packages"]).iter().map(package).collect())
}

fn arrows(package: &Package, breaches: &mut Vec<String>) {
    let name = &package.name;
    if HOUSE.contains(&name.as_str()) {
        return;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(ours, _)| ours == name) else {
        breaches.push(format!("package `{name}` has no place in the architecture; give it one in {}", file!()));
        return;
    };
    for (used, for_tests) in &package.dependencies {
        let ours = ARROWS.iter().any(|(ours, _)| ours == used);
        if ours && !allowed.contains(&used.as_str()) {
            breaches.push(format!("`{name}` uses `{used}`; it may use only {allowed:?}"));
        }
        if HOUSE.contains(&used.as_str()) && !for_tests {
            breaches.push(format!("`{name}` uses `{used}` outside its tests"));
        }
    }
}

fn unsafe_code(package: &Package, breaches: &mut Vec<String>) -> Result {
    if UNSAFE.contains(&package.name.as_str()) {
        return Ok(());
    }
    let wanted = match package.name.as_str() {
        "erf" => &["#![deny(unsafe_code)]"][..],
        "erf-core" => &["#![deny(unsafe_code)]", "#![cfg_attr(not(feature = \"prefetch\"), forbid(unsafe_code))]"],
        _ => &["#![forbid(unsafe_code)]"],
    };
    for root in &package.roots {
        let text = read(root)?;
        let lacking = wanted.iter().filter(|line| !text.contains(**line));
        breaches.extend(lacking.map(|line| format!("{} lacks {line}", relative(root))));
    }
    let mut exceptions = Vec::new();
    for file in sources(&package.folder)? {
        if read(&file)?.contains(concat!("allow(", "unsafe_code)")) {
            exceptions.push(relative(&file));
        }
    }
    let modules = UNSAFE_MODULES.iter().find(|(name, _)| *name == package.name).map_or(&[][..], |(_, files)| files);
    if exceptions != modules {
        breaches.push(format!("`unsafe` is allowed in {exceptions:?}, and is to be only in {modules:?}"));
    }
    Ok(())
}

/// Every dependency is named somewhere in the source.
fn used(package: &Package, breaches: &mut Vec<String>) -> Result {
    let mut source = String::new();
    for file in sources(&package.folder)? {
        source.push_str(&read(&file)?);
    }
    for (name, _) in &package.dependencies {
        let named = if name == "endace-dag" { "dag".to_owned() } else { name.replace('-', "_") };
        let word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let bytes = source.as_bytes();
        let found = source.match_indices(&named).any(|(at, _)| {
            let before = at.checked_sub(1).map(|before| bytes[before]);
            !word(before) && !word(bytes.get(at + named.len()).copied())
        });
        // Its derives are what is used of it.
        if !found && name != "serde" {
            breaches.push(format!("`{}` depends on `{name}` and does not use it", package.name));
        }
    }
    Ok(())
}

fn places(packages: &[Package], breaches: &mut Vec<String>) {
    for (name, users) in PLACES {
        for user in *users {
            let Some(package) = packages.iter().find(|package| package.name == *user) else { continue };
            if !package.dependencies.iter().any(|(used, for_tests)| used == name && !for_tests) {
                breaches.push(format!("`{user}` is to use `{name}`"));
            }
        }
    }
}

/// A file that is too long is a hint, no breach.
fn sizes(package: &Package) -> Result {
    for file in sources(&package.folder)? {
        let text = read(&file)?;
        let is_test = relative(&file).split('/').any(|part| part.starts_with("tests"));
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if !is_test && lines > LONGEST {
            println!("warning: {} has {lines} lines without tests; past {LONGEST} it is two ideas", relative(&file));
        }
    }
    Ok(())
}

/// The source files of the package in `folder`, those of packages inside it left out.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ["src", "tests", "benches", "examples"].map(|part| folder.join(part)).into();
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() || folder.join("Cargo.toml").is_file() {
            continue;
        }
        for entry in fs::read_dir(&folder).about(&folder)? {
            let path = entry.about(&folder)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).about(file)
}

fn relative(file: &Path) -> String {
    file.strip_prefix(shell::root()).unwrap_or(file).display().to_string()
}
