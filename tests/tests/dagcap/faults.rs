//! Cards with something wrong: the packets are kept, and what is wrong is counted and told.

use std::collections::{BTreeSet, HashSet};

use house_tests::run::{dagcap_with, number};
use house_tests::seen::Seen;

#[test]
fn errors_on_packets_are_counted_and_are_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let device = "emu:synthetic=imix,rate=max,count=20000,faults=rx-error:0.01+ds-error:0.02+truncate:0.03";
    let json = dagcap_with(&format!("--device {device} --json --out {}", out.display())).exits(0).json();
    let seen = Seen::in_file(&out);
    let count = |of: fn(&erf::Flags) -> bool| seen.packets.iter().filter(|p| of(&p.flags)).count() as u64;
    assert_eq!(number(&json, "rx_errors"), count(|f| f.rx_error()));
    assert_eq!(number(&json, "ds_errors"), count(|f| f.ds_error()));
    assert_eq!(number(&json, "truncated"), count(|f| f.truncated()));
    for (key, expected) in [("rx_errors", 200), ("ds_errors", 400), ("truncated", 600)] {
        assert!(number(&json, key).abs_diff(expected) < expected / 2, "{key} in {json}");
    }
    assert_eq!((number(&json, "delivered"), number(&json, "lost_card")), (20_000, 0));
}

#[test]
fn a_link_that_goes_down_is_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let device = "emu:synthetic,rate=max,count=50000,faults=link-down:1/5000";
    let json = dagcap_with(&format!("--device {device} --json --out {}", out.display())).exits(0).json();
    assert_eq!(number(&json, "lost_card"), 0);
    let received = number(&json, "received");
    assert!(received < 49_000, "{received} of 50 000 arrived");
    let seen = Seen::in_file(&out);
    assert_eq!(seen.packets.len() as u64, received);
    assert!(seen.packets.iter().all(|p| p.lctr == 0));
}

#[test]
fn bursts_and_disorder_are_recorded_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let device = "emu:synthetic,rate=50kpps,count=5000,faults=burst:1/1000+disorder:1/100";
    let json = dagcap_with(&format!("--device {device} --json --out {}", out.display())).exits(0).json();
    let seen = Seen::in_file(&out);
    let distinct: HashSet<u64> = seen.numbers().into_iter().collect();
    assert_eq!(distinct.len(), 5000, "every packet at least once");
    assert_eq!(number(&json, "delivered"), seen.packets.len() as u64);
    assert_eq!((seen.packets.len() - 5000) % 255, 0, "whole bursts of 256");
    assert!(seen.packets.len() > 5000);
    let backwards = seen.packets.windows(2).filter(|pair| pair[1].stamp < pair[0].stamp).count();
    assert!(backwards > 10, "{backwards} stamps out of order");
}

#[test]
fn a_hostile_card_is_survived_and_what_it_does_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for seed in 1..=4 {
        let out = dir.path().join(seed.to_string());
        let device = format!("emu:synthetic,rate=200kpps,count=40000,seed={seed},faults=bad-length:1/2000");
        let ran = dagcap_with(&format!("--device {device} --json --out {}", out.display())).exits(1);
        let json = ran.json();
        assert_eq!(json["loss_exact"], false, "{json}");
        assert!(number(&json, "defects") > 0, "{json}");
        assert_eq!(json["stopped_by"], "end");
        assert!(json["error"].is_null(), "{json}");
        ran.says("lost by card");

        // The file is in order again: damage does not spread.
        let seen = Seen::in_file(&out);
        assert!(seen.defects.is_empty(), "{:?}", seen.defects);
        let kept: BTreeSet<u64> = seen.packets.iter().filter_map(|p| p.number).collect();
        let kept: Vec<u64> = kept.into_iter().collect();
        assert!(kept[0] < 2, "what came before is kept");
        assert!(kept[kept.len() - 1] > 39_000, "and what came behind");
        // Some 20 strikes, each of which costs no more packets than fit into the longest record that it can claim; the next
        // strike may lie where that one ends, or the middle of a packet, whose bytes claim a length in turn.
        let gaps: Vec<u64> = kept.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|gap| *gap > 0).collect();
        assert!(gaps.len() < 60, "{} gaps", gaps.len());
        assert!(gaps.iter().all(|gap| *gap <= 3 * (65_535 / 88 + 2)), "{gaps:?}");
        assert_eq!(seen.account().delivered, seen.packets.len() as u64);
    }
}
