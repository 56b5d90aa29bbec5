//! Tests to a program: a graph of tests, made shorter where an earlier test has answered a later one.
//!
//! Leaving a test out is not only for speed. A test reads the packet, and a read beyond its end rejects it; so tests are left out
//! where libpcap's optimiser leaves them out: where the same field was compared in the same way before with the same value, or was found
//! equal to another one, and where both answers lead to the same place.

use std::rc::Rc;

use super::fields::{Comparison, Condition, Place, Test};
use crate::filter::Instruction;
use crate::filter::program::code;

/// Where a test leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Accept,
    Reject,
    /// The test with this index; every test leads to such with lower ones.
    Test(usize),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    test: Test,
    yes: Target,
    no: Target,
}

/// The instructions that give `keep` for packets that meet `condition`. `None`: none can.
pub(super) fn program(condition: &Condition, keep: u32) -> Option<Vec<Instruction>> {
    let mut graph = Graph { nodes: Vec::new() };
    let mut start = graph.build(condition, Target::Accept, Target::Reject);
    // Leaving out a test can make another one superfluous, and that one more; few expressions need a third look.
    for _ in 0..LOOKS {
        let before = graph.edges(start);
        start = graph.simplify(start);
        if graph.edges(start) == before {
            break;
        }
    }
    (start != Target::Reject).then(|| graph.instructions(start, keep))
}

/// Answers that are remembered; a test that is made once more for want of one reads what has been read before.
const REMEMBERED: usize = 32;

/// Looks at the whole graph at most.
const LOOKS: u32 = 8;

/// What earlier tests have answered, on every way that leads here.
type Known = Rc<Vec<(Test, bool)>>;

struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// Adds tests for `condition` that lead to `yes` and `no`, and gives the first.
    fn build(&mut self, condition: &Condition, yes: Target, no: Target) -> Target {
        match condition {
            Condition::Always => yes,
            Condition::Never => no,
            Condition::Not(inner) => self.build(inner, no, yes),
            Condition::All(parts) => parts.iter().rev().fold(yes, |next, part| self.build(part, next, no)),
            Condition::Any(parts) => parts.iter().rev().fold(no, |next, part| self.build(part, yes, next)),
            Condition::Is(_) if yes == no => yes,
            Condition::Is(test) => {
                self.nodes.push(Node { test: *test, yes, no });
                Target::Test(self.nodes.len() - 1)
            }
        }
    }

    /// Every edge of the graph from `start` on, to see whether anything has changed.
    fn edges(&self, start: Target) -> (Target, Vec<(Target, Target)>) {
        (start, self.nodes.iter().map(|node| (node.yes, node.no)).collect())
    }

    /// Leads every edge past the tests that are answered when it is taken.
    fn simplify(&mut self, start: Target) -> Target {
        let start = self.past_empty(start);
        let mut known: Vec<Option<Known>> = vec![None; self.nodes.len()];
        meet(&mut known, start, Known::default());
        // Edges lead to lower indices, so all ways to a test have been seen when it is its turn.
        for at in (0..self.nodes.len()).rev() {
            let (Some(here), Some(&Node { test, yes, no })) = (known[at].take(), self.nodes.get(at)) else { continue };
            let lead = |graph: &Graph, target, answer| {
                let mut facts = Vec::clone(&here);
                if facts.len() == REMEMBERED {
                    facts.remove(0);
                }
                facts.push((test, answer));
                (graph.past_answered(target, &facts), Rc::new(facts))
            };
            let (yes, facts) = lead(self, yes, true);
            meet(&mut known, yes, facts);
            let (no, facts) = lead(self, no, false);
            meet(&mut known, no, facts);
            self.nodes[at] = Node { test, yes, no };
        }
        start
    }

    /// Past tests whose answers lead to the same place.
    fn past_empty(&self, mut target: Target) -> Target {
        while let Target::Test(at) = target
            && let Some(node) = self.nodes.get(at)
            && node.yes == node.no
        {
            target = node.yes;
        }
        target
    }

    fn past_answered(&self, mut target: Target, known: &[(Test, bool)]) -> Target {
        loop {
            target = self.past_empty(target);
            let Target::Test(at) = target else { return target };
            let Some(node) = self.nodes.get(at) else { return target };
            match known.iter().find_map(|&(test, answer)| implied(test, answer, node.test)) {
                Some(answer) => target = if answer { node.yes } else { node.no },
                None => return target,
            }
        }
    }

    fn instructions(&self, start: Target, keep: u32) -> Vec<Instruction> {
        let mut used = vec![false; self.nodes.len()];
        let mark = |used: &mut [bool], target| {
            if let Target::Test(at) = target {
                used[at] = true;
            }
        };
        mark(&mut used, start);
        for (at, node) in self.nodes.iter().enumerate().rev() {
            if used[at] {
                mark(&mut used, node.yes);
                mark(&mut used, node.no);
            }
        }
        Backward::new(keep).write(self, &used, start)
    }
}

