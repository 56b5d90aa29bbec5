//! [`Sampling`]: signals, sampled by a thread of its own beside the probes.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use nix::time::{ClockId, clock_gettime};

use super::log::{SignalContext, SignalLog, SignalSample, SignalWriter};
use super::sampler::{Sampler, Watch};

/// A thread that samples until it is told to stop.
#[derive(Debug)]
pub struct Sampling {
    stop: Arc<AtomicBool>,
    taken: Receiver<SignalSample>,
    context: SignalContext,
    thread: JoinHandle<io::Result<Taken>>,
}

/// What a thread has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Taken {
    /// Samples.
    pub samples: u64,
    /// CPU time that a sample took, in the mean, in nanoseconds.
    pub cost_ns: u64,
}

impl Sampling {
    /// Starts to sample, in the namespace of the thread that calls, and writes into `log`, if there is one. Where `is_live`, samples are also
    /// kept for [`hear`](Self::hear).
    ///
    /// # Errors
    ///
    /// When the log cannot be begun, or no thread be had.
    pub fn start<W: Write + Send + 'static>(
        watch: Watch,
        every: Duration,
        log: Option<W>,
        is_live: bool,
    ) -> io::Result<Self> {
        let sampler = Sampler::new(watch);
        let mut context = sampler.context();
        context.add("sampled every", format!("{} ns", every.as_nanos()));
        let log = log.map(|log| SignalWriter::begin(log, &context)).transpose()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (tell, taken) = unbounded();
        let tell = is_live.then_some(tell);
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || all(sampler, every, log, tell.as_ref(), &stopped))?;
        Ok(Self { stop, taken, context, thread })
    }

    /// What is known of all samples.
    pub fn context(&self) -> &SignalContext {
        &self.context
    }

    /// Puts what was sampled since it was last asked into `log`. A clock that was set back empties it: what was before belongs to another time.
    pub fn hear(&self, log: &mut SignalLog) {
        for sample in self.taken.try_iter() {
            if log.push(sample).is_err() {
                *log = SignalLog::new(std::mem::take(&mut log.context));
                let _ = log.push(sample);
            }
        }
    }

    /// It has ended before it was told to, which is by an error that [`stop`](Self::stop) tells.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Takes a last sample, and stops. What was sampled is put into `log`, where it is live.
    ///
    /// # Errors
    ///
    /// When the log could not be written.
    pub fn stop(self, log: Option<&mut SignalLog>) -> io::Result<Taken> {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        while !self.thread.is_finished() {
            std::thread::sleep(Duration::from_micros(100));
        }
        if let Some(log) = log {
            self.hear(log);
        }
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that samples signals has ended by a panic")))
    }
}

fn all<W: Write>(
    mut sampler: Sampler,
    every: Duration,
    mut log: Option<SignalWriter<W>>,
    tell: Option<&Sender<SignalSample>>,
    stopped: &AtomicBool,
) -> io::Result<Taken> {
    let mut taken = Taken::default();
    let begun = cpu_time();
    let mut next = Instant::now() + every;
    let mut is_last = false;
    while !is_last {
        is_last = waited(next, stopped);
        let sample = sampler.sample();
        taken.samples += 1;
        if let Some(log) = &mut log {
            log.note(&sample)?;
        }
        if let Some(tell) = tell {
            // Nobody hears any more.
            let _ = tell.send(sample);
        }
        // Those that were missed are not made up for.
        let now = Instant::now();
        while next <= now {
            next += every;
        }
    }
    taken.cost_ns = cpu_time().saturating_sub(begun) / taken.samples.max(1);
    if let Some(log) = log {
        log.end(&format!("{} samples, {} ns of CPU time each", taken.samples, taken.cost_ns))?;
    }
    Ok(taken)
}

/// Waits until `next`, or until it is `stopped`, which it says. Channels wait too, but spin before they sleep.
fn waited(next: Instant, stopped: &AtomicBool) -> bool {
    loop {
        let left = next.saturating_duration_since(Instant::now());
        if stopped.load(Ordering::Acquire) || left.is_zero() {
            return stopped.load(Ordering::Acquire);
        }
        std::thread::park_timeout(left);
    }
}

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::signals::{RunDelayOf, interface_named};

    fn watch() -> Watch {
        Watch {
            run_delay: RunDelayOf::Process(std::process::id()),
            interface: interface_named("lo").ok(),
            uplink: None,
        }
    }

    #[test]
    fn samples_follow_each_other_and_the_last_is_of_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signals.csv");
        let file = std::fs::File::create(&path).unwrap();
        let sampling = Sampling::start(watch(), Duration::from_millis(2), Some(file), true).unwrap();
        let mut live = SignalLog::new(sampling.context().clone());
        while live.samples().count() < 5 {
            sampling.hear(&mut live);
        }
        let asked = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
        let taken = sampling.stop(Some(&mut live)).unwrap();
        assert!(taken.samples >= 6 && taken.cost_ns > 0, "{taken:?}");
        assert!(live.until().unwrap() >= asked);
        let read = SignalLog::read(&path).unwrap();
        assert_eq!(read.samples().collect::<Vec<_>>(), live.samples().collect::<Vec<_>>());
        assert_eq!((read.context.sampled_every(), read.context.queue()), (Some(2_000_000), live.context.queue()));
        let all: Vec<_> = read.samples().collect();
        // No time between them is left out.
        assert!(all.windows(2).all(|pair| (pair[1].at - pair[1].interval - pair[0].at).abs() < 50_000_000), "{all:?}");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_told() {
        let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
        let error = Sampling::start(watch(), Duration::from_millis(2), Some(full), false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        struct Short(usize);
        impl Write for Short {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sampling = Sampling::start(watch(), Duration::from_millis(1), Some(Short(3)), false).unwrap();
        let begun = Instant::now();
        while !sampling.has_failed() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(sampling.has_failed(), "it goes on as if there were a log");
        assert_eq!(sampling.stop(None).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
