//! The atomics of the ring, behind a trait.
//!
//! The real registers lie in memory shared between processes, where only the plain atomics of `core` can live;
//! the interleaving checker `loom` brings atomics of its own, which can not. [`Registers`](super::Registers) and both
//! halves of the protocol are therefore generic over [`Atomics`], and what `loom` checks is the code that runs.

use std::fmt;
use std::sync::atomic::{self, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// One set of atomic types.
pub(crate) trait Atomics: fmt::Debug + 'static {
    /// A 32-bit word.
    type U32: Word<u32>;
    /// A 64-bit word.
    type U64: Word<u64>;
    /// A 32-bit word on which a thread can sleep.
    type Futex: Futex;

    /// A sequentially consistent fence.
    fn fence();

    /// Lets another thread run, without sleeping.
    fn relax();

    /// Whoever waits looks again and again for so long before it falls asleep: about what that and being woken take.
    const AWAKE: Duration;
}

/// An atomic word of type `T`.
pub(crate) trait Word<T>: fmt::Debug + Send + Sync + 'static {
    /// A word that holds `value`.
    fn new(value: T) -> Self;
    /// Reads the word.
    fn load(&self, order: Ordering) -> T;
    /// Writes the word.
    fn store(&self, value: T, order: Ordering);
    /// Replaces `current` by `new`; true if the word held `current`. `order` holds for success, failure is relaxed.
    fn replace(&self, current: T, new: T, order: Ordering) -> bool;
}

/// A counter on which threads of any process can sleep until it changes.
pub(crate) trait Futex: fmt::Debug + Send + Sync + 'static {
    /// A counter at zero.
    fn new() -> Self;
    /// The count now.
    fn count(&self) -> u32;
    /// Counts one further and wakes all who sleep.
    fn advance(&self);
    /// Sleeps while the count is `seen`, at most `timeout`.
    fn sleep(&self, seen: u32, timeout: Duration) -> Woken;
}

/// Why a sleeper stopped sleeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Rung, or nothing to wait for in the first place, or no reason at all.
    Rung,
    /// The time was over.
    TimedOut,
    /// A signal was delivered to the sleeping thread.
    Interrupted,
}

/// The atomics of the standard library and the futex of the kernel: what runs outside of `loom`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Native;

impl Atomics for Native {
    type U32 = AtomicU32;
    type U64 = AtomicU64;
    type Futex = KernelFutex;

    #[inline]
    fn fence() {
        atomic::fence(Ordering::SeqCst);
    }

    fn relax() {
        std::thread::yield_now();
    }

    const AWAKE: Duration = Duration::from_micros(10);
}

macro_rules! word {
    ($atomic:ty, $value:ty) => {
        impl Word<$value> for $atomic {
            fn new(value: $value) -> Self {
                <$atomic>::new(value)
            }

            #[inline]
            fn load(&self, order: Ordering) -> $value {
                <$atomic>::load(self, order)
            }

            #[inline]
            fn store(&self, value: $value, order: Ordering) {
                <$atomic>::store(self, value, order);
            }

            #[inline]
            fn replace(&self, current: $value, new: $value, order: Ordering) -> bool {
                self.compare_exchange(current, new, order, Ordering::Relaxed).is_ok()
            }
        }
    };
}

word!(AtomicU32, u32);
word!(AtomicU64, u64);

/// A futex word that works between processes (not `FUTEX_PRIVATE_FLAG`).
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct KernelFutex(AtomicU32);

impl Futex for KernelFutex {
    fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    fn advance(&self) {
        self.0.fetch_add(1, Ordering::Release);
        system::wake_all(&self.0);
    }

    fn sleep(&self, seen: u32, timeout: Duration) -> Woken {
        system::wait(&self.0, seen, timeout)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::{AtomicU32, Duration, Woken};
    use std::io;
    use std::ptr;

    /// No sleep is longer than this: who sleeps always looks again, so a spurious wake costs nothing, and no
    /// duration that a caller can name overflows the kernel's time type.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    pub(super) fn wait(word: &AtomicU32, seen: u32, timeout: Duration) -> Woken {
        let timeout = timeout.min(LONGEST);
        // At most a day and below 10^9: both fit the narrowest of the kernel's types.
        let spec = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        };
        // SAFETY: `word` is a live, aligned 32-bit word for the whole call, FUTEX_WAIT only reads it, and `spec` is an
        // initialised timespec that outlives the call.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT,
                seen,
                &raw const spec,
                ptr::null::<u32>(),
                0u32,
            )
        };
        if answer == 0 {
            return Woken::Rung;
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ETIMEDOUT) => Woken::TimedOut,
            Some(libc::EINTR) => Woken::Interrupted,
            // EAGAIN: the count had moved on already.
            _ => Woken::Rung,
        }
    }

    pub(super) fn wake_all(word: &AtomicU32) {
        // SAFETY: `word` is a live, aligned 32-bit word for the whole call, and FUTEX_WAKE takes it as an address only.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAKE,
                libc::c_int::MAX,
                ptr::null::<libc::timespec>(),
                ptr::null::<u32>(),
                0u32,
            );
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{AtomicU32, Duration, Woken};
    use std::sync::atomic::Ordering;

    /// Without a futex the sleeper looks at the word this often.
    const LOOK: Duration = Duration::from_millis(1);

    pub(super) fn wait(word: &AtomicU32, seen: u32, timeout: Duration) -> Woken {
        if word.load(Ordering::Acquire) != seen {
            return Woken::Rung;
        }
        std::thread::sleep(timeout.min(LOOK));
        Woken::TimedOut
    }

    pub(super) fn wake_all(_word: &AtomicU32) {}
}

#[cfg(loom)]
pub(crate) use self::checked::Checked;

#[cfg(loom)]
mod checked {
    use super::{Atomics, Duration, Futex, Ordering, Woken, Word};
    use ::loom::sync::atomic::{self, AtomicU32, AtomicU64};
    use ::loom::sync::{Condvar, Mutex};
    use ::loom::thread;

    /// The atomics of `loom`. No sleep ever times out, so a wake that gets lost is a deadlock that `loom` reports.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Checked;

    impl Atomics for Checked {
        type U32 = AtomicU32;
        type U64 = AtomicU64;
        type Futex = ModelFutex;

        fn fence() {
            atomic::fence(Ordering::SeqCst);
        }

        fn relax() {
            thread::yield_now();
        }

        // How often it looks would depend on the time.
        const AWAKE: Duration = Duration::ZERO;
    }

    word!(AtomicU32, u32);
    word!(AtomicU64, u64);

    /// A futex as the kernel does it: comparing and falling asleep are one step against waking, which the mutex
    /// (the kernel's hash bucket lock) provides.
    #[derive(Debug)]
    pub(crate) struct ModelFutex {
        word: AtomicU32,
        bucket: Mutex<()>,
        sleepers: Condvar,
    }

    impl Futex for ModelFutex {
        fn new() -> Self {
            Self { word: AtomicU32::new(0), bucket: Mutex::new(()), sleepers: Condvar::new() }
        }

        fn count(&self) -> u32 {
            self.word.load(Ordering::Acquire)
        }

        fn advance(&self) {
            self.word.fetch_add(1, Ordering::Release);
            drop(self.bucket.lock());
            self.sleepers.notify_all();
        }

        fn sleep(&self, seen: u32, _timeout: Duration) -> Woken {
            if let Ok(guard) = self.bucket.lock() {
                if self.word.load(Ordering::Relaxed) == seen {
                    drop(self.sleepers.wait(guard));
                }
            }
            Woken::Rung
        }
    }
}
