//! `libdag.so.5` in front of the real one: passes every call on, and writes a line of JSON for each.
//!
//! | variable | |
//! |---|---|
//! | `DAG_TRACE_LIBRARY` | the real library; needed |
//! | `DAG_TRACE_LOG` | the log; `dag-trace.jsonl` in the current folder if not set. One that is there already is left, and the process number put behind the name |
//! | `DAG_TRACE_LIMIT` | bytes after which nothing is logged any more; 256 MiB if not set |
//!
//! Nothing of a packet is logged but the length of its record. `errno` is for the program what the real library has left.

mod errno;
mod forward;
mod real;
mod receive;
mod recorder;
mod times;
mod transmit;
mod value;
