//! The real library.

use std::env;
use std::sync::OnceLock;

use dag_sys::Libdag;

/// The real library; `None` where it is not named or cannot be loaded, which is said once.
pub(crate) fn library() -> Option<&'static Libdag> {
    static LIBRARY: OnceLock<Option<Libdag>> = OnceLock::new();
    LIBRARY.get_or_init(open).as_ref()
}

fn open() -> Option<Libdag> {
    let Some(path) = env::var_os("DAG_TRACE_LIBRARY").filter(|path| !path.is_empty()) else {
        eprintln!(
            "flight recorder for libdag: DAG_TRACE_LIBRARY does not name the real libdag, so no call can be passed on"
        );
        return None;
    };
    match Libdag::open_file(&path) {
        Ok(library) => Some(library),
        Err(error) => {
            eprintln!("flight recorder for libdag: DAG_TRACE_LIBRARY: {error}");
            None
        }
    }
}

/// A function of the real library or of its configuration library.
macro_rules! function {
    ($name:ident) => {{
        $crate::real::library().and_then(|library| {
            let (main, conf) = library.tables();
            let main = main.$name.as_ref().ok().copied();
            main.or_else(|| conf.and_then(|conf| conf.$name.as_ref().ok().copied()))
        })
    }};
}
pub(crate) use function;
