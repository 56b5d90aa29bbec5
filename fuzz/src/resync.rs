//! A good file, damaged near its start: what stands before the damage is kept, and the way back is found behind it.

use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use erf::{MAX_RECORD_LEN, RecordBuilder, RecordType, Records, Timestamp};

use crate::items::{Item, account};

/// Damage happens below this offset of the good file.
const DAMAGED: usize = 8 * 1024;

/// Behind the damage a record made by it may swallow the longest that a length can say; the walk must be back on
/// the records a few of them later.
const BACK: usize = DAMAGED + MAX_RECORD_LEN + 16 * 1024;

#[derive(Arbitrary, Debug)]
enum Damage {
    /// Bytes are overwritten.
    Write { at: u16, bytes: Vec<u8> },
    /// One byte of a record's header is overwritten.
    Field { record: u8, byte: u8, value: u8 },
    /// Bytes are put in between.
    Insert { at: u16, bytes: Vec<u8> },
    /// Bytes are gone.
    Remove { at: u16, len: u16 },
}

/// Does the damage that the fuzzer describes, and walks with and without recovery.
pub fn check(data: &[u8]) {
    let Ok(damage) = Vec::<Damage>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (good, starts) = file();
    let mut bytes = good[..DAMAGED].to_vec();
    for one in damage.iter().take(16) {
        apply(&mut bytes, starts, one);
    }
    let first = bytes.iter().zip(good).take_while(|(now, then)| now == then).count();
    let shift = |at: usize| at - DAMAGED + bytes.len();
    let back: Vec<usize> = starts.iter().copied().filter(|&at| at >= BACK).map(shift).collect();
    bytes.extend_from_slice(&good[DAMAGED..]);

    for recover in [false, true] {
        let items: Vec<Item> = Records::new(&bytes).recover(recover).map(|item| Item::of(&bytes, 0, item)).collect();
        account(&items, bytes.len(), recover);
        // Recovery doubts a record that leads nowhere, so it may take the damage for longer by one.
        let whole = starts.windows(2).take_while(|pair| pair[1] <= first).count();
        let kept = if recover { whole.saturating_sub(1) } else { whole };
        for (item, start) in items.iter().zip(&starts[..kept]) {
            assert!(matches!(item, Item::Record { at, .. } if at == start), "{start}: {item:?}");
        }
        assert!(items.len() >= kept);
        if recover {
            for start in &back {
                let found = items.iter().any(|item| matches!(item, Item::Record { at, .. } if at == start));
                assert!(found, "the record at {start} is lost to damage of bytes {first} and up");
            }
        }
    }
}

fn apply(bytes: &mut Vec<u8>, starts: &[usize], damage: &Damage) {
    let within = |at: u16| usize::from(at).min(bytes.len());
    match damage {
        Damage::Write { at, bytes: new } => {
            let at = within(*at);
            bytes.iter_mut().skip(at).zip(new).for_each(|(to, from)| *to = *from);
        }
        Damage::Field { record, byte, value } => {
            let at = starts[usize::from(*record) % starts.len()] + usize::from(*byte % 16);
            if let Some(to) = bytes.get_mut(at) {
                *to = *value;
            }
        }
        Damage::Insert { at, bytes: new } => {
            let at = within(*at);
            bytes.splice(at..at, new.iter().copied());
        }
        Damage::Remove { at, len } => {
            let at = within(*at);
            let to = bytes.len().min(at + usize::from(*len));
            bytes.drain(at..to);
        }
    }
}

/// A file of Ethernet frames of many sizes, and where its records begin. No byte of a payload is the type of a record that is known,
/// and the length that two of them make is less than the 16 KiB that the way back is given: a record of an unknown type is taken for
/// one where its length leads to good ones, and damage can contrive that.
fn file() -> &'static (Vec<u8>, Vec<usize>) {
    static FILE: OnceLock<(Vec<u8>, Vec<usize>)> = OnceLock::new();
    FILE.get_or_init(|| {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        let frame = [0x33; 3000];
        let mut record = [0; 3100];
        for n in 0.. {
            if bytes.len() > BACK + 16 * 1024 {
                break;
            }
            let len = RecordBuilder::new(RecordType::ETH)
                .timestamp(Timestamp::from_parts(1_700_000_000 + n / 100, (n << 8) | 1))
                .interface((n % 2) as u8)
                .payload(&frame[..[60, 61, 1514, 200, 3000][n as usize % 5]])
                .append_fcs()
                .write_to(&mut record)
                .expect("a frame fits its record");
            starts.push(bytes.len());
            bytes.extend_from_slice(&record[..len]);
        }
        (bytes, starts)
    })
}
