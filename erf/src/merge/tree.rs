//! [`LoserTree`]: which of many lanes is next, in as many comparisons as the tree is high.

/// A lane with the key in front of it: of two, the one that is next is smaller. Ties go to the lane that was named first; lanes that are over
/// come last.
type Place = u128;

/// Above every key.
const OVER: Place = 1 << 127;

fn place(key: Option<u64>, lane: usize) -> Place {
    // Lanes are open files: their number fits 32 bits.
    key.map_or(OVER, |key| u128::from(key) << 32) | lane as u128
}

fn lane(place: Place) -> usize {
    place as u32 as usize
}

/// A tournament in which every inner node keeps who lost there.
#[derive(Debug)]
pub(super) struct LoserTree {
    /// Who lost at each inner node; number 0 is the winner.
    nodes: Vec<Place>,
}

impl LoserTree {
    /// Of at least one lane; keys are those in front of the lanes, `None` is over.
    pub(super) fn new(keys: Vec<Option<u64>>) -> Self {
        let lanes = keys.len();
        let mut nodes = vec![0; lanes];
        let mut winners = vec![0; 2 * lanes];
        for (lane, (slot, key)) in winners[lanes..].iter_mut().zip(keys).enumerate() {
            *slot = place(key, lane);
        }
        for node in (1..lanes).rev() {
            let (a, b) = (winners[2 * node], winners[2 * node + 1]);
            (winners[node], nodes[node]) = (a.min(b), a.max(b));
        }
        nodes[0] = winners[1.min(2 * lanes - 1)];
        Self { nodes }
    }

    /// The lane that is next; `None` when all are over.
    #[inline]
    pub(super) fn winner(&self) -> Option<usize> {
        let first = *self.nodes.first()?;
        (first < OVER).then(|| lane(first))
    }

    /// The lane that is next if the winner is left out, and its key.
    pub(super) fn second(&self) -> Option<(u64, usize)> {
        let mut best = OVER;
        let mut node = (lane(self.nodes[0]) + self.nodes.len()) / 2;
        while node >= 1 {
            best = best.min(self.nodes[node]);
            node /= 2;
        }
        (best < OVER).then(|| ((best >> 32) as u64, lane(best)))
    }

    /// The winner has another key in front.
    #[inline]
    pub(super) fn replace(&mut self, key: Option<u64>) {
        let winner = lane(self.nodes[0]);
        let mut rising = place(key, winner);
        let mut node = (winner + self.nodes.len()) / 2;
        while node >= 1 {
            let Some(stays) = self.nodes.get_mut(node) else { return };
            (rising, *stays) = (rising.min(*stays), rising.max(*stays));
            node /= 2;
        }
        self.nodes[0] = rising;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_gives_what_a_stable_sort_gives(lanes in proptest::collection::vec(
            proptest::collection::vec(0u64..20, 0..12), 1..9,
        )) {
            let mut lanes = lanes;
            for lane in &mut lanes {
                lane.sort_unstable();
            }
            let mut expected: Vec<(u64, usize)> =
                lanes.iter().enumerate().flat_map(|(lane, keys)| keys.iter().map(move |key| (*key, lane))).collect();
            expected.sort_unstable();
            let mut at = vec![0; lanes.len()];
            let mut tree = LoserTree::new(lanes.iter().map(|lane| lane.first().copied()).collect());
            let mut seen = Vec::new();
            while let Some(lane) = tree.winner() {
                let others = (0..lanes.len()).filter(|other| *other != lane);
                let second = others.filter_map(|other| lanes[other].get(at[other]).map(|key| (*key, other))).min();
                prop_assert_eq!(tree.second(), second);
                seen.push((lanes[lane][at[lane]], lane));
                at[lane] += 1;
                tree.replace(lanes[lane].get(at[lane]).copied());
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
