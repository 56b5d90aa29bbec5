//! Which libdag is found, and a little of what it and the bindings say.

use dag_sys::{Libdag, bindings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lib = Libdag::open()?;
    println!("library {}", lib.path());
    println!("emulated {}", lib.emulated().is_some());
    let fd = lib.dag_open(c"/dev/dag0")?;
    println!("streams {}", lib.dag_rx_get_stream_count(fd)?);
    println!("kComponentStreamFeatures {:#06x}", bindings::kComponentStreamFeatures);
    println!("dag_card_inf_t {} bytes", size_of::<bindings::dag_card_inf_t>());
    // SAFETY: nothing is attached.
    unsafe { lib.dag_close(fd) };
    Ok(())
}
