//! A synthetic experiment as files: ERF of the wire, pcap of the kernels, the log of the program, and the truth.

use std::fs;
use std::io::Write;
use std::path::Path;

use erf::session::{Application, Opening, StampSource};
use erf::{ErfWriter, Fraction, Record, RecordBuilder, RecordType, Timestamp};
use etherparse::{IcmpEchoHeader, Icmpv4Type, PacketBuilder};

use super::{Experiment, Sight, Truth, What};
use crate::echo::Leg;
use crate::error::{Error, Repr};
use crate::user_log::HEADER;

/// What every probe carries, so that a capture of any format says it.
pub(crate) const MARK: &[u8] = b"simulated: made up by wiretruth simulate, no measurement";

/// How what is made up begins to say so, wherever there is room for words.
pub(crate) const SIMULATED: &str = "simulated";

/// Bytes of data of a probe.
const DATA: usize = 92;

/// Bits of an ERF fraction that a card with a tick of 2^-26 s has at 0.
const BELOW_TICK: u64 = (1 << 6) - 1;

/// The first line of the file of the truth.
pub(crate) const TRUTH_HEADER: &str = "ident,seq,at_rest,duplicated,user_send_ns,sched_ns,kernel_send_ns,snd_ns,dom0_send_ns,wire_send_ns,\
                                       wire_recv_ns,dom0_recv_ns,kernel_recv_ns,user_recv_ns";

