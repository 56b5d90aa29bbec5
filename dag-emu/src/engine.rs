//! The engine: turns of feed and receiver, on a thread of its own or at the call of a script.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use erf_core::{TimeDelta, Timestamp};

use crate::clock::Clock;
use crate::error::Error;
use crate::feed::{Feed, Turn};
use crate::receive::Receiver;
use crate::ring::Event;
use crate::transmit::{Left, Transmitter};

/// Nothing to do wakes up this often, to be on the safe side: requests wake it at once.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// Sleeping for less costs more than it saves, and the packets bear their own due times anyway.
const SHORTEST_SLEEP: Duration = Duration::from_micros(50);

/// Where somebody has to make room for what is sent, it is looked again after this.
const ROOM_AGAIN: Duration = Duration::from_millis(1);

/// What the engine and the handles of the card share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The card is being closed.
    pub(crate) shutdown: AtomicBool,
    /// What ended the feed, if it was an error.
    failure: Mutex<Option<Arc<Error>>>,
}

impl Shared {
    /// What ended the feed, if it was an error.
    pub(crate) fn failure(&self) -> Option<Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(Error::failed)
    }

    fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
    }
}

/// The works of a card.
#[derive(Debug)]
pub(crate) struct Engine {
    receiver: Receiver,
    feed: Box<dyn Feed>,
    clock: Clock,
    shared: Arc<Shared>,
    begun: bool,
    ended: bool,
    /// A full stream holds the feed back instead of dropping (scripts only: their wire waits).
    patient: bool,
    transmitters: Vec<Transmitter>,
}

/// What an engine wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another turn at once.
    Turn,
    /// Nothing before this true time.
    Until(Timestamp),
    /// The feed waits for the outside.
    Outside,
    /// Nothing until a request comes.
    Request,
}

impl Engine {
    pub(crate) fn new(
        receiver: Receiver,
        feed: Box<dyn Feed>,
        clock: Clock,
        shared: Arc<Shared>,
        patient: bool,
    ) -> Self {
        Self { receiver, feed, clock, shared, begun: false, ended: false, patient, transmitters: Vec::new() }
    }

    /// The card transmits, too.
    pub(crate) fn with_transmitters(self, transmitters: Vec<Transmitter>) -> Self {
        Self { transmitters, ..self }
    }

    /// Takes what the owners of transmit streams have sent, and answers them.
    fn transmit(&mut self) -> Left {
        if self.transmitters.is_empty() {
            return Left::Nothing;
        }
        let mut transmitters = std::mem::take(&mut self.transmitters);
        let now = self.clock.true_time();
        let mut left = Left::Nothing;
        self.receiver.begin_turn();
        for transmitter in &mut transmitters {
            match transmitter.turn(now, &mut self.receiver) {
                Ok(Left::Nothing) => {}
                Ok(Left::Room) if left == Left::More => {}
                Ok(more) => left = more,
                Err(error) => self.fail(error),
            }
        }
        self.receiver.end_turn();
        self.transmitters = transmitters;
        left
    }

    /// Answers requests of the streams' owners. To be called between turns, and while asleep whenever woken.
    pub(crate) fn service(&mut self) {
        if self.patient {
            // Nobody else's turn would come before the answer is awaited.
            self.transmit();
        }
        let mut started = false;
        for stream in &mut self.receiver.streams {
            while let Some(event) = stream.service() {
                if event == Event::Started {
                    started = true;
                    if self.ended {
                        // A feed that is over says so to whoever comes late.
                        stream.end_of_feed();
                    }
                }
            }
        }
        if started && !self.begun {
            self.begun = true;
            if let Err(error) = self.feed.begin(self.clock.true_time()) {
                self.fail(error);
            }
        }
    }

    /// One turn: requests answered, what was sent taken, the packets that are due taken in and exposed.
    pub(crate) fn turn(&mut self) -> Next {
        let left = self.transmit();
        let next = self.receive();
        let soon = || self.clock.true_time() + TimeDelta::from_nanos(ROOM_AGAIN.as_nanos() as i64);
        match (left, next) {
            (Left::Nothing, next) | (Left::Room, next @ Next::Turn) => next,
            (Left::More, _) => Next::Turn,
            (Left::Room, Next::Until(time)) => Next::Until(time.min(soon())),
            (Left::Room, Next::Outside | Next::Request) => Next::Until(soon()),
        }
    }

    fn receive(&mut self) -> Next {
        if self.begun && !self.ended && self.receiver.is_ending() {
            self.settle();
        }
        self.service();
        if self.ended {
            return Next::Request;
        }
        if !self.begun {
            return match self.feed.idle() {
                Ok(Turn::Outside) => Next::Outside,
                Ok(_) => Next::Request,
                Err(error) => {
                    self.fail(error);
                    Next::Request
                }
            };
        }
        if self.patient && !self.receiver.has_room() {
            return Next::Request;
        }
        self.receiver.begin_turn();
        let turn = self.feed.turn(self.clock.true_time(), &mut self.receiver);
        self.receiver.end_turn();
        match turn {
            _ if self.receiver.overrun().is_some() => {
                let what = self.receiver.overrun().map(|o| o.to_string()).unwrap_or_default();
                self.fail(Error::spec(format!("a record did not fit its place: {what}")));
                Next::Request
            }
            Ok(Turn::More) => Next::Turn,
            Ok(Turn::Until(time)) => Next::Until(time),
            Ok(Turn::Outside) => Next::Outside,
            Ok(Turn::End) => {
                self.end();
                Next::Request
            }
            Err(error) => {
                self.fail(error);
                Next::Request
            }
        }
    }

    /// Before a stream is stopped: what had arrived by then belongs to it.
    fn settle(&mut self) {
        self.receiver.begin_turn();
        let settled = self.feed.settle(self.clock.true_time(), &mut self.receiver);
        self.receiver.end_turn();
        if let Err(error) = settled {
            self.fail(error);
        }
    }

    fn end(&mut self) {
        self.ended = true;
        for stream in &mut self.receiver.streams {
            stream.end_of_feed();
        }
    }

    fn fail(&mut self, error: Error) {
        // The error first: whoever sees the end looks for it.
        self.shared.fail(error);
        self.end();
    }

    /// Turns until the card is closed.
    pub(crate) fn run(mut self) {
        while !self.shared.shutdown.load(Ordering::Acquire) {
            match self.turn() {
                Next::Turn => {}
                Next::Until(time) => {
                    let ahead = time - self.clock.true_time();
                    let ahead = Duration::from_nanos(u64::try_from(ahead.to_nanos()).unwrap_or(0));
                    if !ahead.is_zero() {
                        std::thread::park_timeout(ahead.clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
                    }
                }
                Next::Outside => {
                    if let Err(error) = self.feed.wait(LONGEST_SLEEP) {
                        self.fail(error);
                    }
                }
                Next::Request => std::thread::park_timeout(LONGEST_SLEEP),
            }
        }
    }
}
