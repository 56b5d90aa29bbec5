//! What the fuzz targets hold true. Each module is one target; its `check` takes the fuzzer's bytes and panics when a promise
//! is broken.
//!
//! Run with `cargo xtask fuzz [TARGET] --seconds N`, or with cargo-fuzz.

pub mod builder;
pub mod calls;
pub mod convert;
pub mod detect;
pub mod filter_expression;
pub mod filter_program;
pub mod header_chain;
pub mod lossless;
pub mod meta;
pub mod pcap;
pub mod pcapng;
pub mod pieces;
pub mod reader;
pub mod resync;
pub mod session;
pub mod spec;
pub mod walk;

mod items;
mod packets;
mod record;
