//! What must not compile: keeping what has been lent.
//!
//! The compiler's words differ between versions, so they are compared for the one that this repository is built with.

const RUSTC: &str = "1.95";

#[test]
fn what_is_lent_cannot_be_kept() {
    let version = std::process::Command::new("rustc").arg("--version").output().expect("rustc");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !version.starts_with(&format!("rustc {RUSTC}.")) {
        house_skip::skip(format!("the compiler's messages are compared for rustc {RUSTC}, this is {version}"));
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
