//! The driver of the emulated card in this process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dag_emu::ring::{PollRules, Window};
use erf::meta::{ClockSource, ClockState};
use erf::session::ClockInfo;

use super::{CardBackend, Drops, Memory, StreamBackend, TxBackend};
use crate::error::Error;
use crate::info::{CardInfo, Counters, PortCount, PortInfo, Setting, StampSource, StreamInfo};

#[derive(Debug)]
pub(crate) struct EmuCard(pub(crate) dag_emu::Card);

impl EmuCard {
    /// One of another process is asked how it is.
    fn refresh(&self) {
        if let Err(error) = self.0.refresh() {
            log::debug!("{error}");
        }
    }
}

impl CardBackend for EmuCard {
    fn info(&self) -> CardInfo {
        let card = &self.0;
        self.refresh();
        let feed = card.feed();
        let ports = (0..card.ports().count()).map(|port| {
            let behind = feed.interfaces.iter().find(|i| i.port == port);
            PortInfo {
                number: port,
                name: behind.map(|i| i.name.clone()),
                description: behind.map(|i| i.description.clone()),
                mac: behind.and_then(|i| i.mac),
                speed: behind.and_then(|i| i.speed),
                link_up: behind.map_or(card.ports().link_up(port), |i| i.link_up),
            }
        });
        CardInfo {
            model: dag_emu::MODEL.to_owned(),
            emulated: true,
            description: feed.description.clone(),
            stamp_source: match feed.stamp_source {
                dag_emu::StampSource::Kernel => StampSource::Kernel,
                dag_emu::StampSource::Replay => StampSource::Replay,
                dag_emu::StampSource::Script => StampSource::Script,
                _ => StampSource::Synthetic,
            },
            stamp_error_ns: feed.stamp_error_ns,
            tick: Some(card.clock().tick()),
            ports: ports.collect(),
            rx_streams: card.stream_count(),
            stream_memory: card.stream_memory(),
            snaplen: Some(card.ports().snaplen()),
        }
    }

    fn clock(&self) -> ClockInfo {
        self.refresh();
        let clock = self.0.clock();
        let synchronised = clock.settings().health == dag_emu::ClockHealth::Synchronised;
        let mut info = ClockInfo::default();
        info.source = Some(ClockSource::HOST);
        info.state = Some(if synchronised { ClockState::SYNCHRONISED } else { ClockState::UNSYNCHRONISED });
        info
    }

    fn attach(&self, number: u16) -> Result<Box<dyn StreamBackend>, Error> {
        Ok(Box::new(EmuStream { stream: Some(self.0.attach(number)?) }))
    }

    fn attach_tx(&self, number: u16) -> Result<Box<dyn TxBackend>, Error> {
        Ok(Box::new(EmuTx { stream: Some(self.0.attach_tx(number)?) }))
    }

    fn source_defects(&self) -> u64 {
        self.refresh();
        self.0.feed().counts().defects
    }

    fn notes(&self) -> Vec<String> {
        self.refresh();
        self.0.feed().counts().notes()
    }

    fn counters(&self) -> Result<Counters, Error> {
        let status = self.0.status()?;
        let memory = status.memory;
        let owner = |pid: Option<i32>| pid.and_then(|pid| u32::try_from(pid).ok());
        let receive = (0..).step_by(2).zip(&status.streams).map(|(number, stream)| StreamInfo {
            number,
            memory,
            owner: owner(stream.owner),
            dropped: Some(stream.dropped),
            sent: None,
        });
        let first_bare = 2 * status.streams.len() as u16;
        let bare = (first_bare..)
            .step_by(2)
            .take(status.bare_streams.into())
            .map(|number| StreamInfo { number, ..StreamInfo::default() });
        let transmit = (1..).step_by(2).zip(&status.tx_streams).map(|(number, stream)| StreamInfo {
            number,
            memory,
            owner: owner(stream.owner),
            dropped: None,
            sent: Some(stream.records),
        });
        let mut streams: Vec<StreamInfo> = receive.chain(bare).chain(transmit).collect();
        streams.sort_by_key(|stream| stream.number);
        let ports = (0..).zip(&status.ports).map(|(number, port)| PortCount {
            number,
            enabled: Some(port.enabled),
            link_up: Some(port.link_up),
            packets: Some(port.packets),
            bytes: Some(port.bytes),
        });
        let (snaplen, varlen) = (Some(status.snaplen), Some(status.varlen));
        Ok(Counters { streams, ports: ports.collect(), snaplen, varlen })
    }

