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
use crate::transmit::{Counter, Sink, Transmitter, TxCount};
use crate::tx_stream::TxStream;

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
    /// Transmit streams, and what they have sent.
    tx: Vec<Share>,
    tx_counts: Vec<Arc<Counter>>,
    /// For whoever plays the card: the other side of its receive streams, and of its transmit streams.
    reverse_rx: Vec<Share>,
    reverse_tx: Vec<Share>,
    /// The engine's thread; a script has none.
    thread: Mutex<Option<JoinHandle<()>>>,
    wake: Option<Wake>,
    /// Where the card really is, if that is another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    remote: Option<Remote>,
    /// The streams of that card that were lent to this handle of it.
    #[cfg(all(not(miri), target_os = "linux"))]
    lent: Mutex<BTreeMap<Side, Share>>,
}

/// A stream that is lent by another process, from attach to detach.
#[cfg(all(not(miri), target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Lent {
    side: Side,
    card: Card,
    _held: crate::serve::Held,
}

#[cfg(all(not(miri), target_os = "linux"))]
impl Drop for Lent {
    fn drop(&mut self) {
        self.card.0.lent.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.side);
    }
}

/// One side of a stream: the usual one, or that of whoever plays the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    pub(crate) number: u16,
    /// Its owner sends.
    pub(crate) transmit: bool,
    pub(crate) reverse: bool,
}

