//! [`LoserTree`]: which of many lanes is next, in as many comparisons as the tree is high.

/// A tournament in which every inner node keeps who lost there.
#[derive(Debug)]
pub(super) struct LoserTree {
    /// Keys in front of the lanes; `None` is over.
    keys: Vec<Option<u64>>,
    /// Who lost at each inner node; number 0 is the winner.
    nodes: Vec<usize>,
}

impl LoserTree {
    /// Of at least one lane.
    pub(super) fn new(keys: Vec<Option<u64>>) -> Self {
        let lanes = keys.len();
        let mut tree = Self { keys, nodes: vec![0; lanes] };
        let mut winners = vec![0; 2 * lanes];
        for (lane, slot) in winners[lanes..].iter_mut().enumerate() {
            *slot = lane;
        }
        for node in (1..lanes).rev() {
            let (a, b) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if tree.before(a, b) { (a, b) } else { (b, a) };
            winners[node] = winner;
            tree.nodes[node] = loser;
        }
        tree.nodes[0] = winners[1.min(2 * lanes - 1)];
        tree
    }

    /// Ties go to the lane that was named first.
    fn before(&self, a: usize, b: usize) -> bool {
        match (self.keys[a], self.keys[b]) {
            (Some(key_a), Some(key_b)) => (key_a, a) < (key_b, b),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => a < b,
        }
    }

    /// The lane that is next; `None` when all are over.
    pub(super) fn winner(&self) -> Option<usize> {
        self.keys[self.nodes[0]].map(|_| self.nodes[0])
    }

    /// The lane that is next if the winner is left out, and its key.
    pub(super) fn second(&self) -> Option<(u64, usize)> {
        let winner = self.nodes[0];
        let mut best: Option<usize> = None;
        let mut node = (winner + self.keys.len()) / 2;
        while node >= 1 {
            let loser = self.nodes[node];
            if best.is_none_or(|best| self.before(loser, best)) {
                best = Some(loser);
            }
            node /= 2;
        }
        best.and_then(|lane| self.keys[lane].map(|key| (key, lane)))
    }

    /// The winner has another key in front.
    pub(super) fn replace(&mut self, key: Option<u64>) {
        let mut lane = self.nodes[0];
        self.keys[lane] = key;
        let mut node = (lane + self.keys.len()) / 2;
        while node >= 1 {
            if self.before(self.nodes[node], lane) {
                std::mem::swap(&mut self.nodes[node], &mut lane);
            }
            node /= 2;
        }
        self.nodes[0] = lane;
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
