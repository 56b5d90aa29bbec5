//! Without features: nothing but where our headers are. See the features in `Cargo.toml`.

use std::env;
use std::path::PathBuf;

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    // For packages that compile C against this one: DEP_DAG_INCLUDE.
    println!("cargo::metadata=include={}", here.join("include").display());
    #[cfg(feature = "link")]
    link();
    #[cfg(feature = "buildtime-bindgen")]
    bind(&here);
}

#[cfg(feature = "link")]
fn link() {
    println!("cargo::rerun-if-env-changed=DAG_LIB_DIR");
    if let Ok(folder) = env::var("DAG_LIB_DIR") {
        println!("cargo::rustc-link-search=native={folder}");
    }
    println!("cargo::rustc-link-lib=dylib=dag");
    println!("cargo::rustc-link-lib=dylib=dagconf");
}

#[cfg(feature = "buildtime-bindgen")]
fn bind(here: &std::path::Path) {
    println!("cargo::rerun-if-env-changed=DAG_INCLUDE_DIR");
    println!("cargo::rerun-if-changed=wrapper.h");
    println!("cargo::rerun-if-changed=include");
    let ours = here.join("include");
    let include = env::var_os("DAG_INCLUDE_DIR").map_or(ours, PathBuf::from);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    let bindings = bindgen::builder()
        .header(here.join("wrapper.h").display().to_string())
        .clang_arg(format!("-I{}", include.display()))
        .dynamic_library_name("DagApi")
        // Each function by itself: a library may lack some.
        .dynamic_link_require_all(false)
        .allowlist_function("dag_.*|dagerf_.*|dagutil_set_progname")
        .blocklist_function("dag_emu_.*")
        .allowlist_type("dag_record_t|erf_payload_t|daginf_t|dag_card_inf_t|duckinf_t|mem_node_t|attr_uuid_t|dag_err_t|dag_s?size_t")
        .allowlist_type("dag_component_code_t|dag_attribute_code_t|terf_strip_t")
        .allowlist_var("k[A-Z].*|DAG.*|ERF_TYPE_.*|dag_record_size|PCI_DEVICE_ID_.*")
        .blocklist_type("timeval|time_t|__(time|suseconds)_t")
        .raw_line("use libc::{time_t, timeval};")
        .wrap_unsafe_ops(true)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .layout_tests(true)
        .derive_debug(true)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .sort_semantically(true)
        // The oldest compiler that the workspace builds with.
        .rust_target(bindgen::RustTarget::stable(82, 0).unwrap_or_default())
        .generate();
    match bindings {
        Ok(bindings) => bindings.write_to_file(&out).unwrap_or_else(|error| panic!("{}: {error}", out.display())),
        Err(error) => panic!("bindgen on {}: {error}", include.display()),
    }
}
