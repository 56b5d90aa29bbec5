//! A card that libdag has opened.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use dag_sys::values::Values;
use dag_sys::{Config, Libdag};
use erf::Tick;
use erf::meta::ClockState;
use erf::session::ClockInfo;
use serde_json::Value;

use super::{errno, stream::LibdagStream, tx::LibdagTx};
use crate::backend::{CardBackend, StreamBackend, TxBackend};
use crate::error::{Error, Repr};
use crate::info::{CardInfo, Counters, PortCount, PortInfo, Setting, StampSource, StreamInfo};

/// Opens card `number`.
pub(crate) fn open(number: u32) -> Result<Arc<dyn CardBackend>, Error> {
    let device = format!("dag{number}");
    let path = format!("/dev/{device}");
    let lib = Libdag::open().map_err(|error| Repr::Library { device: device.clone(), error })?;
    let values = Values::of_machine().map_err(Repr::Values)?;
    let lib = lib.with_values(values);
    let name = CString::new(path.as_str()).unwrap_or_default();
    let fd = lib.dag_open(&name).map_err(|error| errno::opening(&device, &path, error))?;
    // Without it a card captures all the same.
    let config = lib.config(&name).ok();
    let card = Open { lib, fd, device, path, config: Mutex::new(config), attached: Mutex::default() };
    Ok(Arc::new(LibdagCard(Arc::new(card))))
}

/// A card that libdag has opened, closed with the last of its streams.
pub(super) struct Open {
    pub(super) lib: Libdag,
    pub(super) fd: i32,
    pub(super) device: String,
    path: String,
    config: Mutex<Option<Config>>,
    /// Streams that this process has attached. What a library does about a second attach through the same descriptor is not
    /// known (contract, section 11), so it is not asked.
    pub(super) attached: Mutex<BTreeSet<u16>>,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("device", &self.device).field("lib", &self.lib).finish_non_exhaustive()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: streams and their memory keep the card open, so there are none any more.
        unsafe { self.lib.dag_close(self.fd) };
    }
}

impl Open {
    /// Asks the configuration, where there is one.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Config) -> Option<T>) -> Option<T> {
        question(self.config.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?)
    }

    pub(super) fn is_emulated(&self) -> bool {
        self.lib.emulated().is_some()
    }

    /// Notes that this process has stream `number`.
    fn take(&self, number: u16) -> Result<(), Error> {
        match self.attached.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
            true => Ok(()),
            false => {
                let by = " by this process".to_owned();
                Err(Repr::StreamBusy { device: self.device.clone(), stream: number, by }.into())
            }
        }
    }

    /// Receive streams, each with its memory. Numbers are even; as many are looked at as there can be.
    fn streams(&self) -> Vec<(u16, u64)> {
        let count = self.lib.dag_rx_get_stream_count(self.fd).unwrap_or(0);
        let mut streams = Vec::new();
        for number in (0..256u16).step_by(2) {
            if streams.len() as u32 >= count {
                break;
            }
            if let Ok(memory) = self.lib.buffer_size(self.fd, number) {
                streams.push((number, memory));
            }
        }
        streams
    }

    /// What an emulated card says of itself now; null for a real one.
    fn described(&self) -> Value {
        self.lib.describe(self.fd).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// What ended the feed of an emulated card.
    pub(super) fn failure(&self) -> Option<Error> {
        let what = self.described()["failure"].as_str()?.to_owned();
        Some(Repr::FeedFailed { device: self.device.clone(), what }.into())
    }
}

#[derive(Debug)]
struct LibdagCard(Arc<Open>);

impl CardBackend for LibdagCard {
    fn info(&self) -> CardInfo {
        let open = &*self.0;
        let emulated = open.is_emulated();
        let said = open.described();
        let kind = open.lib.kind(open.fd);
        let streams = open.streams();
        let port = |number| PortInfo {
            number,
            name: None,
            description: None,
            mac: None,
            speed: None,
            link_up: open.ask(|config| config.link_up(number)).unwrap_or(true),
        };
        // Three bits number them.
        let ports = open.ask(Config::interface_count).unwrap_or(0).min(8) as u8;
        let place = kind.as_ref().map(|kind| {
            let revision = kind.revision.map(|revision| format!(" rev {revision}")).unwrap_or_default();
            let bus = kind.bus.as_deref().map(|bus| format!(" at {bus}")).unwrap_or_default();
            format!("{}{revision}{bus}", open.device)
        });
        CardInfo {
            model: match kind.as_ref().and_then(|kind| kind.name.clone()) {
                _ if emulated => dag_emu::MODEL.to_owned(),
                Some(name) => name,
                None => "unknown".to_owned(),
            },
            emulated,
            description: said["feed"].as_str().map(str::to_owned).or(place).unwrap_or_else(|| open.device.clone()),
            stamp_source: match said["stamp_source"].as_str() {
                _ if !emulated => StampSource::Card,
                Some("kernel") => StampSource::Kernel,
                Some("replay") => StampSource::Replay,
                Some("script") => StampSource::Script,
                _ => StampSource::Synthetic,
            },
            stamp_error_ns: said["stamp_error_ns"].as_u64(),
            tick: said["tick_bits"].as_u64().and_then(|bits| Tick::new(u8::try_from(bits).ok()?)),
            ports: (0..ports).map(port).collect(),
            rx_streams: streams.len() as u16,
            stream_memory: streams.iter().map(|(_, memory)| *memory).max().unwrap_or(0),
            snaplen: open.ask(Config::snaplen).and_then(|bytes| u16::try_from(bytes).ok()),
        }
    }

