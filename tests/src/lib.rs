//! What the tests that cross crates share; the tests themselves are in `tests/`.
//!
//! * [`run`]: our programs as a user meets them, started, stopped and judged by exit code and messages.
//! * [`seen`]: what is in a file, read by our own reader.
//! * [`judge`]: what Wireshark's programs say about the same file.
//! * [`browser`]: Chromium, and what it makes of a page.
//! * [`page`]: figures with their curves, and nothing that is cut.
//! * [`lab`]: network namespaces with real packets between them.
//! * [`traces`]: what a program has left on the machine.
//! * [`faulty`]: a disk that fails, is full, stalls or is slow when it is told to.
//! * [`sandbox`]: a system that refuses io_uring.
//!
//! Nothing here waits for a time that a slow machine could miss; where a test would otherwise hang, [`run::PATIENCE`] ends it.

#![forbid(unsafe_code)]

pub mod browser;
pub mod faulty;
pub mod judge;
pub mod lab;
pub mod library;
pub mod page;
pub mod run;
pub mod sandbox;
pub mod seen;
pub mod traces;
