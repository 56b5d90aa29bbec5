//! [`emulated_card`]: the emulated card that is most like the one of a log.

use crate::log::Log;

/// More is of no use to a comparison, and may not be there.
const MOST_MEMORY: u64 = 64 << 20;
const LEAST_MEMORY: u64 = 1 << 20;

/// What `DAG_EMU_CARDS` is to say, so that libdag of the emulated card has the cards of `log`: as many streams, as much memory, and
/// about as many packets.
pub fn emulated_card(log: &Log) -> String {
    let reverse =
        log.calls.iter().any(|call| call.call == "dag_set_mode" && call.args.first() == Some(&1) && call.result == 0);
    let seconds = log.duration_us() as f64 / 1e6;
    let records: u64 = log.calls.iter().filter_map(|call| call.window).map(|window| window.records).sum();
    // Each record is counted again while it stays in the window.
    let left: u64 = log.calls.iter().filter_map(|call| call.window).map(|window| left_over(&window)).sum();
    let rate = (records.saturating_sub(left) as f64 / seconds.max(0.001)).ceil() as u64;
    let feed = if rate == 0 { "none".to_owned() } else { format!("synthetic,rate={rate}pps") };
    let mut cards: Vec<String> = Vec::new();
    for card in &log.cards {
        let Some(number) = number(&card.name) else { continue };
        let with_memory = card.memory.iter().filter(|(stream, memory)| stream % 2 == 0 && *memory > 0).count();
        let streams = with_memory.clamp(1, 32);
        let bare = usize::try_from(card.rx_streams.unwrap_or(0)).unwrap_or(0).saturating_sub(streams).min(32 - streams);
        let memory = card.memory.iter().map(|(_, memory)| *memory).max().unwrap_or(0).clamp(LEAST_MEMORY, MOST_MEMORY);
        let transmit = card.tx_streams.unwrap_or(0).min(32);
        let mut spec = format!("dag{number}={feed},streams={streams},bare_streams={bare},memory={memory}");
        if transmit > 0 {
            spec += &format!(",tx=drop,tx_streams={transmit}");
        }
        if reverse {
            spec += ",reverse=on";
        }
        if !cards.iter().any(|other| other.starts_with(&format!("dag{number}="))) {
            cards.push(spec);
        }
    }
    cards.join(";")
}

/// Records that were in the window before and stayed there.
fn left_over(window: &crate::line::Window) -> u64 {
    let consumed = window.consumed.and_then(|consumed| u64::try_from(consumed).ok()).unwrap_or(0);
    let left = window.had.saturating_sub(consumed);
    // By the mean length of what is there now.
    let len = u64::try_from(window.len).unwrap_or(0);
    left.saturating_mul(window.records).checked_div(len).unwrap_or(0)
}

/// The N of `dagN`, however it is written.
fn number(name: &str) -> Option<u32> {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    let name = name.split([':', '@', ',']).next().unwrap_or(name);
    name.strip_prefix("dag").unwrap_or(name).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Call, CardSeen, Opening, Window};

    fn log(cards: Vec<CardSeen>, calls: Vec<Call>) -> Log {
        let opening = Opening { format: 1, library: String::new(), emulated: None, program: String::new(), pid: 1 };
        Log { opening, cards, calls, is_cut: false, is_torn: false }
    }

    fn card(name: &str, rx: u32, tx: u32, memory: &[(u16, u64)]) -> CardSeen {
        let (rx_streams, tx_streams) = (Some(rx), Some(tx));
        CardSeen { fd: 3, name: name.to_owned(), rx_streams, tx_streams, memory: memory.to_vec() }
    }

    #[test]
    fn streams_memory_and_traffic_are_those_of_the_log() {
        let window = Window { len: 96 * 50, records: 50, whole: true, ..Window::default() };
        let call = |at_us, window| Call { at_us, window: Some(window), ..Call::default() };
        // The second look finds what the first has left, and nothing new.
        let again = Window { had: 96 * 50, consumed: Some(0), ..window };
        let calls = vec![call(0, window), call(1_000_000, again)];
        let cards = vec![card("/dev/dag3:2", 3, 1, &[(0, 32 << 20), (1, 1 << 20), (2, 16 << 20), (4, 0)])];
        assert_eq!(
            emulated_card(&log(cards, calls)),
            "dag3=synthetic,rate=50pps,streams=2,bare_streams=1,memory=33554432,tx=drop,tx_streams=1"
        );
    }

    #[test]
    fn a_silent_card_stays_silent_and_a_card_opened_twice_is_one() {
        let twice = vec![card("dag0", 1, 0, &[(0, 1 << 40)]), card("0", 1, 0, &[(0, 1 << 40)])];
        assert_eq!(emulated_card(&log(twice, Vec::new())), "dag0=none,streams=1,bare_streams=0,memory=67108864");
        assert_eq!(emulated_card(&log(vec![card("eth0", 1, 0, &[])], Vec::new())), "");
    }
}
