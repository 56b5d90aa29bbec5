//! The emulated DAG card as a drop-in `libdag.so.5`: what programs for DAG cards are linked with, and may be linked with instead of
//! the vendor's library. The semantics are those of `docs/libdag-contract.md`; `dag-sys/include` has the headers.
//!
//! ```text
//! dag_open("/dev/dag0") -> descriptor -> Handle -> Card -> streams -> stream memory, writable, mapped twice
//!          which card that is says `cards`                 one lock each
//! ```
//!
//! | part | what |
//! |---|---|
//! | `cards` | which cards there are: `DAG_EMU_CARDS`, or the file that `DAG_EMU_CONFIG` names |
//! | `handles` | descriptors and what is behind them, also after a fork |
//! | `rx`, `tx` | streams as the C API sees them: pointers, not positions |
//! | `api_*`, `config` | the exported functions |
//! | `guard` | `errno`, and no panic across the border |

mod api_card;
mod api_erf;
mod api_rx;
mod api_tx;
mod cards;
mod config;
mod constants;
mod describe;
mod guard;
mod handles;
mod name;
mod rx;
mod tx;
