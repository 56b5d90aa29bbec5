//! The features of dag-sys: linked at build time, and with bindings of others' headers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use house_tests::library::libdag;
use house_tests::run::profile;

use super::learned::shuffled;
use super::{fake, include};

/// Builds the example `which` of dag-sys with `features` and runs it.
fn which(features: &str, environment: &[(&str, &Path)]) -> Output {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--package", "dag-sys", "--example", "which", "--features", features]);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    // Features of the same crate want a place of their own, each.
    let target = profile().parent().unwrap().join("features").join(features);
    cargo.env("CARGO_TARGET_DIR", target).env_remove("DAG_LIBRARY").envs(environment.iter().copied());
    cargo.output().unwrap()
}

#[track_caller]
fn says(output: &Output, lines: &[&str]) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for line in lines {
        assert!(said.lines().any(|one| one == *line), "no {line:?} in\n{said}");
    }
}

#[test]
fn linked_it_is_the_vendors_functions_that_are_called() {
    let dir = tempfile::tempdir().unwrap();
    let library = fake(dir.path(), &include(), &[]);
    // By the names for which a linker looks; the fake has the functions of both.
    for name in ["libdag.so", "libdagconf.so"] {
        symlink(&library, dir.path().join(name)).unwrap();
    }
    // The emulated card's library is there as well, by the name that would be opened at run time, and is not taken.
    let ours = libdag().lib().join("libdag.so.5");
    let environment = [("DAG_LIB_DIR", dir.path()), ("LD_LIBRARY_PATH", dir.path()), ("DAG_LIBRARY", &*ours)];
    let output = which("link", &environment);
    says(&output, &["emulated false", "streams 2"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("library {}", dir.path().display())), "{said}");
}

#[test]
fn bindings_can_be_made_of_the_vendors_headers() {
    let dir = tempfile::tempdir().unwrap();
    let headers = dir.path().join("include");
    fs::create_dir(&headers).unwrap();
    shuffled(&headers);
    let library = fake(dir.path(), &headers, &[]);
    let output = which("buildtime-bindgen", &[("DAG_INCLUDE_DIR", &headers), ("DAG_LIBRARY", &library)]);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && errors.contains("libclang") {
        house_skip::skip("no libclang, which bindgen needs");
        return;
    }
    says(&output, &["emulated false", "streams 2", "kComponentStreamFeatures 0x0104", "dag_card_inf_t 40 bytes"]);
    // Our own, without the variable.
    let output = which("buildtime-bindgen", &[("DAG_LIBRARY", &library)]);
    says(&output, &["kComponentStreamFeatures 0x0106", "dag_card_inf_t 40 bytes"]);
}
