//! When each probe is due.

use std::time::Duration;

/// Times from the first probe on, which nothing shifts: a probe that is late makes no other late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    interval: i64,
    /// Before which probe so many nanoseconds more pass than the interval.
    gaps: Vec<(u32, i64)>,
}

impl Schedule {
    pub(super) fn new(interval: Duration, gaps: &[(u32, Duration)]) -> Self {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let gaps = gaps.iter().map(|(before, gap)| (*before, nanos(*gap))).collect();
        Self { interval: nanos(interval), gaps }
    }

    /// When probe `number` is due, in nanoseconds after the first.
    pub(super) fn due(&self, number: u32) -> i64 {
        let gaps = self.gaps.iter().filter(|(before, _)| *before <= number).map(|(_, gap)| *gap);
        gaps.fold(self.interval.saturating_mul(i64::from(number)), i64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_gap_is_later_by_it() {
        let ms = Duration::from_millis;
        let schedule = Schedule::new(ms(20), &[(2, ms(500)), (4, ms(100))]);
        let due: Vec<i64> = (0..6).map(|number| schedule.due(number) / 1_000_000).collect();
        assert_eq!(due, [0, 20, 540, 560, 680, 700]);
        assert_eq!(Schedule::new(Duration::MAX, &[]).due(u32::MAX), i64::MAX);
    }
}
