//! Our compiler and libpcap's say the same of every packet.

use erf::filter::{Compiler, Filter, FilterOptions, Mismatch};
use erf::pcap::LinkType;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::expressions::{expression, primitive};
use super::packets::{Captured, LINK_TYPES, captured};

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
    // libpcap 1.10.3 drops tests that it must not drop where the link type alone tells the protocol: on IPV4 its program for
    // `host 10.0.0.1 or 10.0.0.2` does not look for a source 10.0.0.2. No record becomes a packet of these two link types.
    let sound = LINK_TYPES.into_iter().filter(|known| ![LinkType::IPV4, LinkType::IPV6].contains(known));
    select(sound.collect::<Vec<_>>()).prop_flat_map(of)
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