    fn clock(&self) -> ClockInfo {
        let mut clock = ClockInfo::default();
        let duck = self.duck().unwrap_or_default();
        let synchronised = self.0.ask(Config::clock_synchronised).or(duck.is_synchronised);
        clock.state = synchronised.map(|synchronised| match synchronised {
            true => ClockState::SYNCHRONISED,
            false => ClockState::UNSYNCHRONISED,
        });
        clock.resyncs = duck.resyncs;
        clock
    }

    fn attach(&self, number: u16) -> Result<Box<dyn StreamBackend>, Error> {
        let open = &self.0;
        let refused = |error| {
            let with_memory: Vec<u16> =
                open.streams().into_iter().filter(|(_, memory)| *memory > 0).map(|(number, _)| number).collect();
            errno::attaching(&open.device, &open.path, number, &with_memory, error)
        };
        if number % 2 == 1 {
            return Err(Repr::TransmitStream { device: open.device.clone(), stream: number }.into());
        }
        open.take(number)?;
        if let Err(error) = open.lib.attach(open.fd, number) {
            open.attached.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
            return Err(refused(error));
        }
        Ok(Box::new(LibdagStream::new(Arc::clone(open), number)?))
    }

    fn attach_tx(&self, number: u16) -> Result<Box<dyn TxBackend>, Error> {
        let open = &self.0;
        if number.is_multiple_of(2) {
            return Err(Repr::ReceiveStream { device: open.device.clone(), stream: number }.into());
        }
        open.take(number)?;
        if let Err(error) = open.lib.attach(open.fd, number) {
            open.attached.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
            return Err(errno::attaching(&open.device, &open.path, number, &[], error));
        }
        // These two take records as long as a multiple of 16 (contract, section 2.11).
        let code = open.lib.kind(open.fd).map(|kind| i64::from(kind.device_code));
        let wide = ["PCI_DEVICE_ID_DAG9_2X2", "PCI_DEVICE_ID_DAG9_2SX2"].map(|name| open.lib.values()?.get(name));
        let align = if code.is_some() && wide.contains(&code) { 16 } else { 8 };
        Ok(Box::new(LibdagTx::new(Arc::clone(open), number, align)))
    }

    fn source_defects(&self) -> u64 {
        self.0.described()["source_defects"].as_u64().unwrap_or(0)
    }

    fn notes(&self) -> Vec<String> {
        let open = &self.0;
        let said = open.described();
        let said = said["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut notes: Vec<String> = said.map(str::to_owned).collect();
        if open.lib.values().is_none() {
            notes.push(format!(
                "{}: what this libdag calls its drop counter is not known, so losses are those that records tell; \
                 `dagctl learn` finds it out from the headers of Endace's software",
                open.device
            ));
        }
        notes
    }

    fn counters(&self) -> Result<Counters, Error> {
        let open = &*self.0;
        let said = open.described();
        let mut streams: Vec<StreamInfo> = Vec::new();
        for (number, memory) in open.streams() {
            let exact = open.lib.exact_drops(open.fd, number).map(|(dropped, _)| dropped);
            let dropped = exact.or_else(|| open.ask(|config| config.stream_drops(number)));
            streams.push(StreamInfo { number, memory, dropped, ..StreamInfo::default() });
        }
        let transmit = open.lib.dag_tx_get_stream_count(open.fd).unwrap_or(0);
        let mut found = 0;
        for number in (1..256u16).step_by(2) {
            if found == transmit {
                break;
            }
            if let Ok(memory) = open.lib.buffer_size(open.fd, number) {
                found += 1;
                streams.push(StreamInfo { number, memory, ..StreamInfo::default() });
            }
        }
        streams.sort_by_key(|stream| stream.number);
        let port = |number: u8| PortCount {
            number,
            enabled: open.ask(|config| config.port_enabled(number)),
            link_up: open.ask(|config| config.link_up(number)),
            packets: said["port_counts"][usize::from(number)]["packets"].as_u64(),
            bytes: said["port_counts"][usize::from(number)]["bytes"].as_u64(),
        };
        let ports = open.ask(Config::interface_count).unwrap_or(0).min(8) as u8;
        Ok(Counters {
            streams,
            ports: (0..ports).map(port).collect(),
            snaplen: open.ask(Config::snaplen).and_then(|bytes| u16::try_from(bytes).ok()),
            varlen: open.ask(Config::varlen),
        })
    }

    fn duck(&self) -> Option<dag_sys::Duck> {
        self.0.lib.duck(self.0.fd)
    }

    fn holders(&self) -> Vec<String> {
        super::holders::of(&self.0.path)
    }

    fn set(&self, setting: Setting) -> Result<(), Error> {
        let open = &*self.0;
        let (what, done) = match setting {
            Setting::Snaplen(bytes) => ("snap length", open.ask(|config| Some(config.set_snaplen(bytes.into())))),
            Setting::Varlen(on) => ("record length", open.ask(|config| Some(config.set_varlen(on)))),
            Setting::PortEnabled { port, on } => ("port", open.ask(|config| Some(config.set_port_enabled(port, on)))),
            Setting::PortLink { .. } => ("link", None),
        };
        match done {
            Some(true) => Ok(()),
            _ => Err(Repr::NoSetting { device: open.device.clone(), what }.into()),
        }
    }
}
