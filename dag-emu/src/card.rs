//! [`Card`]: an emulated card in this process.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::clock::{Clock, TimeSource};
use crate::engine::{Engine, Next, Shared};
use crate::error::{Error, Repr};
use crate::faults::Faults;
use crate::feed::{Feed, FeedInfo};
use crate::ports::Ports;
use crate::receive::Receiver;
use crate::ring::{self, Access, Allocation, Driver, Drops, Need, Share, Turn};
use crate::spec::CardSpec;
use crate::stream::Stream;

/// What the card calls itself wherever a model is named, so that emulated data cannot pass for a measurement.
pub const MODEL: &str = "dag-emu (emulated card)";

/// An emulated card. Clones are the same card, which ends with the last of them and of its streams.
///
/// ```
/// let card = dag_emu::Card::open(&"synthetic,count=3,rate=max".parse()?)?;
/// let mut stream = card.attach(0)?;
/// stream.start()?;
/// let mut seen = 0;
/// loop {
///     let window = stream.advance(stream.window().top, None)?;
///     seen += stream.bytes().len();
///     if window.is_empty() && stream.is_last() { break }
/// }
/// assert_eq!(seen, 3 * 88);
/// # Ok::<(), dag_emu::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Card(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    streams: Vec<Share>,
    ports: Ports,
    clock: Clock,
    shared: Arc<Shared>,
    feed: FeedInfo,
    memory: u64,
    bare_streams: u16,
    /// The engine's thread; a script has none.
    thread: Mutex<Option<JoinHandle<()>>>,
    wake: Option<Wake>,
}

/// Gets the engine out of its sleep.
#[derive(Clone)]
struct Wake {
    thread: std::thread::Thread,
    feed: Option<crate::feed::FeedWaker>,
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

impl Wake {
    fn wake(&self) {
        self.thread.unpark();
        if let Some(feed) = &self.feed {
            feed.wake();
        }
    }
}

impl Card {
    /// Opens an emulated card on the host's clock, fed by a thread of its own. Packets begin when the first stream is started.
    ///
    /// # Errors
    ///
    /// When the feed cannot be had (file, interface, permission) or there is no memory for the streams.
    pub fn open(spec: &CardSpec) -> Result<Self, Error> {
        let (feed, info, waker) = spec.feed.open(spec)?;
        let clock = Clock::new(spec.clock, TimeSource::Host);
        let (parts, producers) = Parts::new(spec, clock, info)?;
        let engine = parts.engine(spec, producers, feed, false);
        let thread =
            std::thread::Builder::new().name("dag-emu".to_owned()).spawn(move || engine.run()).map_err(Repr::Thread)?;
        let wake = Wake { thread: thread.thread().clone(), feed: waker };
        let driver = wake.clone();
        let driver = Driver::new(move |need| {
            if need == Need::Answer {
                driver.wake();
            }
            Turn::Elsewhere
        });
        Ok(parts.card(driver, Some(thread), Some(wake)))
    }

    /// A card without a thread: it runs while a stream of it is asked for data, on the asker's thread.
    pub(crate) fn by_hand(
        spec: &CardSpec,
        time: TimeSource,
        feed: Box<dyn Feed>,
        info: FeedInfo,
    ) -> Result<Self, Error> {
        let clock = Clock::new(spec.clock, time);
        let (parts, producers) = Parts::new(spec, clock, info)?;
        let engine = Mutex::new(parts.engine(spec, producers, feed, true));
        let driver = Driver::new(move |need| {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            match need {
                Need::Answer => {
                    engine.service();
                    Turn::Ran
                }
                Need::Data => {
                    // All that is due now, or that there is room for.
                    while engine.turn() == Next::Turn {}
                    Turn::Idle
                }
            }
        });
        Ok(parts.card(driver, None, None))
    }

    /// Becomes the owner of receive stream `number` (even: 0, 2, 4, ...), whose counters start at zero.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchStream`](crate::ErrorKind::NoSuchStream), [`ErrorKind::Busy`](crate::ErrorKind::Busy) while
    /// it has an owner.
    pub fn attach(&self, number: u16) -> Result<Stream, Error> {
        let consumer = self.share(number)?.attach().map_err(|source| Repr::Request { stream: number, source })?;
        Ok(Stream::new(consumer, number, self.clone()))
    }