impl Side {
    pub(crate) const fn receive(number: u16) -> Self {
        Self { number, transmit: false, reverse: false }
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
            tx: Vec::new(),
            tx_counts: Vec::new(),
            reverse_rx: Vec::new(),
            reverse_tx: Vec::new(),
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

    /// The card of another process that this one is, if it is one.
    #[cfg(all(not(miri), target_os = "linux"))]
    pub(crate) fn there(&self) -> Option<&Remote> {
        self.0.remote.as_ref()
    }

    fn with_memory(spec: &CardSpec, allocation: Allocation) -> Result<Self, Error> {
        let (feed, info, waker) = spec.feed.open(spec)?;
        let clock = Clock::new(spec.clock, TimeSource::Host);
        let (mut parts, producers) = Parts::new(spec, clock, info, allocation)?;
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
        let (mut parts, producers) = Parts::new(spec, clock, info, Allocation::OnDemand)?;
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
            return self.attach_there(remote, Side::receive(number), Access::Read);
        }
        let consumer =
            self.share(Side::receive(number))?.attach().map_err(|source| Repr::Request { stream: number, source })?;
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
            return self.attach_there(remote, Side::receive(number), Access::ReadWrite);
        }
        let share = self.share(Side::receive(number))?.mapped_anew(Access::ReadWrite);
        let share = share.map_err(|source| Repr::Memory { stream: number, source })?;
        let consumer = share.attach().map_err(|source| Repr::Request { stream: number, source })?;
        Ok(Stream::new(consumer, number, self.clone()))
    }

    /// Becomes the owner of transmit stream `number` (odd: 1, 3, ...).
    ///
    /// # Errors
    ///
    /// As for [`attach`](Self::attach).
    pub fn attach_tx(&self, number: u16) -> Result<TxStream, Error> {
        self.attach_side_tx(Side { number, transmit: true, reverse: false })
    }

    /// Plays the card: what is sent here arrives in receive stream `number` (even), as it is. Where nobody reads that, it waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) unless the card is one with `reverse=on`; as for
    /// [`attach`](Self::attach).
    pub fn attach_reverse_tx(&self, number: u16) -> Result<TxStream, Error> {
        self.attach_side_tx(Side { number, transmit: true, reverse: true })
    }

    /// Plays the card: what transmit stream `number` (odd) sends arrives here, as it is.
    ///
    /// # Errors
    ///
    /// As for [`attach_reverse_tx`](Self::attach_reverse_tx).
    pub fn attach_reverse_rx(&self, number: u16) -> Result<Stream, Error> {
        let side = Side { number, transmit: false, reverse: true };
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return self.attach_there(remote, side, Access::ReadWrite);
        }
        let share = self.share(side)?.mapped_anew(Access::ReadWrite);
        let share = share.map_err(|source| Repr::Memory { stream: number, source })?;
        let consumer = share.attach().map_err(|source| Repr::Request { stream: number, source })?;
        Ok(Stream::new(consumer, number, self.clone()))
    }

    fn attach_side_tx(&self, side: Side) -> Result<TxStream, Error> {
        let number = side.number;
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            let (share, held) = remote.attach(side, Access::ReadWrite)?;
            let writer = share.attach_writer().map_err(|source| Repr::Request { stream: number, source })?;
            let lent = Lent { side, card: self.clone(), _held: held };
            return Ok(TxStream::new(writer, number, self.clone()).lent(lent));
        }
        let share = self.share(side)?.mapped_anew(Access::ReadWrite);
        let share = share.map_err(|source| Repr::Memory { stream: number, source })?;
        let writer = share.attach_writer().map_err(|source| Repr::Request { stream: number, source })?;
        Ok(TxStream::new(writer, number, self.clone()))
    }

    /// How many transmit streams the card has: numbers 1, 3, ...
    pub fn tx_stream_count(&self) -> u16 {
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return remote.tx_streams;
        }
        // `CardSpec` holds it below 33.
        self.0.tx.len() as u16
    }

    /// Whether a program may play this card, in reverse mode.
    pub fn is_reversible(&self) -> bool {
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            return remote.reversible;
        }
        !self.0.reverse_tx.is_empty()
    }

    /// What transmit stream `number` has sent; `None` where there is none, or the card is another process's.
    pub fn tx_count(&self, number: u16) -> Option<TxCount> {
        let index = number.checked_sub(1).filter(|even| even.is_multiple_of(2))? / 2;
        self.0.tx_counts.get(usize::from(index)).map(|counter| counter.get())
    }

    /// Attaches a stream of a card of another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    fn attach_there(&self, remote: &Remote, side: Side, access: Access) -> Result<Stream, Error> {
        let number = side.number;
        let (share, held) = remote.attach(side, access)?;
        let consumer = share.attach().map_err(|source| Repr::Request { stream: number, source })?;
        self.0.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(side, share);
        Ok(Stream::new(consumer, number, self.clone()).lent(Lent { side, card: self.clone(), _held: held }))
    }

    /// Wakes the card up for a request that another process has put into the registers of a stream.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &self.0.wake {
            wake.wake();
        }
    }

    /// The share of one side of a stream.
    pub(crate) fn share(&self, side: Side) -> Result<&Share, Error> {
        let Side { number, transmit, reverse } = side;
        let index = usize::from(number / 2);
        let is_odd = number % 2 == 1;
        match (reverse, transmit) {
            (false, false) => {}
            (false, true) => {
                let streams = self.tx_stream_count();
                let share = self.0.tx.get(index).filter(|_| is_odd);
                return share.ok_or_else(|| Repr::NoTxStream { stream: number, streams }.into());
            }
            (true, _) => {
                let shares = if transmit { &self.0.reverse_tx } else { &self.0.reverse_rx };
                return shares.get(index).filter(|_| is_odd != transmit).ok_or_else(|| Repr::NoReverse(number).into());
            }
        }
        let streams = self.stream_count();
        let share = if is_odd { None } else { self.0.streams.get(index) };
        let bare = number.is_multiple_of(2) && number / 2 < streams + self.0.bare_streams;
        share.ok_or_else(|| {
            if bare { Repr::NoMemory(number) } else { Repr::NoSuchStream { stream: number, streams } }.into()
        })
    }

    /// The loss account of receive stream `number` since it was last attached, whoever owns it; `None` where there is no such
    /// stream, or it has no memory.
    pub fn drops(&self, number: u16) -> Option<Drops> {
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(share) = self.0.lent.lock().unwrap_or_else(PoisonError::into_inner).get(&Side::receive(number)) {
            return Some(share.drops());
        }
        #[cfg(all(not(miri), target_os = "linux"))]
        if let Some(remote) = &self.0.remote {
            let index = number.is_multiple_of(2).then_some(usize::from(number / 2))?;
            let there = remote.status().ok()?.streams.get(index)?.clone();
            return Some(Drops { total: there.dropped, pending: there.untold });
        }
        self.share(Side::receive(number)).ok().map(Share::drops)
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
    tx: Vec<Share>,
    tx_counts: Vec<Arc<Counter>>,
    reverse_rx: Vec<Share>,
    reverse_tx: Vec<Share>,
    transmitters: Vec<Transmitter>,
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
        let mut parts = Self {
            shares,
            ports,
            clock,
            shared: Arc::default(),
            info,
            memory: spec.memory,
            bare_streams: spec.bare_streams,
            tx: Vec::new(),
            tx_counts: Vec::new(),
            reverse_rx: Vec::new(),
            reverse_tx: Vec::new(),
            transmitters: Vec::new(),
        };
        parts.transmit(spec, allocation)?;
        Ok((parts, producers))
    }

    /// The transmit streams, and the other sides of a card whose part can be played.
    fn transmit(&mut self, spec: &CardSpec, allocation: Allocation) -> Result<(), Error> {
        let count = usize::from(spec.transmits());
        let memory = |stream| move |source| Repr::Memory { stream, source };
        let mut sinks = Vec::new();
        match &spec.tx {
            Some(tx) => sinks = tx.open(count, &spec.feed)?,
            None => {
                for number in 0..count {
                    // Below 64.
                    let stream = 2 * number as u16 + 1;
                    let (producer, share) = ring::create(spec.memory, allocation).map_err(memory(stream))?;
                    self.reverse_rx.push(share);
                    sinks.push(Sink::Stream(producer));
                }
            }
        }
        for (number, sink) in (0u16..).zip(sinks) {
            let (taker, share) = ring::create_transmit(spec.memory, allocation).map_err(memory(2 * number + 1))?;
            let counter = Arc::new(Counter::default());
            self.tx.push(share);
            self.tx_counts.push(Arc::clone(&counter));
            self.transmitters.push(Transmitter::new(taker, sink, counter));
        }
        if spec.reverse {
            for number in 0..spec.streams {
                let (taker, share) = ring::create_transmit(spec.memory, allocation).map_err(memory(2 * number))?;
                self.reverse_tx.push(share);
                let sink = Sink::Receive(number.into());
                self.transmitters.push(Transmitter::new(taker, sink, Arc::default()));
            }
        }
        Ok(())
    }

    fn engine(
        &mut self,
        spec: &CardSpec,
        producers: Vec<ring::Producer>,
        feed: Box<dyn Feed>,
        patient: bool,
    ) -> Engine {
        let faults = spec.faults.as_ref().map(|faults| Faults::new(faults, spec.seed));
        let receiver = Receiver::new(producers, self.ports.clone(), self.clock.clone(), faults);
        let transmitters = std::mem::take(&mut self.transmitters);
        Engine::new(receiver, feed, self.clock.clone(), Arc::clone(&self.shared), patient)
            .with_transmitters(transmitters)
    }

    fn card(self, driver: Driver, thread: Option<JoinHandle<()>>, wake: Option<Wake>) -> Card {
        let driven =
            |shares: Vec<Share>| shares.into_iter().map(|share| share.with_driver(driver.clone())).collect::<Vec<_>>();
        Card(Arc::new(Inner {
            streams: driven(self.shares),
            tx: driven(self.tx),
            reverse_rx: driven(self.reverse_rx),
            reverse_tx: driven(self.reverse_tx),
            tx_counts: self.tx_counts,
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
