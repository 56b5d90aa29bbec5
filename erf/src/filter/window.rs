//! [`Window`]: many comparisons of bytes near each other as one.
//!
//! A packet is IPv4, carries UDP and is no later fragment if three fields of 12 bytes are what they should be: one look at these bytes,
//! of which some are to be as a row says, instead of three loads, comparisons and branches. A window has a row for each way through the
//! comparisons it stands for, in their order; the first row that fits says where it goes on.

use super::machine::byte;

/// The widest in bytes.
pub(super) const WIDEST: u32 = 32;

/// More rows than these are looked at until one fits.
pub(super) const MOST_CHOSEN: usize = 4;

/// Behind the bits of those rows.
const NONE_FITS: u32 = 1 << MOST_CHOSEN;

/// Where offsets count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The first byte of the packet.
    Start,
    /// X.
    X,
    /// X, set before to the length of the IPv4 header told by the byte at this offset.
    Header(u16),
}

/// Bytes of a packet that are to have certain values, in part: offset, what is looked at, and what that is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<(u32, u8, u8)>);

/// What follows from a pattern for another one.
pub(super) enum Joined {
    /// No packet fits both.
    Never,
    /// The other fits where this one does.
    Already,
    /// Both together.
    Both(Pattern),
}

impl Pattern {
    /// The bytes from `offset` on that are looked at with `mask` and are to be `value`, which has no other bits.
    pub(super) fn new<const N: usize>(offset: u32, mask: [u8; N], value: [u8; N]) -> Pattern {
        let bytes = (offset..).zip(mask.into_iter().zip(value)).filter(|(_, (mask, _))| *mask != 0);
        Pattern(bytes.map(|(at, (mask, value))| (at, mask, value)).collect())
    }

    /// What a packet is known to be that fits both.
    pub(super) fn and(&self, other: &Pattern) -> Joined {
        let mut both = self.clone();
        let mut is_new = false;
        for &(at, mask, value) in &other.0 {
            match both.0.iter_mut().find(|known| known.0 == at) {
                Some((_, known, is)) => {
                    if (*is ^ value) & *known & mask != 0 {
                        return Joined::Never;
                    }
                    is_new |= mask & !*known != 0;
                    *known |= mask;
                    *is |= value;
                }
                None => {
                    is_new = true;
                    both.0.push((at, mask, value));
                }
            }
        }
        if is_new { Joined::Both(both) } else { Joined::Already }
    }

    /// No packet fits both.
    pub(super) fn excludes(&self, other: &Pattern) -> bool {
        matches!(self.and(other), Joined::Never)
    }
}

/// A window of `N` words of 8 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window<const N: usize> {
    /// Of its first byte, from `base`.
    start: i64,
    base: Base,
    /// The same for a [`Chooser`]; where that is not to be had, beyond of any packet.
    fixed: usize,
    rows: Box<[Row<N>]>,
    /// For a [`Chooser`]: two or four of them, of which those at the end may fit nothing.
    chosen: Box<[Row<N>]>,
    /// Where it goes on when no row fits.
    otherwise: u16,
    /// Where it goes on by the first row that fits, if there are so few, and when none does.
    choices: [u16; MOST_CHOSEN + 1],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row<const N: usize> {
    mask: [u64; N],
    value: [u64; N],
    next: u16,
}

