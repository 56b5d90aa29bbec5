//! From a table of [`Op`]s, which comparisons make a [window](super::window).

use super::fused::{Op, Test};
use super::window::{Base, Joined, Pattern, WIDEST};

/// Rows of one window: beyond, another one goes on.
const MOST_ROWS: usize = 64;

/// Rows for what follows a comparison that holds: where it takes more, that has a window of its own.
const MOST_INSIDE: usize = 2;

/// Offsets beyond do not occur, and are left alone.
const FARTHEST: u32 = u16::MAX as u32;

/// The comparisons that one window stands for.
pub(super) struct Gathered {
    pub(super) base: Base,
    /// The bytes that they look at.
    pub(super) from: u32,
    pub(super) to: u32,
    /// For each way through them what it takes, and the entry it leads to. The first one that fits counts.
    pub(super) rows: Vec<(Pattern, u16)>,
    /// The entry for packets that fit none.
    pub(super) otherwise: u16,
}

/// Whether a field is what it should be.
struct Field {
    base: Base,
    from: u32,
    to: u32,
    pattern: Pattern,
    yes: u16,
    no: u16,
}

impl Field {
    /// What `op` asks, if it asks that.
    fn of(op: &Op) -> Option<Field> {
        let (base, width) = match op {
            Op::Byte(_) => (Base::Start, 1),
            Op::Half(_) => (Base::Start, 2),
            Op::Word(_) => (Base::Start, 4),
            Op::IndByte(_) => (Base::X, 1),
            Op::IndHalf(_) => (Base::X, 2),
            Op::IndWord(_) => (Base::X, 4),
            Op::TransportHalf { header, .. } => (Base::Header(*header), 2),
            _ => return None,
        };
        let &Test { offset, keep, probe, low, span, yes, no } = op.test()?;
        let [mask, value] = [keep & probe & u32::MAX >> (32 - 8 * width), low];
        if span != 0 || value & !mask != 0 || offset > FARTHEST {
            return None;
        }
        let to = offset + width;
        // Of a field of fewer than four bytes, the last ones of these.
        let [mask, value] = [mask, value].map(u32::to_be_bytes);
        let pattern = match width {
            1 => Pattern::new(offset, [mask[3]], [value[3]]),
            2 => Pattern::new(offset, [mask[2], mask[3]], [value[2], value[3]]),
            _ => Pattern::new(offset, mask, value),
        };
        Some(Field { base, from: offset, to, pattern, yes, no })
    }
}

/// The comparisons that begin with entry `first`. `ways` has how many ways lead to each entry.
pub(super) fn gather(ops: &[Op], ways: &[u32], first: u16) -> Option<Gathered> {
    let mut gatherer = Gatherer { ops, ways, first, base: Base::Start, from: 0, to: 0, rows: Vec::new() };
    let field = gatherer.field(first, true)?;
    (gatherer.base, gatherer.from, gatherer.to) = (field.base, field.from, field.to);
    gatherer.follow(first, Pattern::default(), MOST_ROWS);
    let Gatherer { base, from, to, mut rows, .. } = gatherer;
    let (_, otherwise) = rows.pop()?;
    // A way to where it goes on anyway need not be told, if none of the rows behind it stands in between.
    for at in (0..rows.len()).rev() {
        let is_idle = |(pattern, next): &(Pattern, u16), behind: &[(Pattern, u16)]| {
            *next == otherwise && behind.iter().all(|(other, next)| *next == otherwise || pattern.excludes(other))
        };
        if let Some((row, behind)) = rows.get(at..).and_then(<[_]>::split_first)
            && is_idle(row, behind)
        {
            rows.remove(at);
        }
    }
    Some(Gathered { base, from, to, rows, otherwise })
}

struct Gatherer<'a> {
    ops: &'a [Op],
    ways: &'a [u32],
    first: u16,
    base: Base,
    from: u32,
    to: u32,
    rows: Vec<(Pattern, u16)>,
}

impl Gatherer<'_> {
    fn op(&self, at: u16) -> Option<&Op> {
        self.ops.get(usize::from(at))
    }

    /// The field that entry `at` asks about, if it can be part of a window.
    fn field(&self, at: u16, is_first: bool) -> Option<Field> {
        // What several ways lead to is there once, on its own.
        if !is_first && self.ways.get(usize::from(at)) != Some(&1) {
            return None;
        }
        let op = self.op(at)?;
        let field = Field::of(op)?;
        // A is not kept.
        if op.followers().any(|next| self.op(next).is_some_and(Op::reads_a)) {
            return None;
        }
        if is_first {
            return Some(field);
        }
        let is_near = self.to.max(field.to) - self.from.min(field.from) <= WIDEST;
        let is_same = self.base == field.base || (matches!(self.base, Base::Header(_)) && field.base == Base::X);
        (is_near && is_same).then_some(field)
    }

    /// Adds the rows of all ways from entry `at` on for packets that fit `known`; the last one fits all of them. `false`: that would be
    /// more than `most`.
    fn follow(&mut self, mut at: u16, known: Pattern, most: usize) -> bool {
        let before = self.rows.len();
        let mut is_first = at == self.first && before == 0;
        loop {
            let is_full = self.rows.len() - before + MOST_INSIDE >= MOST_ROWS;
            let Some(field) = self.field(at, is_first).filter(|_| !is_full) else { break };
            is_first = false;
            (self.from, self.to) = (self.from.min(field.from), self.to.max(field.to));
            at = match known.and(&field.pattern) {
                Joined::Never => field.no,
                Joined::Already => field.yes,
                Joined::Both(both) => {
                    let rows = self.rows.len();
                    let here = (self.from, self.to);
                    if !self.follow(field.yes, both.clone(), MOST_INSIDE) {
                        self.rows.truncate(rows);
                        self.rows.push((both, field.yes));
                        (self.from, self.to) = here;
                    }
                    field.no
                }
            };
            if self.rows.len() - before > most {
                return false;
            }
        }
        // Those before take less and lead there, too.
        while self.rows.len() > before && self.rows.last().is_some_and(|(_, next)| *next == at) {
            self.rows.pop();
        }
        self.rows.push((known, at));
        self.rows.len() - before <= most
    }
}
