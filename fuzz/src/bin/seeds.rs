//! Writes the seeds: `seeds FOLDER` makes `FOLDER/TARGET/NAME` for the targets that would be long in finding the way into
//! a format by themselves. All of it is made here, from no capture of anybody.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use erf::ext::{FlowId, FlowStack, HashType, HostId};
use erf::filter::{Compiler, Filter, FilterOptions, Program};
use erf::pcap::LinkType;
use erf::session::{Account, Closing, InterfaceInfo, Opening, StoppedBy, StreamInfo};
use erf::{ExtHeader, Flags, Record, RecordBuilder, RecordType, Tick, Timestamp, pcap, pcapng};

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("seeds"), PathBuf::from);
    let to = |target: &'static str| Target { folder: folder.join(target) };

    let records = records();
    for (name, record) in &records {
        to("header_chain").write(name, record)?;
    }
    let file: Vec<u8> = records.iter().flat_map(|(_, record)| record.clone()).collect();
    to("detect").write("erf", &file)?;

    let opening = opening();
    let closing = closing();
    for (name, record) in [("opening", &opening), ("closing", &closing)] {
        let area = Record::parse(record).expect("a META record").payload();
        to("meta").write(name, area)?;
        to("session").write(name, area)?;
    }

    let mut damaged = file.clone();
    damaged[10..12].copy_from_slice(&[0, 3]);
    let zeros = [&file[..], &[0; 100]].concat();
    for (name, bytes) in [("good", &file), ("damaged", &damaged), ("zeros", &zeros)] {
        // Recovery off and on; pieces of 92 bytes.
        to("walk").write(name, &[&[0, 13], &bytes[..]].concat())?;
        to("walk").write(format!("{name}-recover"), &[&[1, 13], &bytes[..]].concat())?;
    }

    for (name, bytes) in [("good", &file), ("damaged", &damaged), ("zeros", &zeros)] {
        // Recovery off and on; the smallest chunks.
        to("pieces").write(name, &[&[0], &bytes[..]].concat())?;
        to("pieces").write(format!("{name}-recover"), &[&[1], &bytes[..]].concat())?;
    }

    let packets = packets(&file).map_err(io::Error::other)?;
    for (name, bytes) in packets {
        let target = if name.starts_with("pcapng") { "pcapng" } else { "pcap" };
        to(target).write(name, &bytes)?;
        to("detect").write(name, &bytes)?;
        to("reader").write(name, &[&[0, 255], &bytes[..]].concat())?;
    }
    to("reader").write("erf", &[&[0, 255], &file[..]].concat())?;
    to("lossless").write("erf", &file)?;
    to("reader").write("damaged", &[&[3, 7], &damaged[..]].concat())?;
    for (name, bytes) in compressed(&file)? {
        to("detect").write(name, &bytes)?;
        to("reader").write(name, &[&[0, 255], &bytes[..]].concat())?;
    }

    for (n, text) in SPECS.iter().enumerate() {
        to("spec").write(n.to_string(), text.as_bytes())?;
    }
    for (n, text) in EXPRESSIONS.iter().enumerate() {
        to("filter_expression").write(n.to_string(), &[text.as_bytes(), b"\n", &PAYLOAD].concat())?;
        for program in Filter::new(text, common()).iter().flat_map(|filter| filter.program(LinkType::ETHERNET)) {
            to("filter_program").write(n.to_string(), &[&raw(program)[..], &PAYLOAD].concat())?;
        }
    }
    Ok(())
}

/// Filters without libpcap, so that seeds are the same everywhere.
fn common() -> FilterOptions {
    let mut options = FilterOptions::default();
    options.compiler = Compiler::Own;
    options
}

/// A program as the target takes it.
fn raw(program: &Program) -> Vec<u8> {
    let mut bytes = vec![program.instructions().len() as u8];
    for one in program.instructions() {
        bytes.extend(one.code.to_le_bytes());
        bytes.extend([one.jt, one.jf]);
        bytes.extend(one.k.to_le_bytes());
    }
    bytes
}

const EXPRESSIONS: [&str; 10] = [
    "udp port 53",
    "host 10.0.0.1 or 10.0.0.2 and not net 192.168.0.0/16",
    "ip6 src net 2001:db8::/32",
    "vlan 5 and (tcp or icmp6)",
    "tcp src portrange 1-1024 or 8080",
    r"ether proto \arp or ether host 02:00:00:00:00:01",
    "not (less 60 || len > 0x40 && ip proto 17)",
    "src or dst port (80 or not 443)",
    "net 10.0 mask 255.255.0.0",
    "mpls 5",
];

struct Target {
    folder: PathBuf,
}

impl Target {
    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.folder.join(name), bytes)
    }
}

