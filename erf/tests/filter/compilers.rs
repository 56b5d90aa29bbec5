//! Our compiler and libpcap's say the same of every packet.

use erf::filter::{Compiler, Filter, FilterOptions, Mismatch};
use erf::pcap::LinkType;
use house_skip::need_program;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::expressions::{expression, primitive};
use super::packets::{Captured, LINK_TYPES, captured};
use super::tcpdump::unoptimised;

pub(crate) fn by(compiler: Compiler, expression: &str) -> Result<Filter, erf::Error> {
    let mut options = FilterOptions::default();
    options.compiler = compiler;
    options.mismatch = Mismatch::NoMatch;
    Filter::new(expression, options)
}

fn have_libpcap() -> bool {
    let found = by(Compiler::Libpcap, "ip").is_ok();
    if !found {
        house_skip::skip("libpcap cannot be opened");
    }
    found
}

fn packets(snapped: bool) -> impl Strategy<Value = (LinkType, Vec<Captured>)> {
    let of = move |link_type| {
        let one = captured(link_type).prop_filter("snapped", move |packet| snapped || !packet.is_snapped());
        (Just(link_type), vec(one, 40))
    };
    select(&LINK_TYPES[..]).prop_flat_map(of)
}

/// Both refuse it, or both answer alike for every packet.
fn agree(expression: &str, link_type: LinkType, packets: &[Captured]) -> Result<(), TestCaseError> {
    let (theirs, ours) = (by(Compiler::Libpcap, expression), by(Compiler::Own, expression));
    // One may see through an expression that nothing can match, and the other not.
    let rejects_all = |error: &erf::Error| error.to_string().ends_with("rejects all packets");
    let (theirs, ours) = match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => (theirs, ours),
        (Err(_), Err(_)) => return Ok(()),
        (Err(error), Ok(ours)) if rejects_all(&error) => {
            for packet in packets {
                prop_assert!(!ours.matches_packet(link_type, &packet.bytes, packet.original_len).unwrap());
            }
            return Ok(());
        }
        (theirs, ours) => return Err(TestCaseError::fail(format!("{expression}: {theirs:?} {ours:?}"))),
    };
    let refuses = |filter: &Filter| filter.program(link_type).is_err_and(|error| !rejects_all(&error));
    prop_assert_eq!(refuses(&theirs), refuses(&ours), "{} {}", expression, link_type);
    for packet in packets {
        let ask = |filter: &Filter| filter.matches_packet(link_type, &packet.bytes, packet.original_len).unwrap();
        // libpcap 1.10.3 itself is wrong at times, and right when it does not optimise.
        if ask(&theirs) != ask(&ours)
            && !packet.is_snapped()
            && let Some(plain) = unoptimised(expression, link_type)
            && (plain.run(&packet.bytes, packet.original_len) != 0) == ask(&ours)
        {
            continue;
        }
        prop_assert_eq!(
            ask(&theirs),
            ask(&ours),
            "{} {} {:02x?} of {}\n{:?}\n{:?}",
            expression,
            link_type,
            packet.bytes,
            packet.original_len,
            theirs.program(link_type),
            ours.program(link_type)
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Packets that are there as a whole. Where fields are missing, libpcap's optimiser decides which one is missed first.
    #[test]
    fn random_expressions_mean_the_same((link_type, packets) in packets(false), expression in expression()) {
        if have_libpcap() {
            agree(&expression, link_type, &packets)?;
        }
    }

    /// Snapped packets too. Lists of values are left out, since libpcap sorts their tests by field.
    #[test]
    fn single_terms_mean_the_same_of_snapped_packets(
        (link_type, packets) in packets(true),
        expression in primitive().prop_filter("a list", |text| !text.contains("(") || text.starts_with("vlan")),
        not in any::<bool>(),
    ) {
        if have_libpcap() {
            let expression = if not { format!("not {expression}") } else { expression };
            agree(&expression, link_type, &packets)?;
        }
    }
}

/// A defect of libpcap 1.10.3: optimised, this does not look for packets from 10.0.0.2. With libpcap the result is tcpdump's all the same.
#[test]
fn what_the_optimiser_of_libpcap_gets_wrong() {
    let expression = "ip host 10.0.0.1 and not 10.0.0.2 or ip host 10.0.0.1 or 10.0.0.2";
    let mut frame = [0; 60];
    (frame[12], frame[14]) = (8, 0x45);
    frame[26..34].copy_from_slice(&[10, 0, 0, 2, 10, 1, 2, 3]);
    let ours = by(Compiler::Own, expression).unwrap();
    assert!(ours.matches_packet(LinkType::ETHERNET, &frame, 60).unwrap());
    if need_program("tcpdump") {
        let plain = unoptimised(expression, LinkType::ETHERNET).expect("tcpdump compiles it");
        assert_eq!(plain.run(&frame, 60), 262_144);
    }
}
