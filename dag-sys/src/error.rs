//! What can go wrong on the way to libdag and in it.

use std::io;

/// A function of libdag did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It failed, and `errno` was this right after.
    #[error("{function}: {}", io::Error::from_raw_os_error(*.errno))]
    Failed {
        /// Its name in C.
        function: &'static str,
        /// The value of `errno`; 0 where the library has set none.
        errno: i32,
    },
    /// The library has no such function: an older version, or one without a configuration library.
    #[error("the DAG library has no function {function}; a newer version of it may have one")]
    Missing {
        /// Its name in C.
        function: &'static str,
    },
}

impl CallError {
    /// The function that failed or is missing.
    pub fn function(&self) -> &'static str {
        match self {
            Self::Failed { function, .. } | Self::Missing { function } => function,
        }
    }

    /// `errno` of a call that failed.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Failed { errno, .. } => Some(*errno),
            Self::Missing { .. } => None,
        }
    }
}

/// There is no libdag that could be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file that an environment variable names cannot be loaded.
    #[error("{variable} names {path}, which cannot be loaded as a library: {cause}")]
    Named {
        /// `DAG_LIBRARY` or `DAG_CONF_LIBRARY`.
        variable: &'static str,
        /// Its value.
        path: String,
        /// What the loader says.
        cause: libloading::Error,
    },
    /// Nowhere.
    #[error(
        "no libdag is installed: the loader finds neither libdag.so.5 nor libdag.so ({cause}); \
         install Endace's software, or name the file with DAG_LIBRARY"
    )]
    NotFound {
        /// What the loader says of the last one.
        cause: libloading::Error,
    },
    /// It can be loaded, and is something else.
    #[error("{path} is a library, but no libdag: it has no function dag_open")]
    NotLibdag {
        /// Where it was found.
        path: String,
    },
}

impl LoadError {
    /// There simply is none, and nobody has named one.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
