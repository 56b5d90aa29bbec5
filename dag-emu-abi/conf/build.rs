//! Links the library to `libdag.so.5` by its name alone: what is there at build time is an empty stand-in.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let stand_in = out.join("libdag.so.5");
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let mut link = Command::new(&linker);
    link.args(["-shared", "-nostdlib", "-Wl,-soname,libdag.so.5", "-x", "assembler", "/dev/null", "-o"]).arg(&stand_in);
    match link.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{link:?} failed: {status}"),
        Err(error) => panic!("{}: {error}", linker.to_string_lossy()),
    }
    let args = ["-Wl,-soname,libdagconf.so.5", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed"];
    for arg in args.map(str::to_owned).into_iter().chain([stand_in.display().to_string()]) {
        println!("cargo::rustc-cdylib-link-arg={arg}");
    }
}
