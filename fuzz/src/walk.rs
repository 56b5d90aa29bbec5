//! A walk over any bytes: whole, and in pieces.

use erf::{Records, WalkState};

use crate::items::{Item, account};
use crate::record;

/// The first two bytes choose recovery and the size of the pieces; the walk is over the others.
///
/// Every byte is accounted for, and pieces of any size give what the whole gives.
pub fn check(data: &[u8]) {
    let Some((&[options, step], data)) = data.split_first_chunk() else { return };
    let recover = options & 1 == 1;
    let mut whole = Vec::new();
    for item in Records::new(data).recover(recover) {
        if let Ok(record) = &item {
            record::consistent(record);
        }
        whole.push(Item::of(data, 0, item));
        assert!(whole.len() <= 2 * data.len() + 2, "the walk goes on for ever");
    }
    account(&whole, data.len(), recover);
    assert_eq!(in_pieces(data, recover, 1 + usize::from(step) * 7), whole);
}

/// The same walk with `step` more bytes at a time, whatever they cut through.
fn in_pieces(data: &[u8], recover: bool, step: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let mut state = WalkState::new(0).with_recover(recover);
    let (mut from, mut to) = (0, 0);
    loop {
        to = data.len().min(to + step);
        let piece = &data[from..to];
        let mut walk = Records::resume(piece, state, to == data.len());
        items.extend(walk.by_ref().map(|item| Item::of(piece, from, item)));
        assert_eq!(walk.offset(), (to - walk.rest().len()) as u64);
        from = to - walk.rest().len();
        state = walk.into_state();
        if to == data.len() {
            return items;
        }
    }
}