impl<const N: usize> Window<N> {
    /// The bytes that are looked at end before `end`.
    pub(super) fn new(base: Base, end: u32, rows: &[(Pattern, u16)], otherwise: u16) -> Window<N> {
        let width = 8 * N as u32;
        // Where there is the choice, no byte behind those that matter: packets may end there.
        let end = if base == Base::Start { end.max(width) } else { end };
        let start = i64::from(end) - i64::from(width);
        let row = |(pattern, next): &(Pattern, u16)| {
            let mut row = Row { mask: [0; N], value: [0; N], next: *next };
            for &(at, mask, value) in &pattern.0 {
                let at = (i64::from(at) - start) as usize;
                let word = |byte: u8| {
                    let mut bytes = [0; 8];
                    bytes[at % 8] = byte;
                    u64::from_ne_bytes(bytes)
                };
                if let (Some(masks), Some(values)) = (row.mask.get_mut(at / 8), row.value.get_mut(at / 8)) {
                    *masks |= word(mask);
                    *values |= word(value);
                }
            }
            row
        };
        let fixed = match base {
            Base::Start if rows.len() <= MOST_CHOSEN => start as usize,
            _ => usize::MAX,
        };
        let next = |at: usize| rows.get(at).filter(|_| at < MOST_CHOSEN).map_or(otherwise, |(_, next)| *next);
        let choices = std::array::from_fn(next);
        let rows: Box<[_]> = rows.iter().map(row).collect();
        let mut chosen = rows.to_vec();
        let never = Row { mask: [0; N], value: [1; N], next: otherwise };
        chosen.resize(if rows.len() <= 2 { 2 } else { MOST_CHOSEN }, never);
        Window { start, base, fixed, rows, chosen: chosen.into(), otherwise, choices }
    }

    /// Where it goes on. `None`: the packet does not have all bytes of the window, of which not all may matter.
    #[inline(always)]
    pub(super) fn next(&self, packet: &[u8], x: &mut u32) -> Option<u16> {
        let start = match self.base {
            Base::Start => self.start,
            Base::X => self.start + i64::from(*x),
            Base::Header(at) => {
                *x = (byte(packet, at.into())? & 0xf) << 2;
                self.start + i64::from(*x)
            }
        };
        let words = words(packet.get(usize::try_from(start).ok()?..)?)?;
        let fits = self.rows.iter().find(|row| row.fits(&words));
        Some(fits.map_or(self.otherwise, |row| row.next))
    }

    /// How the same can be found without a branch that depends on what the packet says, if it can: for records whose packets begin behind `head`
    /// bytes.
    pub(super) fn chooser(&self, head: usize) -> Chooser<'_, N> {
        let end = self.fixed.checked_add(8 * N);
        Chooser { rows: &self.chosen, choices: &self.choices, end, head }
    }
}

/// A [`Window`] that looks at all its rows.
pub(super) struct Chooser<'w, const N: usize> {
    rows: &'w [Row<N>],
    choices: &'w [u16; MOST_CHOSEN + 1],
    /// Of the window in the packet. `None`: it cannot be done.
    end: Option<usize>,
    head: usize,
}

impl<const N: usize> Chooser<'_, N> {
    /// Whether there are so few rows that `choose::<2>` will do.
    pub(super) fn has_two(&self) -> bool {
        self.rows.len() <= 2
    }

    /// Where it goes on for the packet in `record` that has so many bytes at least, as long as they are stored. `None`: it does not have all
    /// bytes of the window, or it cannot be done with `ROWS` rows.
    #[inline(always)]
    pub(super) fn choose<const ROWS: usize>(&self, record: &[u8], len: usize) -> Option<u16> {
        let end = self.end?;
        let rows = self.rows.first_chunk::<ROWS>()?;
        let (_, words) = record.get(..self.head + end)?.as_rchunks();
        let words = words.last_chunk::<N>()?.map(u64::from_ne_bytes);
        if len < end {
            return None;
        }
        // A bit for each row that fits, and one for the case that none does. By numbers, as a choice would be made a branch.
        let fits = rows.iter().enumerate().fold(0, |fits, (at, row)| fits | u32::from(row.fits(&words)) << at);
        self.choices.get((fits | NONE_FITS).trailing_zeros() as usize).copied()
    }
}

impl<const N: usize> Row<N> {
    #[inline(always)]
    fn fits(&self, words: &[u64; N]) -> bool {
        let parts = words.iter().zip(self.mask).zip(self.value);
        parts.fold(0, |differs, ((word, mask), value)| differs | ((word & mask) ^ value)) == 0
    }
}

/// The first bytes as they lie in memory.
#[inline(always)]
fn words<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (words, _) = bytes.as_chunks();
    words.first_chunk().map(|words| words.map(u64::from_ne_bytes))
}
