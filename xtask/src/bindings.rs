//! The bindings of `dag-sys`, made by bindgen from our own headers and kept in the repository, so that a plain build needs no
//! libclang.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::shell::{self, About, Result, cargo, finding};

/// Writes them anew; with `check` only looks whether that would change something.
pub(crate) fn chore(check: bool) -> Result {
    let kept = shell::root().join("dag-sys/src/bindings.rs");
    let made = fs::read_to_string(make()?).about(&kept)?;
    let before = fs::read_to_string(&kept).unwrap_or_default();
    match (made == before, check) {
        (true, _) => println!("{} is what bindgen makes of our headers", kept.display()),
        (false, false) => fs::write(&kept, made).about(&kept)?,
        (false, true) => {
            let at = made.lines().zip(before.lines()).take_while(|(made, before)| made == before).count() + 1;
            return finding(format!(
                "{}, line {at}: not what bindgen makes of our headers; run `cargo xtask bindings` and commit",
                kept.display()
            ));
        }
    }
    Ok(())
}

/// Lets the build script make them, and finds where it has put them.
fn make() -> Result<PathBuf> {
    let mut check = cargo();
    check.args(["check", "--quiet", "--package", "dag-sys", "--features", "buildtime-bindgen"]);
    check.args(["--message-format", "json"]).env_remove("DAG_INCLUDE_DIR");
    // Whether the rest of the crate fits the new bindings is not asked here.
    let output = check.stderr(Stdio::null()).output().map_err(|cause| shell::start_error(&check, cause))?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let folder = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let ours = message["reason"] == "build-script-executed"
            && message["package_id"].as_str().is_some_and(|id| id.contains("dag-sys"));
        ours.then(|| message["out_dir"].as_str().map(PathBuf::from)).flatten()
    });
    match folder {
        Some(folder) => Ok(folder.join("bindings.rs")),
        None => {
            finding("the build script of dag-sys failed; see `cargo check -p dag-sys --features buildtime-bindgen`")
        }
    }
}
