//! An open card: streams, links, clock.

use super::Finding;
use crate::card::Card;
use crate::info::{Counters, StreamInfo};

pub(super) fn examine(card: &Card) -> Vec<Finding> {
    let counters = match card.counters() {
        Ok(counters) => counters,
        Err(error) => return vec![Finding::bad("streams", error.to_string(), "open the card again")],
    };
    vec![streams(&counters, &card.holders()), links(&counters), clock(card.clock().is_synchronised())]
}

fn streams(counters: &Counters, holders: &[String]) -> Finding {
    let receive: Vec<&StreamInfo> = counters.streams.iter().filter(|stream| !stream.transmits()).collect();
    let usable: Vec<&&StreamInfo> = receive.iter().filter(|stream| stream.memory > 0).collect();
    if usable.is_empty() {
        let found = format!("none of {} receive streams has memory", receive.len());
        return Finding::bad("streams", found, "give stream 0 memory: `dagconfig`, or the driver's settings");
    }
    let owned: Vec<String> = usable
        .iter()
        .filter_map(|stream| Some(format!("stream {} by process {}", stream.number, stream.owner?)))
        .collect();
    if owned.len() == usable.len() {
        let fix = "stop who uses them; a stream has one owner at a time";
        return Finding::bad("streams", format!("all are in use: {}", owned.join(", ")), fix);
    }
    let memory = usable.iter().map(|stream| stream.memory).max().unwrap_or(0) >> 20;
    let mut found = format!("{} of {} receive streams have memory, up to {memory} MiB", usable.len(), receive.len());
    if !owned.is_empty() {
        found += &format!("; in use: {}", owned.join(", "));
    }
    match holders {
        [] => Finding::good("streams", found),
        some => Finding::notice(
            "streams",
            format!("{found}; the card is open in {}", some.join(", ")),
            "a stream that one of them owns cannot be had",
        ),
    }
}

fn links(counters: &Counters) -> Finding {
    let list = |wanted: bool, ask: fn(&crate::info::PortCount) -> Option<bool>| {
        let ports = counters.ports.iter().filter(|port| ask(port) == Some(wanted));
        ports.map(|port| port.number.to_string()).collect::<Vec<_>>()
    };
    let (up, down) = (list(true, |port| port.link_up), list(false, |port| port.link_up));
    let off = list(false, |port| port.enabled);
    if up.is_empty() && down.is_empty() {
        return Finding::skipped("links", "the card does not tell of them");
    }
    if up.is_empty() {
        let found = format!("no port has a link (ports {})", down.join(", "));
        return Finding::bad("links", found, "look at cables, optics and the speed that is set");
    }
    let takes = |port: &crate::info::PortCount| port.link_up != Some(false) && port.enabled != Some(false);
    if !counters.ports.iter().any(takes) {
        let found = format!("no port that is enabled has a link; disabled: ports {}", off.join(", "));
        return Finding::bad("links", found, "enable one that has: dagctl set DEVICE portN=on");
    }
    if down.is_empty() && off.is_empty() {
        return Finding::good("links", format!("up at ports {}", up.join(", ")));
    }
    let mut found = format!("up at ports {}", up.join(", "));
    if !down.is_empty() {
        found += &format!("; down at ports {}", down.join(", "));
    }
    if !off.is_empty() {
        found += &format!("; disabled: ports {}", off.join(", "));
    }
    Finding::notice("links", found, "nothing arrives at a port that is down or disabled")
}

fn clock(synchronised: Option<bool>) -> Finding {
    match synchronised {
        Some(true) => Finding::good("clock", "synchronised"),
        Some(false) => Finding::notice(
            "clock",
            "not synchronised: stamps of this card compare with each other, not with another clock's",
            "connect its source of time, then: dagctl clock --wait",
        ),
        None => Finding::skipped("clock", "the card does not tell of it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;
    use crate::info::PortCount;

    fn stream(number: u16, memory: u64, owner: Option<u32>) -> StreamInfo {
        StreamInfo { number, memory, owner, ..StreamInfo::default() }
    }

    fn with(streams: Vec<StreamInfo>, links: &[bool], enabled: bool) -> Counters {
        let port = |(number, up): (u8, &bool)| PortCount {
            number,
            enabled: Some(enabled),
            link_up: Some(*up),
            ..PortCount::default()
        };
        Counters { streams, ports: (0..).zip(links).map(port).collect(), ..Counters::default() }
    }

    #[test]
    fn streams_need_memory_and_to_be_free() {
        let bare = with(vec![stream(0, 0, None), stream(1, 1 << 20, None)], &[], true);
        assert!(streams(&bare, &[]).found.contains("none of 1 receive streams"));
        let owned = with(vec![stream(0, 1 << 20, Some(7)), stream(2, 0, None)], &[], true);
        let finding = streams(&owned, &[]);
        assert!(finding.verdict == Verdict::Bad && finding.found.contains("stream 0 by process 7"), "{finding:?}");
        let free = with(vec![stream(0, 1 << 20, Some(7)), stream(2, 1 << 20, None)], &[], true);
        assert_eq!(streams(&free, &[]).verdict, Verdict::Good);
        assert_eq!(streams(&free, &["tcpdump (9)".to_owned()]).verdict, Verdict::Notice);
    }

    #[test]
    fn links_are_all_up_some_or_none() {
        for (up, enabled, verdict) in [
            (&[true, true][..], true, Verdict::Good),
            (&[true, false], true, Verdict::Notice),
            (&[false, false], true, Verdict::Bad),
            (&[true, true], false, Verdict::Bad),
            (&[], true, Verdict::Skipped),
        ] {
            assert_eq!(links(&with(Vec::new(), up, enabled)).verdict, verdict, "{up:?} {enabled}");
        }
    }

    #[test]
    fn a_clock_alone_keeps_nobody_from_capturing() {
        assert_eq!(clock(Some(true)).verdict, Verdict::Good);
        assert_eq!(clock(Some(false)).verdict, Verdict::Notice);
        assert_eq!(clock(None).verdict, Verdict::Skipped);
    }
}
