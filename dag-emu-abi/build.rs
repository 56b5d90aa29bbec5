//! The name by which the loader finds the library: that of the vendor's (`libdag-contract.md` section 1).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdag.so.5");
    // Its threads and memory may be in use until the very end of a program.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
