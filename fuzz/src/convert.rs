//! Packets to records and back, and whole files.

use std::io::Cursor;

use arbitrary::{Arbitrary, Unstructured};
use erf::convert::{Encapsulation, FcsPolicy, FcsRule, Hdlc, PacketOptions, RecordOptions, ToRecord, to_packet};
use erf::input::Source;
use erf::pcap::{LinkType, Packet, Packets};
use erf::{MAX_RECORD_LEN, Record, Records, Timestamp, pcap, pcapng};

use crate::record;

#[derive(Arbitrary, Debug)]
struct Input {
    interface: u16,
    link_type: u8,
    timestamp: Option<u64>,
    captured: Vec<u8>,
    more_on_the_wire: u16,
    fcs_len: Option<u8>,
    drop_count: Option<u64>,
    flags: Option<u32>,
    no_fcs: bool,
    alignment: u8,
    choice: u8,
    records: Vec<u8>,
}

const LINK_TYPES: [LinkType; 8] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::C_HDLC,
    LinkType::PPP_HDLC,
    LinkType::INFINIBAND,
    LinkType::ERF,
];

/// A packet survives the way into a record and back, and records the way into a file and back.
pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    packet(&input);
    let records: Vec<Record<'_>> = Records::new(&input.records).flatten().collect();
    let options = packet_options(input.choice);
    classic(&records, options);
    next_generation(&records, options);
}

fn packet(input: &Input) {
    let link_type = LINK_TYPES[usize::from(input.link_type) % LINK_TYPES.len()];
    let mut packet = Packet::new(link_type, &input.captured);
    packet.interface = input.interface.into();
    packet.timestamp = input.timestamp.map(Timestamp::from_raw);
    packet.original_len += u32::from(input.more_on_the_wire);
    packet.fcs_len = input.fcs_len;
    packet.drop_count = input.drop_count;
    packet.flags = input.flags;
    let mut options = RecordOptions::default();
    options.fcs = if input.no_fcs { FcsRule::None } else { FcsRule::Append };
    options.alignment = 1 << (input.alignment % 16);
    options.cut = input.alignment & 16 != 0;
    let mut buffer = vec![0; MAX_RECORD_LEN];
    let Ok(len) = ToRecord::new(options).write(&packet, &mut buffer) else { return };
    let record = Record::parse(&buffer[..len]).expect("a converted packet is a record");
    record::consistent(&record);
    if link_type == LinkType::ERF {
        return;
    }
    // Whether `wlen` counts an FCS that the packet does not have.
    let appended = link_type == LinkType::ETHERNET && !input.no_fcs && !matches!(packet.fcs_len, Some(1..));
    let mut back = PacketOptions::default();
    back.fcs = if appended { FcsPolicy::Strip } else { FcsPolicy::Absent };
    let again = to_packet(&record, &back).expect("a packet's record is a packet");
    assert_eq!(again.original_len, packet.original_len);
    let captured = again.parts().concat();
    // Alignment may cut a snapped packet where that is asked for, and only that.
    let cut = if packet.is_snapped() && options.cut { usize::from(options.alignment) } else { 1 };
    assert!(captured.len() <= packet.captured.len() && captured.len() + cut > packet.captured.len());
    assert_eq!(captured, packet.captured[..captured.len()]);
    assert!(packet.timestamp.is_none_or(|stamp| stamp == record.timestamp()));
}

fn packet_options(choice: u8) -> PacketOptions {
    let mut options = PacketOptions::default();
    options.encapsulation = if choice & 1 == 0 { Encapsulation::Native } else { Encapsulation::Erf };
    options.fcs = [FcsPolicy::Strip, FcsPolicy::Keep, FcsPolicy::Absent][usize::from(choice >> 1 & 3) % 3];
    options.hdlc =
        [Hdlc::Guess, Hdlc::Cisco, Hdlc::Ppp, Hdlc::FrameRelay, Hdlc::Mtp2][usize::from(choice >> 3 & 7) % 5];
    options.hdlc_fcs_len = [0, 2, 4][usize::from(choice >> 6) % 3];
    options
}

fn classic(records: &[Record<'_>], packets: PacketOptions) {
    let mut options = pcap::WriterOptions::default();
    options.packets = packets;
    let mut writer = pcap::Writer::new(Vec::new(), options);
    for record in records {
        writer.write_record(record).expect("memory can be written to");
    }
    let written = writer.written();
    let only = writer.link_type();
    let file = writer.finish().expect("memory can be written to");
    let expected = records.iter().filter_map(|record| to_packet(record, &packets).ok());
    let expected: Vec<_> = expected.filter(|packet| Some(packet.link_type) == only).collect();
    assert_eq!(expected.len() as u64, written);
    read_back(file, &expected);
}

fn next_generation(records: &[Record<'_>], packets: PacketOptions) {
    let mut options = pcapng::WriterOptions::default();
    options.packets = packets;
    let mut writer = pcapng::Writer::new(Vec::new(), options);
    for record in records {
        writer.write_record(record).expect("memory can be written to");
    }
    let written = writer.written();
    let file = writer.finish().expect("memory can be written to");
    let expected: Vec<_> = records.iter().filter_map(|record| to_packet(record, &packets).ok()).collect();
    assert_eq!(expected.len() as u64, written);
    read_back(file, &expected);
}

fn read_back(file: Vec<u8>, expected: &[erf::convert::WirePacket<'_>]) {
    let mut reader = match Packets::open(Source::from_read(Cursor::new(file))) {
        Ok(reader) => reader,
        Err(error) => return assert!(expected.is_empty(), "{error}"),
    };
    for packet in expected {
        let read = reader.next_packet().expect("the file is good").expect("a packet that was written");
        assert_eq!(read.captured, packet.parts().concat());
        assert_eq!((read.link_type, read.original_len), (packet.link_type, packet.original_len));
    }
    assert!(matches!(reader.next_packet(), Ok(None)));
}