fn meet(known: &mut [Option<Known>], target: Target, facts: Known) {
    let Target::Test(at) = target else { return };
    let Some(slot) = known.get_mut(at) else { return };
    *slot = Some(match slot.take() {
        None => facts,
        Some(before) => Rc::new(before.iter().filter(|fact| facts.contains(fact)).copied().collect()),
    });
}

/// What the answer to one test says about another.
fn implied(test: Test, answer: bool, other: Test) -> Option<bool> {
    if test == other {
        return Some(answer);
    }
    let same_field = Test { value: 0, ..test } == Test { value: 0, ..other };
    (same_field && answer && test.comparison == Comparison::Equal).then_some(false)
}

/// Instructions from the last to the first: distances to what follows are known then.
struct Backward {
    reversed: Vec<Instruction>,
    /// Number of instructions from the start of a test to the end of the program.
    from_end: Vec<usize>,
}

impl Backward {
    fn new(keep: u32) -> Backward {
        let reject = Instruction::new(code::RET_K, 0);
        Backward { reversed: vec![reject, Instruction::new(code::RET_K, keep)], from_end: Vec::new() }
    }

    fn write(mut self, graph: &Graph, used: &[bool], start: Target) -> Vec<Instruction> {
        for (node, used) in graph.nodes.iter().zip(used) {
            if *used {
                self.node(node);
            }
            self.from_end.push(self.reversed.len());
        }
        let first = self.place(start);
        if first != self.reversed.len() {
            let distance = self.reversed.len() - first;
            self.reversed.push(Instruction::new(code::JA, distance as u32));
        }
        self.reversed.reverse();
        self.reversed
    }

    fn place(&self, target: Target) -> usize {
        match target {
            Target::Reject => 1,
            Target::Accept => 2,
            Target::Test(at) => self.from_end.get(at).copied().unwrap_or(1),
        }
    }

    fn node(&mut self, node: &Node) {
        let (yes, no) = (self.place(node.yes), self.place(node.no));
        // Where a byte cannot hold the distance, a jump of its own goes the rest of the way; one may move the other out of reach.
        let far = |from: usize, to: usize| from - to > u8::MAX as usize - 1;
        let here = self.reversed.len();
        let no = if far(here, no) { self.jump(no) } else { no };
        let yes = if far(here, yes) { self.jump(yes) } else { yes };
        let here = self.reversed.len();
        let Test { place, mask, comparison, value } = node.test;
        let comparison = match comparison {
            Comparison::Equal => code::JEQ,
            Comparison::Greater => code::JGT,
            Comparison::GreaterOrEqual => code::JGE,
            Comparison::AnyBit => code::JSET,
        };
        // Within reach, as was just seen to.
        let skip = |to: usize| (here - to) as u8;
        self.reversed.push(Instruction::jump(code::JMP | comparison, value, skip(yes), skip(no)));
        if mask != u32::MAX {
            self.reversed.push(Instruction::new(code::ALU | code::AND, mask));
        }
        match place {
            Place::Byte(at) => self.reversed.push(Instruction::new(code::LD_ABS_B, at)),
            Place::Half(at) => self.reversed.push(Instruction::new(code::LD_ABS_H, at)),
            Place::Word(at) => self.reversed.push(Instruction::new(code::LD_ABS_W, at)),
            Place::Length => self.reversed.push(Instruction::new(code::LD_LEN, 0)),
            Place::Transport { header, offset } => {
                self.reversed.push(Instruction::new(code::LD_IND_H, header + offset));
                self.reversed.push(Instruction::new(code::LDX_MSH, header));
            }
        }
    }

    /// A jump to `to`; gives where it is.
    fn jump(&mut self, to: usize) -> usize {
        let distance = self.reversed.len() - to;
        self.reversed.push(Instruction::new(code::JA, distance as u32));
        self.reversed.len()
    }
}