    fn duck(&self) -> Option<dag_sys::Duck> {
        None
    }

    fn holders(&self) -> Vec<String> {
        Vec::new()
    }

    fn set(&self, setting: Setting) -> Result<(), Error> {
        let ports = self.0.ports();
        match setting {
            Setting::Snaplen(bytes) => ports.set_snaplen(bytes),
            Setting::Varlen(on) => ports.set_varlen(on),
            Setting::PortEnabled { port, on } => drop(ports.set_enabled(port, on)),
            Setting::PortLink { port, up } => drop(ports.set_link(port, up)),
        }
        Ok(())
    }
}

#[derive(Debug)]
struct EmuStream {
    /// `None` once detached.
    stream: Option<dag_emu::Stream>,
}

impl EmuStream {
    fn stream(&mut self) -> Result<&mut dag_emu::Stream, Error> {
        self.stream.as_mut().ok_or_else(|| Error::state("the stream is detached; attach it again"))
    }
}

impl StreamBackend for EmuStream {
    fn start(&mut self) -> Result<(), Error> {
        Ok(self.stream()?.start()?)
    }

    fn stop(&mut self) -> Result<(), Error> {
        Ok(self.stream()?.stop()?)
    }

    fn detach(&mut self) -> Result<(), Error> {
        match self.stream.take() {
            Some(stream) => Ok(stream.detach()?),
            None => Ok(()),
        }
    }

    fn poll_rules(&self) -> PollRules {
        self.stream.as_ref().map(dag_emu::Stream::poll_rules).unwrap_or_default()
    }

    fn set_poll_rules(&mut self, rules: PollRules) {
        if let Some(stream) = &mut self.stream {
            stream.set_poll_rules(rules);
        }
    }

    fn advance(&mut self, release_to: u64, interrupt: &AtomicBool) -> Result<Window, Error> {
        Ok(self.stream()?.advance(release_to, Some(interrupt))?)
    }

    fn position(&self) -> u64 {
        self.stream.as_ref().map_or(0, |stream| stream.window().bottom)
    }

    fn bytes(&self) -> &[u8] {
        self.stream.as_ref().map(dag_emu::Stream::bytes).unwrap_or_default()
    }

    fn failure(&self) -> Option<Error> {
        self.stream.as_ref()?.card().failure().map(Error::from)
    }

    fn is_last(&self) -> bool {
        self.stream.as_ref().is_none_or(dag_emu::Stream::is_last)
    }

    fn drops(&self) -> Option<Drops> {
        let drops = self.stream.as_ref()?.drops();
        Some(Drops { counter: drops.total, pending: Some(drops.pending) })
    }

    fn memory(&self) -> Option<Memory> {
        let mapping = Arc::clone(self.stream.as_ref()?.mapping());
        Some(Memory::ring(mapping.base(), mapping.ring_len() as u64, mapping))
    }

    fn memory_len(&self) -> u64 {
        self.stream.as_ref().map_or(0, dag_emu::Stream::memory_len)
    }
}

#[derive(Debug)]
struct EmuTx {
    /// `None` once detached.
    stream: Option<dag_emu::TxStream>,
}

impl EmuTx {
    fn stream(&mut self) -> Result<&mut dag_emu::TxStream, Error> {
        self.stream.as_mut().ok_or_else(|| Error::state("the stream is detached; attach it again"))
    }
}

impl TxBackend for EmuTx {
    fn start(&mut self) -> Result<(), Error> {
        Ok(self.stream()?.start()?)
    }

    fn stop(&mut self) -> Result<(), Error> {
        Ok(self.stream()?.stop()?)
    }

    fn detach(&mut self) -> Result<(), Error> {
        match self.stream.take() {
            Some(stream) => Ok(stream.detach()?),
            None => Ok(()),
        }
    }

    fn send(&mut self, record: &[u8], patience: Duration) -> Result<(), Error> {
        Ok(self.stream()?.send(record, patience)?)
    }

    fn level(&self) -> Result<u64, Error> {
        Ok(self.stream.as_ref().map_or(0, dag_emu::TxStream::level))
    }

    fn align(&self) -> usize {
        8
    }
}
