//! Programs in C on the drop-in libdag: small ones of our own, each in the way of one kind of living program
//! (`libdag-contract.md` sections 2, 9 and 12), and stock ones on a libpcap built from its unmodified sources.

mod example;
mod hostile;
mod pcap;
mod sending;
mod served;
mod transmit;
mod ways;

use std::process::Command;

use house_tests::library::libdag;
use house_tests::run::prepared;

/// `program`, which finds our libraries, with these cards.
fn on_cards(program: impl AsRef<std::path::Path>, cards: &str) -> Command {
    let mut command = prepared(program);
    command.env("LD_LIBRARY_PATH", libdag().lib()).env("DAG_EMU_CARDS", cards);
    command
}
