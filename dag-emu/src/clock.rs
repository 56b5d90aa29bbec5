//! [`Clock`]: the card's clock, with every error one wants to find again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erf_core::{Tick, TimeDelta, Timestamp};

/// Whether a card says that its clock is synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ClockHealth {
    /// Synchronised to its reference.
    #[default]
    Synchronised,
    /// Running free.
    Unsynchronised,
}

/// How a clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSettings {
    /// Step of the stamps; 2^-26 s by default.
    pub tick: Tick,
    /// What the clock shows more than the true time when it starts.
    pub offset: TimeDelta,
    /// How much too fast it runs, in parts per 10^9.
    pub drift_ppb: i64,
    /// What it says of itself.
    pub health: ClockHealth,
}

impl Default for ClockSettings {
    /// A right clock of 2^-26 s.
    fn default() -> Self {
        Self { tick: Tick::DAG, offset: TimeDelta::ZERO, drift_ppb: 0, health: ClockHealth::Synchronised }
    }
}

/// The clock of an emulated card. Clones are the same clock.
///
/// It shows `true time + offset + drift * (true time - start)`, cut to its tick. All of that can be set while the card
/// runs, so that a known clock error can be injected and found again: [`error_at`](Self::error_at) tells what it was.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    face: Mutex<Face>,
    /// Changes with every change of `face`.
    version: AtomicU64,
    time: TimeSource,
}

/// Where the true time comes from.
#[derive(Debug)]
pub(crate) enum TimeSource {
    /// The host's clock.
    Host,
    /// A hand that only [`Clock::advance`] moves.
    Manual(AtomicU64),
}

/// What turns true time into stamps; the card keeps a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Face {
    settings: ClockSettings,
    /// The true time at which `settings.offset` held and from which drift counts.
    since: Timestamp,
}

