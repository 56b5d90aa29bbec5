//! The items of a walk, kept and compared.

use erf::{Defect, DefectKind, Record};

/// What a walk gave: where a record lay in the data, or a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Record { at: usize, len: usize },
    Defect(Defect),
}

impl Item {
    /// `item` of a walk over `data`, of which the first byte has offset `base`.
    pub(crate) fn of(data: &[u8], base: usize, item: Result<Record<'_>, Defect>) -> Item {
        match item {
            Ok(record) => {
                let at = record.bytes().as_ptr() as usize - data.as_ptr() as usize;
                assert!(at + record.bytes().len() <= data.len(), "a record lies in the data");
                Item::Record { at: base + at, len: record.bytes().len() }
            }
            Err(defect) => Item::Defect(defect),
        }
    }
}

/// Asserts that the items account for every byte of data `len` bytes long, in order and once.
pub(crate) fn account(items: &[Item], len: usize, recover: bool) {
    let mut at = 0;
    for (n, item) in items.iter().enumerate() {
        match *item {
            Item::Record { at: start, len } => {
                assert_eq!(start, at, "no byte between records goes unmentioned");
                at += len;
            }
            Item::Defect(defect) => {
                assert_eq!(defect.offset, at as u64, "a defect stands where the walk does");
                assert!(!defect.to_string().is_empty());
                at += match defect.kind {
                    DefectKind::Skipped { bytes } | DefectKind::ZeroTail { len: bytes } => bytes as usize,
                    // Nothing is passed over where the next defect stands at the same place: there the search began.
                    kind => match items.get(n + 1) {
                        Some(Item::Defect(next)) if next.offset == defect.offset => 0,
                        _ => usize::from(kind.next_record().unwrap_or(0)),
                    },
                };
            }
        }
    }
    let ended = match items.last() {
        Some(Item::Defect(defect)) if defect.kind.is_torn() => true,
        Some(Item::Defect(Defect { kind: DefectKind::RecordLength { .. }, .. })) => !recover,
        _ => false,
    };
    assert!(at == len || (ended && at < len), "{at} of {len} bytes are accounted for");
}
