//! [`Card`]: a card that has been opened.

use std::sync::Arc;

use erf::session::ClockInfo;

use crate::backend::{self, CardBackend, EmuCard};
use crate::device::Device;
use crate::error::{Error, Repr};
use crate::info::{CardInfo, Counters, Setting};
use crate::probe::{self, Hint};
use crate::stream::RxStream;
use crate::tx::TxStream;

/// An open card. Clones are the same card; it stays open as long as one of them or one of its streams lives.
///
/// ```
/// let card = dag::Card::open("emu:synthetic=imix,count=1000,rate=max")?;
/// assert!(card.info().emulated);
/// let mut stream = card.attach(0)?;
/// stream.start()?;
/// # Ok::<(), dag::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Card {
    backend: Arc<dyn CardBackend>,
    name: Arc<str>,
}

impl Card {
    /// Opens the card that `name` calls, see [`Device`].
    ///
    /// # Errors
    ///
    /// When the name is none, there is no such card, a privilege is missing, or what an emulated card is to be fed from
    /// cannot be had.
    pub fn open(name: &str) -> Result<Self, Error> {
        Self::open_device(&name.parse()?, name)
    }

    /// Opens `device`, which is to be called `name` in messages and files.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_device(device: &Device, name: &str) -> Result<Self, Error> {
        match device {
            Device::Emulated(spec) => Ok(Self::emulated(dag_emu::Card::open(spec)?, name)),
            Device::Served(served) => Ok(Self::emulated(dag_emu::Card::connect(served)?, name)),
            Device::Real { card, .. } => Ok(Self { backend: backend::open_real(*card)?, name: name.into() }),
        }
    }

    /// Opens the card of this machine: a real one if there is one, and the embedded emulated one only when **nothing**
    /// hints at a card (no libdag, no `/dev/dag*`, no `/sys/class/dag`, `DAG_LIBRARY` unset) and `require_card` is off.
    ///
    /// # Errors
    ///
    /// A card or library that is there and fails is an error, never a reason to emulate.
    pub fn open_default(require_card: bool) -> Result<Self, Error> {
        match probe::hint() {
            Some(hint) => {
                let device = if let Hint::Device(path) = &hint { path } else { "dag0" };
                let refused = |error| Repr::Hinted { hint: hint.to_string(), error: Box::new(error) };
                let card = Self::open(device).map_err(refused)?;
                if require_card && card.info().emulated {
                    return Err(Error::emulated_refused(device));
                }
                Ok(card)
            }
            None if require_card => Err(Repr::NoCard.into()),
            None => Self::open("emu:synthetic"),
        }
    }

    /// An emulated card of this process, such as one that [`dag_emu::Script`] makes for a unit test.
    pub fn emulated(card: dag_emu::Card, name: &str) -> Self {
        Self { backend: Arc::new(EmuCard(card)), name: name.into() }
    }

    /// Becomes the owner of receive stream `number` (even: 0, 2, 4, ...). One program owns a stream at a time.
    ///
    /// # Errors
    ///
    /// When there is no such stream, or it has an owner.
    pub fn attach(&self, number: u16) -> Result<RxStream, Error> {
        let backend = self.backend.attach(number)?;
        Ok(RxStream::new(backend, number, self.clone()))
    }

    /// Becomes the owner of transmit stream `number` (odd: 1, 3, ...).
    ///
    /// # Errors
    ///
    /// As for [`attach`](Self::attach).
    pub fn attach_tx(&self, number: u16) -> Result<TxStream, Error> {
        let backend = self.backend.attach_tx(number)?;
        Ok(TxStream::new(backend, number, self.clone()))
    }

    /// What can be told of the card.
    pub fn info(&self) -> CardInfo {
        self.backend.info()
    }

    /// What the card says of its clock now; nothing is cached.
    pub fn clock(&self) -> ClockInfo {
        self.backend.clock()
    }

    /// Defects in the recording that an emulated card replays: places that were no records.
    pub fn source_defects(&self) -> u64 {
        self.backend.source_defects()
    }

    /// What there is to say about what the card has seen so far, in lines for a person, with the way out where there is one.
    pub fn notes(&self) -> Vec<String> {
        self.backend.notes()
    }

    /// Whether this is the same open card as `other`.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.backend, &other.backend)
    }

    /// What the card was called when it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the card has counted, and how it is set, now.
    ///
    /// # Errors
    ///
    /// When it has gone.
    pub fn counters(&self) -> Result<Counters, Error> {
        self.backend.counters()
    }

    /// What the driver of a real card tells of its clock, in its own words; `None` where the values of its library are not known
    /// (`dagctl learn`), and for an emulated card.
    pub fn duck(&self) -> Option<dag_sys::Duck> {
        self.backend.duck()
    }

    /// The programs that have a real card open, as far as this one may see: `tcpdump (1234)`. The driver does not tell which of
    /// its streams they own.
    pub fn holders(&self) -> Vec<String> {
        self.backend.holders()
    }

    /// Sets something.
    ///
    /// # Errors
    ///
    /// When the card has no such setting or no such port, or refuses.
    pub fn set(&self, setting: Setting) -> Result<(), Error> {
        if let Setting::PortEnabled { port, .. } | Setting::PortLink { port, .. } = setting {
            self.check_port(port)?;
        }
        self.backend.set(setting)
    }

    /// Sets how many bytes of each packet are stored: [`Setting::Snaplen`].
    ///
    /// # Errors
    ///
    /// When the card refuses.
    pub fn set_snaplen(&self, bytes: u16) -> Result<(), Error> {
        self.set(Setting::Snaplen(bytes))
    }

    /// Refuses a port that the card does not have.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchPort`](crate::ErrorKind::NoSuchPort).
    pub fn check_port(&self, port: u8) -> Result<(), Error> {
        // At most 8.
        let ports = self.info().ports.len() as u8;
        // A card that does not tell its ports may have any that a record can name.
        let most = if ports == 0 { 8 } else { ports };
        if port < most { Ok(()) } else { Err(Repr::NoSuchPort { device: self.name.to_string(), port, ports }.into()) }
    }
}