const SPECS: [&str; 14] = [
    "dag0",
    "/dev/dag3:2",
    "dag:0@0",
    "emu:lab-1",
    "emu:synthetic=imix,rate=2Mpps,streams=2,drift=-350,tick=32,offset=1ms",
    "synthetic=64-1518,rate=10Gbps,count=1000000,seed=7,memory=1GiB",
    "replay=old.pcapng,pace=x2.5,loop=forever,snaplen=96,varlen=off",
    r"replay=a\,b\\c.erf,pace=max",
    "emu:tap=eth1+lab/eth2,ports=2",
    "rx-error+truncate:0.01+burst:1/50000",
    "64MiB",
    "-350ns",
    "10s",
    "synthetic,faults=pad+meta:0.5+link-down+bad-length:1e-6",
];

const PAYLOAD: [u8; 60] = [
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, // Ethernet
    0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
    0, 9, 0, 9, 0, 26, 0, 0, // UDP
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
];

fn stamp(n: u32) -> Timestamp {
    Timestamp::from_parts(1_700_000_000, n << 20)
}

/// Records of many types.
fn records() -> Vec<(&'static str, Vec<u8>)> {
    let flow = FlowId {
        source_id: 3,
        inner: false,
        hash_type: HashType::from_u8(1),
        stack: FlowStack::from_u8(2),
        flow_hash: 0x12345,
    };
    let chain = [ExtHeader::from(flow), HostId { source_id: 3, host_id: 0x0200_0000_0001 }.into()];
    let record = |record_type| RecordBuilder::new(record_type).timestamp(stamp(1)).payload(&PAYLOAD[14..]);
    let built = [
        ("eth", record(RecordType::ETH).payload(&PAYLOAD).append_fcs().interface(1)),
        ("eth-snapped", record(RecordType::ETH).payload(&PAYLOAD).wire_len(1518).lctr(7)),
        ("eth-chain", record(RecordType::ETH).payload(&PAYLOAD).append_fcs().ext_headers(&chain)),
        ("eth-error", record(RecordType::ETH).payload(&PAYLOAD).flags(Flags::from_bits(0x14))),
        ("color-eth", record(RecordType::COLOR_ETH).payload(&PAYLOAD).append_fcs().lctr(0xC010)),
        ("hdlc", record(RecordType::HDLC_POS)),
        ("atm", record(RecordType::ATM)),
        ("aal2", record(RecordType::AAL2).sub_header([1, 2, 3, 4])),
        ("mc-hdlc", record(RecordType::MC_HDLC).sub_header([0, 0x10, 0, 5])),
        ("ipv4", record(RecordType::IPV4)),
        ("infiniband", record(RecordType::INFINIBAND)),
        ("pad", RecordBuilder::new(RecordType::PAD).timestamp(stamp(2))),
    ];
    built.map(|(name, builder)| (name, builder.to_vec().expect("a short record"))).into()
}

fn opening() -> Vec<u8> {
    let mut opening = Opening::new(stamp(0));
    opening.generated = stamp(0);
    opening.host.name = "host7".to_owned();
    opening.card.device = "emu".to_owned();
    opening.card.emulated = true;
    opening.card.tick = Some(Tick::DAG);
    opening.snaplen = Some(96);
    opening.filter = Some("port 0".to_owned());
    opening.fcs_bits = Some(32);
    opening.interfaces = vec![InterfaceInfo::new(0, "dag0.a"), InterfaceInfo::new(1, "dag0.b")];
    opening.streams = vec![StreamInfo::new(0)];
    opening.to_bytes().expect("a short record")
}

fn closing() -> Vec<u8> {
    let mut account = Account::default();
    (account.received, account.delivered, account.lost_card) = (12, 10, 2);
    (account.first, account.last) = (Some(stamp(1)), Some(stamp(2)));
    account.stopped_by = StoppedBy::Signal;
    let mut closing = Closing::new(stamp(0), stamp(3), account);
    closing.generated = stamp(3);
    closing.to_bytes().expect("a short record")
}

/// The packets among the records as files of the relatives.
fn packets(file: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>, erf::Error> {
    let mut files = Vec::new();
    let mut erf_inside = pcap::WriterOptions::default();
    erf_inside.packets.encapsulation = erf::convert::Encapsulation::Erf;
    for (name, options) in [("pcap", pcap::WriterOptions::default()), ("pcap-erf", erf_inside)] {
        let mut writer = pcap::Writer::new(Vec::new(), options);
        for record in erf::Records::new(file).flatten() {
            writer.write_record(&record)?;
        }
        files.push((name, writer.finish()?));
    }
    let mut writer = pcapng::Writer::new(Vec::new(), pcapng::WriterOptions::default());
    for record in erf::Records::new(file).flatten() {
        writer.write_record(&record)?;
    }
    files.push(("pcapng", writer.finish()?));
    Ok(files)
}

fn compressed(file: &[u8]) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(file)?;
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(file)?;
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1))?;
    xz.write_all(file)?;
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(file)?;
    let zstd = ruzstd::encoding::compress_to_vec(file, ruzstd::encoding::CompressionLevel::Fastest);
    Ok(vec![
        ("gzip", gzip.finish()?),
        ("bzip2", bzip2.finish()?),
        ("xz", xz.finish()?),
        ("lz4", lz4.finish().map_err(io::Error::other)?),
        ("zstd", zstd),
    ])
}