impl Face {
    /// What the clock shows beyond the true time at `time`.
    #[inline]
    fn error_at(&self, time: Timestamp) -> TimeDelta {
        let ClockSettings { offset, drift_ppb, .. } = self.settings;
        if drift_ppb == 0 {
            return offset;
        }
        let drift = i128::from((time - self.since).raw()) * i128::from(drift_ppb) / 1_000_000_000;
        let sum = i128::from(offset.raw()) + drift;
        TimeDelta::from_raw(sum.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// What the clock shows at `time`.
    #[inline]
    pub(crate) fn stamp(&self, time: Timestamp) -> Timestamp {
        self.settings.tick.quantize(time + self.error_at(time))
    }
}

impl Face {
    /// What the clock shows at each of `times`, which ascend, put behind `stamps`.
    pub(crate) fn stamp_all(&self, times: &[Timestamp], stamps: &mut Vec<Timestamp>) {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
        let error = self.error_at(*first);
        let is_held = |time: &Timestamp| time.raw().checked_add_signed(error.raw()).is_none();
        if error == self.error_at(*last) && !is_held(first) && !is_held(last) {
            // The error only grows or only shrinks between the two, so it is the same everywhere, and no sum leaves the range where the
            // two do not: what `stamp` does, in a form that processors do for several at once.
            let mask = !(self.settings.tick.raw() - 1);
            let stamp = |time: &Timestamp| Timestamp::from_raw(time.raw().wrapping_add_signed(error.raw()) & mask);
            stamps.extend(times.iter().map(stamp));
        } else {
            stamps.extend(times.iter().map(|time| self.stamp(*time)));
        }
    }
}

impl Clock {
    pub(crate) fn new(settings: ClockSettings, time: TimeSource) -> Self {
        let face = Face { settings, since: time.now() };
        Self(Arc::new(Shared { face: Mutex::new(face), version: AtomicU64::new(1), time }))
    }

    fn face_mut(&self) -> MutexGuard<'_, Face> {
        // A face is plain data, whole after every statement that changes it.
        self.0.face.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refreshes a copy of the face if it has changed.
    #[inline]
    pub(crate) fn refresh(&self, copy: &mut CachedFace) {
        let version = self.0.version.load(Ordering::Acquire);
        if version != copy.version {
            copy.face = *self.face_mut();
            copy.version = version;
        }
    }

    pub(crate) fn cached(&self) -> CachedFace {
        let version = self.0.version.load(Ordering::Acquire);
        CachedFace { face: *self.face_mut(), version }
    }

    fn change(&self, change: impl FnOnce(&mut ClockSettings)) {
        let now = self.true_time();
        let mut face = self.face_mut();
        // What drift has made until now stays.
        face.settings.offset = face.error_at(now);
        face.since = now;
        change(&mut face.settings);
        drop(face);
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// How the clock is set; the offset is as of now.
    pub fn settings(&self) -> ClockSettings {
        let face = *self.face_mut();
        ClockSettings { offset: face.error_at(self.true_time()), ..face.settings }
    }

    /// The step of the stamps.
    pub fn tick(&self) -> Tick {
        self.face_mut().settings.tick
    }

    /// The true time now: the host's clock, or the manual one.
    pub fn true_time(&self) -> Timestamp {
        self.0.time.now()
    }

    /// What the card's clock shows now.
    pub fn now(&self) -> Timestamp {
        self.face_mut().stamp(self.true_time())
    }

    /// What the clock shows beyond the true time at true time `time`, the tick aside. Holds for times since the last change.
    pub fn error_at(&self, time: Timestamp) -> TimeDelta {
        self.face_mut().error_at(time)
    }

    /// Sets what the clock shows beyond the true time now.
    pub fn set_offset(&self, offset: TimeDelta) {
        self.change(|settings| settings.offset = offset);
    }

    /// Steps the clock: forward, or back where `by` is negative.
    pub fn step(&self, by: TimeDelta) {
        self.change(|settings| {
            settings.offset = TimeDelta::from_raw(settings.offset.raw().saturating_add(by.raw()));
        });
    }

    /// Sets how much too fast the clock runs from now on, in parts per 10^9.
    pub fn set_drift_ppb(&self, drift_ppb: i64) {
        self.change(|settings| settings.drift_ppb = drift_ppb);
    }

    /// Sets the step of the stamps.
    pub fn set_tick(&self, tick: Tick) {
        self.change(|settings| settings.tick = tick);
    }

    /// Sets what the clock says of itself.
    pub fn set_health(&self, health: ClockHealth) {
        self.change(|settings| settings.health = health);
    }

    /// Whether time is moved by hand.
    pub fn is_manual(&self) -> bool {
        matches!(self.0.time, TimeSource::Manual(_))
    }

    /// Moves a manual clock's true time forward, and tells whether there is one: a card on the host's clock is not moved.
    pub fn advance(&self, by: TimeDelta) -> bool {
        match &self.0.time {
            TimeSource::Host => false,
            TimeSource::Manual(hand) => {
                let step = u64::try_from(by.raw()).unwrap_or(0);
                hand.fetch_add(step, Ordering::AcqRel);
                true
            }
        }
    }
}

impl TimeSource {
    fn now(&self) -> Timestamp {
        match self {
            Self::Host => Timestamp::now(),
            Self::Manual(hand) => Timestamp::from_raw(hand.load(Ordering::Acquire)),
        }
    }
}

/// The card's copy of the clock's face.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CachedFace {
    pub(crate) face: Face,
    version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manual(settings: ClockSettings) -> Clock {
        let start = Timestamp::from_parts(1_700_000_000, 0);
        Clock::new(settings, TimeSource::Manual(AtomicU64::new(start.raw())))
    }

    const SECOND: TimeDelta = TimeDelta::from_raw(1 << 32);

    #[test]
    fn drift_is_exact_and_survives_changes() {
        let clock = manual(ClockSettings { drift_ppb: 1_000, tick: Tick::FINEST, ..ClockSettings::default() });
        for _ in 0..1000 {
            clock.advance(SECOND);
        }
        // 1000 s at 1 ppm are 1 ms.
        assert_eq!((clock.now() - clock.true_time()).to_nanos(), 1_000_000);
        clock.set_drift_ppb(-1_000);
        assert_eq!((clock.now() - clock.true_time()).to_nanos(), 1_000_000, "a change of drift is no step");
        for _ in 0..2000 {
            clock.advance(SECOND);
        }
        assert_eq!((clock.now() - clock.true_time()).to_nanos(), -1_000_000);
    }

    #[test]
    fn steps_and_offsets_add_up() {
        let clock = manual(ClockSettings { offset: TimeDelta::from_nanos(5_000), ..ClockSettings::default() });
        clock.step(TimeDelta::from_nanos(-8_000));
        assert_eq!(clock.error_at(clock.true_time()).to_nanos(), -3_000);
        clock.set_offset(TimeDelta::ZERO);
        assert_eq!(clock.error_at(clock.true_time()), TimeDelta::ZERO);
        clock.set_health(ClockHealth::Unsynchronised);
        assert_eq!(clock.settings().health, ClockHealth::Unsynchronised);
    }

    #[test]
    fn stamps_lie_on_the_tick() {
        let clock = manual(ClockSettings::default());
        clock.advance(TimeDelta::from_raw(0x1234_5678));
        assert_eq!(clock.now().frac(), 0x1234_5640);
        clock.set_tick(Tick::new(24).unwrap());
        assert_eq!(clock.now().frac(), 0x1234_5600);
    }

    #[test]
    fn a_copy_follows_changes() {
        let clock = manual(ClockSettings::default());
        let mut copy = clock.cached();
        clock.set_offset(SECOND);
        clock.refresh(&mut copy);
        assert_eq!(copy.face.stamp(clock.true_time()), clock.true_time() + SECOND);
    }
}