    /// As [`attach`](Self::attach), with stream memory that the owner may write to, as programs in C do
    /// (`libdag-contract.md` section 2.5). What they write is never read by the card.
    ///
    /// # Errors
    ///
    /// As for [`attach`](Self::attach); [`ErrorKind::Memory`](crate::ErrorKind::Memory) when there is no room for the mapping.
    pub fn attach_writable(&self, number: u16) -> Result<Stream, Error> {
        let share = self.share(number)?.mapped_anew(Access::ReadWrite);
        let share = share.map_err(|source| Repr::Memory { stream: number, source })?;
        let consumer = share.attach().map_err(|source| Repr::Request { stream: number, source })?;
        Ok(Stream::new(consumer, number, self.clone()))
    }

    fn share(&self, number: u16) -> Result<&Share, Error> {
        let streams = self.stream_count();
        let share = match number % 2 {
            0 => self.0.streams.get(usize::from(number / 2)),
            _ => None,
        };
        let bare = number.is_multiple_of(2) && number / 2 < streams + self.0.bare_streams;
        share.ok_or_else(|| {
            if bare { Repr::NoMemory(number) } else { Repr::NoSuchStream { stream: number, streams } }.into()
        })
    }

    /// The loss account of receive stream `number` since it was last attached, whoever owns it; `None` where there is no such
    /// stream, or it has no memory.
    pub fn drops(&self, number: u16) -> Option<Drops> {
        self.share(number).ok().map(Share::drops)
    }

    /// How many receive streams the card has: numbers 0, 2, ... `2 * (count - 1)`.
    pub fn stream_count(&self) -> u16 {
        // `CardSpec` holds it below 32.
        self.0.streams.len() as u16
    }

    /// How many receive streams there are behind these that have no memory, and so cannot be attached.
    pub fn bare_stream_count(&self) -> u16 {
        self.0.bare_streams
    }

    /// Memory of each stream in bytes.
    pub fn stream_memory(&self) -> u64 {
        self.0.memory
    }

    /// The ports: enable, link, snap length, counts.
    pub fn ports(&self) -> &Ports {
        &self.0.ports
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Where the packets come from.
    pub fn feed(&self) -> &FeedInfo {
        &self.0.feed
    }

    /// What ended the feed, if it was an error.
    pub fn failure(&self) -> Option<Error> {
        self.0.shared.failure()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.shutdown.store(true, Ordering::Release);
        if let Some(wake) = &self.wake {
            wake.wake();
        }
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A feed dropping its last handle on the card from the engine's own thread must not wait for itself.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            log::error!("the thread of the emulated card has panicked");
        }
    }
}

/// A card being put together.
struct Parts {
    shares: Vec<Share>,
    ports: Ports,
    clock: Clock,
    shared: Arc<Shared>,
    info: FeedInfo,
    memory: u64,
    bare_streams: u16,
}

impl Parts {
    fn new(spec: &CardSpec, clock: Clock, info: FeedInfo) -> Result<(Self, Vec<ring::Producer>), Error> {
        let mut producers = Vec::new();
        let mut shares = Vec::new();
        for n in 0..spec.streams {
            let (producer, share) = ring::create(spec.memory, Allocation::OnDemand)
                .map_err(|source| Repr::Memory { stream: 2 * n, source })?;
            producers.push(producer);
            shares.push(share);
        }
        let ports = Ports::new(spec.ports, spec.snaplen, spec.varlen);
        let shared = Arc::default();
        Ok((
            Self { shares, ports, clock, shared, info, memory: spec.memory, bare_streams: spec.bare_streams },
            producers,
        ))
    }

    fn engine(&self, spec: &CardSpec, producers: Vec<ring::Producer>, feed: Box<dyn Feed>, patient: bool) -> Engine {
        let faults = spec.faults.as_ref().map(|faults| Faults::new(faults, spec.seed));
        let receiver = Receiver::new(producers, self.ports.clone(), self.clock.clone(), faults);
        Engine::new(receiver, feed, self.clock.clone(), Arc::clone(&self.shared), patient)
    }

    fn card(self, driver: Driver, thread: Option<JoinHandle<()>>, wake: Option<Wake>) -> Card {
        Card(Arc::new(Inner {
            streams: self.shares.into_iter().map(|share| share.with_driver(driver.clone())).collect(),
            ports: self.ports,
            clock: self.clock,
            shared: self.shared,
            feed: self.info,
            memory: self.memory,
            bare_streams: self.bare_streams,
            thread: Mutex::new(thread),
            wake,
        }))
    }
}
