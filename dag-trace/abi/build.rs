//! The name by which the loader finds the library: that of the vendor's (`libdag-contract.md` section 1).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdag.so.5");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
