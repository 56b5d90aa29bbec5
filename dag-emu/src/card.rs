//! [`Card`]: an emulated card in this process.

#[cfg(all(not(miri), target_os = "linux"))]
use std::collections::BTreeMap;
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

#[cfg(all(not(miri), target_os = "linux"))]
use crate::serve::Remote;

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
    /// Where the card really is, if that is another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    remote: Option<Remote>,
    /// The streams of that card that were lent to this handle of it.
    #[cfg(all(not(miri), target_os = "linux"))]
    lent: Mutex<BTreeMap<u16, Share>>,
}

/// A stream that is lent by another process, from attach to detach.
#[cfg(all(not(miri), target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Lent {
    number: u16,
    card: Card,
    _held: crate::serve::Held,
}

#[cfg(all(not(miri), target_os = "linux"))]
impl Drop for Lent {
    fn drop(&mut self) {
        self.card.0.lent.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
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
        Self::with_memory(spec, Allocation::OnDemand)
    }

    /// As [`open`](Self::open), with all memory of the streams taken from the system at once: too little is an error then, and not
    /// the end of a process later. For a card that is served to others.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_reserved(spec: &CardSpec) -> Result<Self, Error> {
        Self::with_memory(spec, Allocation::Reserved)
    }

    /// Opens the card that another process serves under `name`, see [`serve`](crate::serve).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when none is served, [`ErrorKind::Permission`](crate::ErrorKind::Permission).
    #[cfg(all(not(miri), target_os = "linux"))]
    pub fn connect(name: &str) -> Result<Self, Error> {
        let crate::serve::Parts { remote, ports, clock, feed } = crate::serve::connect(name)?;
        Ok(Self(Arc::new(Inner {
            streams: Vec::new(),
            ports,
            clock,
            shared: Arc::default(),
            feed,
            memory: remote.memory,
            bare_streams: remote.bare_streams,
            thread: Mutex::new(None),
            wake: None,
            remote: Some(remote),
            lent: Mutex::default(),
        })))
    }

    /// Asks the card of another process what it is now, and shows that here; one of this process is as it is.
    ///
    /// # Errors
    ///
    /// When it has gone.
    pub fn refresh(&self) -> Result<(), Error> {
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            let status = remote.status()?;
            remote.show(&status, &self.0.ports, &self.0.clock);
            self.0.feed.show(&status);
        }
        Ok(())
    }

    fn with_memory(spec: &CardSpec, allocation: Allocation) -> Result<Self, Error> {
        let (feed, info, waker) = spec.feed.open(spec)?;
        let clock = Clock::new(spec.clock, TimeSource::Host);
        let (parts, producers) = Parts::new(spec, clock, info, allocation)?;
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
        let (parts, producers) = Parts::new(spec, clock, info, Allocation::OnDemand)?;
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
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return self.attach_there(remote, number, Access::Read);
        }
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
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return self.attach_there(remote, number, Access::ReadWrite);
        }
        let share = self.share(number)?.mapped_anew(Access::ReadWrite);
        let share = share.map_err(|source| Repr::Memory { stream: number, source })?;
        let consumer = share.attach().map_err(|source| Repr::Request { stream: number, source })?;
        Ok(Stream::new(consumer, number, self.clone()))
    }

    /// Attaches a stream of a card of another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    fn attach_there(&self, remote: &Remote, number: u16, access: Access) -> Result<Stream, Error> {
        let (share, held) = remote.attach(number, access)?;
        let consumer = share.attach().map_err(|source| Repr::Request { stream: number, source })?;
        self.0.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(number, share);
        Ok(Stream::new(consumer, number, self.clone()).lent(Lent { number, card: self.clone(), _held: held }))
    }

    /// Wakes the card up for a request that another process has put into the registers of a stream.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &self.0.wake {
            wake.wake();
        }
    }

    pub(crate) fn share(&self, number: u16) -> Result<&Share, Error> {
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
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(share) = self.0.lent.lock().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Some(share.drops());
        }
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            let index = number.is_multiple_of(2).then_some(usize::from(number / 2))?;
            let there = remote.status().ok()?.streams.get(index)?.clone();
            return Some(Drops { total: there.dropped, pending: there.untold });
        }
        self.share(number).ok().map(Share::drops)
    }

    /// How many receive streams the card has: numbers 0, 2, ... `2 * (count - 1)`.
    pub fn stream_count(&self) -> u16 {
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return remote.streams;
        }
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
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return remote.status().ok()?.failure.map(|text| Repr::FailedThere(text).into());
        }
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
    fn new(
        spec: &CardSpec,
        clock: Clock,
        info: FeedInfo,
        allocation: Allocation,
    ) -> Result<(Self, Vec<ring::Producer>), Error> {
        let mut producers = Vec::new();
        let mut shares = Vec::new();
        for n in 0..spec.streams {
            let (producer, share) =
                ring::create(spec.memory, allocation).map_err(|source| Repr::Memory { stream: 2 * n, source })?;
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
            #[cfg(all(not(miri), target_os = "linux"))]
            remote: None,
            #[cfg(all(not(miri), target_os = "linux"))]
            lent: Mutex::default(),
        }))
    }
}
