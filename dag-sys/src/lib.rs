//! Bindings to Endace's libdag, which is opened at run time.
//!
//! ```no_run
//! let lib = dag_sys::Libdag::open()?;                  // no libdag: an error that says where it was looked for
//! let card = lib.dag_open(c"/dev/dag0")?;              // errno, and which call
//! println!("{} receive streams, library {}", lib.dag_rx_get_stream_count(card)?, lib.path());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | part | what |
//! |---|---|
//! | `include/` | headers of our own, clean-room, also for C programs (`DEP_DAG_INCLUDE` for build scripts) |
//! | [`bindings`] | what bindgen makes of them: types, constants, and [`DagApi`](bindings::DagApi), the table of functions |
//! | [`Libdag`] | the library, found and opened; its functions with their errors; 64-bit forms with 32-bit ones to fall back to |
//! | [`values`] | what differs from one version of the library to the next, learned from its own headers |
//!
//! Where it looks for the library: the file that `DAG_LIBRARY` names, and nowhere else if that is set; else `libdag.so.5`, then
//! `libdag.so` by the loader's rules (`LD_LIBRARY_PATH`, `/etc/ld.so.conf`). The configuration functions may be in a library of
//! their own: the file that `DAG_CONF_LIBRARY` names, else `libdagconf` beside the library or by the loader's rules. Nothing is
//! ever unloaded. With the feature `link` both are linked at build time, from `DAG_LIB_DIR`.
//!
//! What is portable between versions of the library without its headers is in `docs/libdag-contract.md`, section 10.

/// What bindgen made of our headers; with the feature `buildtime-bindgen`, of those that `DAG_INCLUDE_DIR` named when this was
/// built. [`DagApi`](bindings::DagApi) is the table of functions that [`Libdag`] calls.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "made by bindgen"
)]
pub mod bindings {
    #[cfg(not(feature = "buildtime-bindgen"))]
    include!("bindings.rs");
    #[cfg(feature = "buildtime-bindgen")]
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

/// The bindings of our own headers, where [`bindings`] are those of others: the emulated card keeps their numbers.
#[cfg(feature = "buildtime-bindgen")]
#[allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "made by bindgen"
)]
mod ours {
    include!("bindings.rs");
}
#[cfg(not(feature = "buildtime-bindgen"))]
use bindings as ours;

/// Our headers, by name: for programs that install them.
pub const HEADERS: &[(&str, &str)] = &[
    ("dagapi.h", include_str!("../include/dagapi.h")),
    ("dagerf.h", include_str!("../include/dagerf.h")),
    ("dagnew.h", include_str!("../include/dagnew.h")),
    ("daginf.h", include_str!("../include/daginf.h")),
    ("dagpci.h", include_str!("../include/dagpci.h")),
    ("dagutil.h", include_str!("../include/dagutil.h")),
    ("dag_config.h", include_str!("../include/dag_config.h")),
    ("dag_config_api.h", include_str!("../include/dag_config_api.h")),
    ("dag_emu.h", include_str!("../include/dag_emu.h")),
];

/// What pkg-config is to know of an installation of them, as `lib/pkgconfig/libdag.pc`. `@VERSION@` stands for the version.
pub const PKG_CONFIG: &str = include_str!("../libdag.pc.in");

mod calls;
mod card;
mod duck;
mod error;
mod load;
pub mod values;

pub use calls::Poll;
pub use card::{Config, Kind};
pub use duck::Duck;
pub use error::{CallError, LoadError};
pub use load::Libdag;