fn number(value: Option<i64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

impl Experiment {
    /// Writes `wire.erf`, `kernel.pcap`, `user.csv`, `truth.csv`, and of a guest `dom0.pcap`, into a folder, which is made.
    ///
    /// # Errors
    ///
    /// When a file is there already, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let failed = |path: &Path, cause| Error::from(Repr::Io { path: path.display().to_string(), cause });
        fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
        let mut files = vec![
            ("wire.erf", self.erf(&self.wire)?),
            ("kernel.pcap", self.pcap(&self.kernel)?),
            ("user.csv", self.user_log().into_bytes()),
            ("truth.csv", self.truth_table().into_bytes()),
        ];
        if self.scenario.stress.guest.is_some() {
            files.push(("dom0.pcap", self.pcap(&self.dom0)?));
        }
        // Nobody's data is overwritten, and none of them is there without the others.
        if let Some(there) = files.iter().map(|(name, _)| folder.join(name)).find(|path| path.exists()) {
            return Err(Repr::There { path: there.display().to_string(), what: "folder" }.into());
        }
        for (name, bytes) in files {
            let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
            let written = fs::File::create(&new).and_then(|mut file| file.write_all(&bytes));
            written.and_then(|()| fs::rename(&new, &path)).map_err(|cause| {
                let _ = fs::remove_file(&new);
                failed(&path, cause)
            })?;
        }
        Ok(())
    }

    /// Every packet of a place as a record, in order. Stamps keep the fraction bits of `mask`.
    fn each(
        &self,
        place: &[Sight],
        mask: u64,
        mut sink: impl FnMut(&Record<'_>) -> Result<(), erf::Error>,
    ) -> Result<(), Error> {
        let cannot = |what: &dyn std::fmt::Display| Error::from(Repr::Scenario { what: what.to_string() });
        let (mut frame, mut record) = (Vec::new(), vec![0; 2048]);
        for sight in place {
            frame.clear();
            self.frame(sight.what, &mut frame);
            // From 1970 to 2106: the scenario was checked.
            let stamp = u64::try_from(sight.nanos).ok().and_then(|nanos| Timestamp::from_nanos(nanos, Fraction::Ceil));
            let stamp = Timestamp::from_raw(stamp.unwrap_or(Timestamp::from_raw(0)).raw() & mask);
            let builder = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).append_fcs();
            let length = builder.write_to(&mut record).map_err(|error| cannot(&error))?;
            let record = Record::parse(&record[..length]).map_err(|defect| cannot(&defect))?;
            sink(&record).map_err(|error| cannot(&error))?;
        }
        Ok(())
    }

    fn frame(&self, what: What, frame: &mut Vec<u8>) {
        const HOST: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 0, 1], [10, 0, 0, 1]);
        const TARGET: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 0, 2], [10, 0, 0, 2]);
        let between = |(from_mac, from): ([u8; 6], [u8; 4]), (to_mac, to): ([u8; 6], [u8; 4])| {
            PacketBuilder::ethernet2(from_mac, to_mac).ipv4(from, to, 64)
        };
        let written = match what {
            What::Echo { seq, leg } => {
                let echo = IcmpEchoHeader { id: self.scenario.ident, seq };
                let builder = match leg {
                    Leg::Request => between(HOST, TARGET).icmpv4(Icmpv4Type::EchoRequest(echo)),
                    Leg::Reply => between(TARGET, HOST).icmpv4(Icmpv4Type::EchoReply(echo)),
                };
                {
                    let mut data = [0x5A; DATA];
                    data[..MARK.len()].copy_from_slice(MARK);
                    builder.write(frame, &data)
                }
            }
            What::Other { number, bytes } => {
                let mut data = vec![0; usize::from(bytes)];
                data[..4].copy_from_slice(&number.to_be_bytes());
                between(HOST, TARGET).udp(40_000, 9).write(frame, &data)
            }
        };
        // A vector takes all, and what is written fits a datagram.
        debug_assert!(written.is_ok());
    }

    fn erf(&self, place: &[Sight]) -> Result<Vec<u8>, Error> {
        let failed = |cause| Error::from(Repr::Capture { cause });
        let mut writer = ErfWriter::new(Vec::new());
        self.opening(place).write_to(&mut writer).map_err(failed)?;
        self.each(place, !BELOW_TICK, |record| writer.write_record(record))?;
        writer.finish().map_err(failed)
    }

    /// That nobody has measured this, where programs look for who did (architecture section 3). The same for the same scenario, to the byte.
    fn opening(&self, place: &[Sight]) -> Opening {
        let first = place.first().map_or(self.scenario.start_ns, |sight| sight.nanos);
        let start = u64::try_from(first).ok().and_then(|nanos| Timestamp::from_nanos(nanos, Fraction::Floor));
        let start = Timestamp::from_raw(start.unwrap_or(Timestamp::from_raw(0)).raw() & !BELOW_TICK);
        let words = String::from_utf8_lossy(MARK);
        let mut opening = Opening::new(start);
        opening.generated = start;
        opening.host.name = SIMULATED.to_owned();
        opening.host.model = Some(words.clone().into_owned());
        opening.card.device = SIMULATED.to_owned();
        opening.card.model = Some(words.clone().into_owned());
        opening.card.stamp_source = Some(StampSource::Synthetic);
        opening.application = Application::new("wiretruth simulate", env!("CARGO_PKG_VERSION"));
        opening.fcs_bits = Some(32);
        opening.comment = Some(format!("{words}; seed {}", self.scenario.seed));
        opening
    }

    fn pcap(&self, place: &[Sight]) -> Result<Vec<u8>, Error> {
        let mut writer = erf::pcap::Writer::new(Vec::new(), erf::pcap::WriterOptions::default());
        self.each(place, u64::MAX, |record| writer.write_record(record).map(drop))?;
        writer.finish().map_err(|cause| Repr::Capture { cause }.into())
    }

    fn user_log(&self) -> String {
        let mut text = format!("# {}; seed {}\n{HEADER}\n", String::from_utf8_lossy(MARK), self.scenario.seed);
        for truth in &self.truth {
            let by_host = |nanos: i64| self.scenario.clock.at(self.scenario.start_ns, nanos, u32::from(truth.key.seq));
            let Truth { key, user_send, sched, snd, kernel_recv, user_recv, .. } = *truth;
            let [send, sched, snd] = [user_send, sched, snd].map(by_host);
            let [kernel, user] = [kernel_recv, user_recv].map(|at| number(at.map(by_host)));
            text += &format!("{},{},100,{send},{sched},{snd},,{kernel},{user}\n", key.ident, key.seq);
        }
        text
    }

    fn truth_table(&self) -> String {
        let clock = self.scenario.clock;
        let (from, by) = clock.step.unwrap_or_default();
        let mut text = format!(
            "# {}\n# host clock: offset_ns={} drift_ppb={} step_at={from} step_ns={by} coupling={} seed={}\n{TRUTH_HEADER}\n",
            String::from_utf8_lossy(MARK),
            clock.offset_ns,
            clock.drift_ppb,
            self.scenario.coupling.name(),
            self.scenario.seed
        );
        for truth in &self.truth {
            let Truth { key, at_rest, duplicated, user_send, sched, kernel_send, snd, dom0_send, .. } = truth;
            let later = [truth.wire_send, truth.wire_recv, truth.dom0_recv, truth.kernel_recv, truth.user_recv];
            let flags = format!("{},{}", u8::from(*at_rest), u8::from(*duplicated));
            text += &format!("{},{},{flags},{user_send},{sched},{kernel_send},{snd},{dom0_send}", key.ident, key.seq);
            text += &format!(",{}\n", later.map(number).join(","));
        }
        text
    }
}
