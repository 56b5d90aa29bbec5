//! Clients that do everything wrong: `errno`, and never a crash.

use house_tests::library::{client, libdag};
use house_tests::run::{prepared, run};

use super::on_cards;

const CARDS: &str =
    "dag0=synthetic,rate=50kpps,streams=2,bare_streams=1;dag2=none,tx=drop,tx_streams=2;dag8=synthetic,size=x";

#[test]
fn every_call_bears_every_argument() {
    let ran = run(&mut on_cards(client("hostile.c"), CARDS)).exits(0);
    // Whoever describes a card that cannot be is told what is wrong with it.
    ran.says("libdag (emulated): dag8: size=x");
}

#[test]
fn valgrind_has_nothing_against_it() {
    if !house_skip::need_program("valgrind") {
        return;
    }
    for (name, args) in
        [("hostile.c", &[][..]), ("like_libpcap.c", &["dag0", "200"]), ("like_multiplexer.c", &["dag0", "200"])]
    {
        let program = client(name);
        let mut command = on_cards("valgrind", CARDS);
        command.args(["--quiet", "--error-exitcode=99", "--trace-children=yes"]).arg(program).args(args);
        run(&mut command).exits(0);
    }
}

#[test]
fn the_address_sanitizer_has_nothing_against_it() {
    let program = house_tests::library::client_with("like_libtrace.c", &["-fsanitize=address"]);
    let mut command = on_cards(program, CARDS);
    // Its configuration reference stays open, as with libtrace.
    command.env("ASAN_OPTIONS", "detect_leaks=0").args(["dag0", "2000"]);
    run(&mut command).exits(0);
}

#[test]
fn a_file_of_cards_is_read_and_a_line_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cards");
    std::fs::write(&file, "# two cards\n\ndag1 = synthetic,rate=max,count=100\ndag0=synthetic,rate=20kpps\n").unwrap();
    let program = client("like_yaf.c");
    let with_file = |card: &str| {
        let mut command = prepared(&program);
        command.env("LD_LIBRARY_PATH", libdag().lib()).env("DAG_EMU_CONFIG", &file).args([card, "50"]);
        run(&mut command)
    };
    assert_eq!(with_file("dag1").exits(0).stdout.split(|byte| *byte == b'\n').count(), 51);
    with_file("dag2").exits(1).says("No such file");
    std::fs::write(&file, "eth0=synthetic\n").unwrap();
    with_file("dag0").exits(1).says("\"eth0=synthetic\" describes no card");
    std::fs::remove_file(&file).unwrap();
    with_file("dag0").exits(1).says("DAG_EMU_CONFIG: ");
}
