//! Opening, closing and account as others see them: round trips, damage, and Wireshark as the judge.

use std::fs;
use std::process::Command;

use erf_core::meta::{Meta, SectionType, TagType};
use erf_core::{MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Records, Tick, Timestamp};
use house_skip::skip;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::opening::EMULATED_COMMENT;
use super::*;
use crate::writer::ErfWriter;

const START: Timestamp = Timestamp::from_parts(1_700_000_000, 0x8000_0000);

fn full_opening() -> Opening {
    Opening {
        timestamp: START,
        generated: Timestamp::from_parts(1_700_000_100, 0),
        host: HostInfo { name: "probe7".into(), os: Some("Linux 6.1.0".into()), model: Some("rack server".into()) },
        card: CardInfo {
            device: "dag0:2".into(),
            model: Some("DAG 9.2X2".into()),
            serial: Some("3107".into()),
            firmware: Some("v7".into()),
            number: Some(3),
            tick: Tick::new(26),
            stamp_source: Some(StampSource::Card),
            stamp_error_ns: Some(15),
            emulated: false,
            memory: Some(5 << 30),
            clock: clock::tests::clock(),
        },
        application: Application::new("dagcap", "0.1.0"),
        snaplen: Some(96),
        filter: Some("port 0".into()),
        fcs_bits: Some(32),
        interfaces: vec![
            InterfaceInfo {
                number: 0,
                name: "port 0".into(),
                descr: Some("towards the target".into()),
                mac: Some([0, 0x0E, 0xA7, 1, 2, 3]),
                speed: Some(10_000_000_000),
                link_up: Some(true),
            },
            InterfaceInfo { link_up: Some(false), ..InterfaceInfo::new(1, "port 1") },
        ],
        streams: vec![StreamInfo { number: 2, memory: Some(64 << 20), snaplen: Some(96) }],
        comment: Some("first light".into()),
    }
}

fn emulated_opening() -> Opening {
    let mut opening = full_opening();
    opening.card = CardInfo {
        device: "emu:tap=veth0".into(),
        tick: Tick::new(32),
        stamp_source: Some(StampSource::Kernel),
        stamp_error_ns: Some(20_000),
        emulated: true,
        ..CardInfo::default()
    };
    opening
}

fn full_account() -> Account {
    Account {
        received: 100,
        delivered: 60,
        lost_card: 25,
        lost_writer: 5,
        filtered: 10,
        loss_exact: false,
        truncated: 1,
        rx_errors: 2,
        ds_errors: 3,
        unread: 4,
        bytes_written: 0,
        first: Some(Timestamp::from_raw(START.raw() + 1)),
        last: Some(Timestamp::from_raw(START.raw() + 0xFFFF_FFFF)),
        tick_bits: 32,
        clock_synchronised: Some(false),
        stopped_by: StoppedBy::Signal,
    }
}

fn only(bytes: &[u8]) -> Record<'_> {
    let record = Record::parse(bytes).unwrap();
    assert_eq!(record.bytes().len(), bytes.len(), "one record");
    record
}

fn packet(interface: u8, seconds: u32) -> Vec<u8> {
    let mut buf = [0; 128];
    let mut frame = [0x11; 60];
    frame[12..14].copy_from_slice(&[0x08, 0x06]);
    let len = RecordBuilder::new(RecordType::ETH)
        .timestamp(Timestamp::from_parts(START.secs() + seconds, 0))
        .interface(interface)
        .payload(&frame)
        .append_fcs()
        .write_to(&mut buf)
        .unwrap();
    buf[..len].to_vec()
}

/// Opening, two packets, closing, as `ErfWriter` writes them; and the account it reports.
fn recording(opening: &Opening) -> (Vec<u8>, Account) {
    let mut writer = ErfWriter::new(Vec::new());
    opening.write_to(&mut writer).unwrap();
    writer.write_records(&packet(0, 1)).unwrap();
    writer.write_records(&packet(1, 2)).unwrap();
    let closing = Closing::new(opening.timestamp, Timestamp::from_parts(START.secs() + 3, 0), full_account());
    let account = closing.write_to(&mut writer).unwrap();
    (writer.finish().unwrap(), account)
}

#[test]
fn the_account_in_the_file_is_the_one_reported_and_counts_every_byte() {
    // Around each power of ten the record that states the size changes its own.
    for packets in 0..2000 {
        let mut writer = ErfWriter::new(Vec::new());
        writer
            .write_run(&[0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(packets), 0)
            .unwrap();
        let closing = Closing::new(START, START, full_account());
        let account = closing.write_to(&mut writer).unwrap();
        let file = writer.finish().unwrap();
        assert_eq!(account.bytes_written, file.len() as u64);
        let record = only(&file[packets * 24..]);
        assert_eq!(Account::from_meta(&record), Some(account));
        assert_eq!(Account { bytes_written: 0, ..account }, full_account());
    }
}

#[test]
fn the_account_uses_the_tags_of_the_format_where_they_say_the_same() {
    let bytes = Closing::new(START, START, full_account()).to_bytes().unwrap();
    let record = only(&bytes);
    let meta = Meta::new(record.payload());
    let value = |tag| meta.value(SectionType::STATISTICS, tag).and_then(|value| value.as_u64());
    assert_eq!(value(TagType::STAT_FRAMES), Some(100));
    assert_eq!(value(TagType::STAT_CAP), Some(60));
    assert_eq!(value(TagType::STAT_DROP), Some(25));
    assert_eq!(value(TagType::STAT_FILTER_DROP), Some(10));
    assert_eq!(value(TagType::STAT_RX_ERROR), Some(2));
    let statistics = meta.sections().find(|section| section.is(SectionType::STATISTICS)).unwrap();
    assert_eq!(statistics.parent().unwrap().section_type, SectionType::CAPTURE);
}

#[test]
fn a_full_opening_is_one_record_and_reads_back() {
    let opening = full_opening();
    let bytes = opening.to_bytes().unwrap();
    let record = only(&bytes);
    assert_eq!(record.timestamp(), START);
    assert!(!record.has_ext_headers(), "no Host ID: the implicit host stays what it is");
    assert_eq!(Opening::from_record(&record), Some(opening));
}

#[test]
fn every_tick_reads_back() {
    for bits in 0..=32 {
        let mut opening = full_opening();
        opening.card.tick = Tick::new(bits);
        let bytes = opening.to_bytes().unwrap();
        assert_eq!(Opening::from_record(&only(&bytes)).unwrap().card.tick, Tick::new(bits));
    }
}

#[test]
fn an_emulated_card_cannot_be_taken_for_a_real_one() {
    let bytes = emulated_opening().to_bytes().unwrap();
    let record = only(&bytes);
    let meta = Meta::new(record.payload());
    let model = |section| meta.value(section, TagType::MODEL).and_then(|value| value.as_str());
    assert_eq!(model(SectionType::HOST), Some("dag-emu (emulated card)"));
    assert_eq!(model(SectionType::MODULE), Some("dag-emu (emulated card)"));
    let comment = meta.value(SectionType::CAPTURE, TagType::COMMENT).and_then(|value| value.as_str());
    assert!(comment.unwrap().starts_with("emulated card"));
    let read = Opening::from_record(&record).unwrap();
    assert!(read.card.emulated);
    assert_eq!(read.comment.as_deref(), Some("first light"), "the remark is not lost behind ours");
    assert_eq!(read.card.tick, Some(Tick::FINEST));
}

#[test]
fn damage_to_the_mark_counts_as_emulated() {
    let bytes = full_opening().to_bytes().unwrap();
    let at = bytes.windows(14).position(|window| window == b"emulated=false").unwrap();
    let mut damaged = bytes.clone();
    damaged[at + 9] = b'F';
    assert!(Opening::from_record(&only(&damaged)).unwrap().card.emulated);
    damaged[at] = b'x';
    assert!(Opening::from_record(&only(&damaged)).unwrap().card.emulated);
}

#[test]
fn what_one_record_cannot_hold_goes_on_in_another() {
    let mut opening = full_opening();
    opening.interfaces = (0..=255)
        .map(|number| InterfaceInfo { descr: Some("d".repeat(5000)), ..InterfaceInfo::new(number, "n".repeat(600)) })
        .collect();
    let bytes = opening.to_bytes().unwrap();
    let records: Vec<_> = Records::new(&bytes).map(Result::unwrap).collect();
    assert!(records.len() > 2 && bytes.len() > 2 * MAX_RECORD_LEN, "{} records", records.len());
    for record in &records {
        let meta = Meta::new(record.payload());
        assert!(meta.defect().is_none());
        let mut ports = meta.sections().filter(|s| s.is(SectionType::INTERFACE) || s.is(SectionType::STREAM));
        assert!(ports.all(|section| section.parent().unwrap().section_type == SectionType::MODULE));
    }
    let (first, more) = records.split_first().unwrap();
    let mut read = Opening::from_record(first).unwrap();
    for record in more {
        assert_eq!(Opening::from_record(record), None, "one beginning");
        assert!(read.continue_with(record));
    }
    for interface in &mut opening.interfaces {
        interface.descr = Some("d".repeat(1024));
    }
    assert_eq!(read, opening);
    let closing = Closing::new(START, START, full_account()).to_bytes().unwrap();
    assert!(!read.continue_with(&only(&closing)));
}

#[test]
fn only_a_file_that_ends_with_its_closing_record_ended_cleanly() {
    let (file, account) = recording(&full_opening());
    let records: Vec<_> = Records::new(&file).map(|record| record.unwrap().bytes()).collect();
    let [opening, first, second, closing] = records[..] else { panic!("{} records", records.len()) };
    let ending = |parts: &[&[u8]]| {
        let mut watch = EndWatch::new();
        for record in Records::new(&parts.concat()) {
            match record {
                Ok(record) => watch.observe(&record),
                Err(_) => watch.observe_defect(),
            }
        }
        watch.ending()
    };
    assert_eq!(ending(&[&file]), Ending::Closed(account));
    assert_eq!(ending(&[opening]), Ending::Open);
    assert_eq!(ending(&[opening, first, second]), Ending::Open);
    assert_eq!(ending(&[opening, first, &second[..30]]), Ending::Open, "torn");
    assert_eq!(
        ending(&[opening, first, second, &closing[..closing.len() - 1]]),
        Ending::Open,
        "torn in the closing record"
    );
    assert_eq!(ending(&[first, second]), Ending::Unmarked);
    assert_eq!(ending(&[]), Ending::Unmarked);
    assert_eq!(ending(&[&file, &file]), Ending::Closed(account), "concatenated");
    assert_eq!(ending(&[&file, opening, first]), Ending::Open, "a second recording that was killed");
    assert_eq!(ending(&[&file, first]), Ending::Unmarked, "packets from elsewhere behind the end");
    assert_eq!(ending(&[&file, &first[..20]]), Ending::Unmarked, "torn bytes behind the end");
    let mut pad = [0; 16];
    RecordBuilder::new(RecordType::PAD).write_to(&mut pad).unwrap();
    assert_eq!(ending(&[&file, &pad]), Ending::Closed(account));
    assert!(ended_cleanly(Records::new(&file)));
    assert!(!ended_cleanly(Records::new(&file[..file.len() - closing.len()])));
}

#[test]
fn meta_records_of_others_say_nothing_about_the_end() {
    let Some(path) = house_skip::sample("libtrace-provenance.erf") else { return };
    let file = fs::read(path).unwrap();
    let mut watch = EndWatch::new();
    for record in Records::new(&file) {
        watch.observe(&record.unwrap());
    }
    assert_eq!(watch.ending(), Ending::Unmarked);
}

prop_compose! {
    fn any_account()(
        numbers in any::<[u64; 10]>(),
        first in option::of(any::<u64>()),
        last in option::of(any::<u64>()),
        loss_exact: bool,
        tick_bits: u8,
        clock_synchronised: Option<bool>,
        stopped_by in proptest::sample::select(StoppedBy::ALL),
    ) -> Account {
        let [received, delivered, lost_card, lost_writer, filtered, truncated, rx_errors, ds_errors, unread, bytes_written] = numbers;
        Account {
            received, delivered, lost_card, lost_writer, filtered, loss_exact, truncated, rx_errors, ds_errors, unread,
            bytes_written, first: first.map(Timestamp::from_raw), last: last.map(Timestamp::from_raw), tick_bits,
            clock_synchronised, stopped_by,
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    "[^\u{0}]{1,60}"
}

prop_compose! {
    fn any_interface()(
        number: u8, name in any_text(), descr in option::of(any_text()), mac: Option<[u8; 6]>, speed: Option<u64>,
        link_up: Option<bool>,
    ) -> InterfaceInfo {
        InterfaceInfo { number, name, descr, mac, speed, link_up }
    }
}

prop_compose! {
    fn any_card()(
        device in any_text(), texts in any::<[bool; 3]>(), text in any_text(), number: Option<u32>,
        tick in option::of(0u8..=32), stamp_source in option::of(proptest::sample::select(StampSource::ALL)),
        stamp_error_ns: Option<u64>, memory: Option<u64>, clock in clock::tests::any_clock(),
    ) -> CardInfo {
        let [model, serial, firmware] = texts.map(|there| there.then(|| text.clone()));
        let tick = tick.and_then(Tick::new);
        CardInfo {
            device, model, serial, firmware, number, tick, stamp_source, stamp_error_ns, emulated: false, memory, clock,
        }
    }
}

proptest! {
    #[test]
    fn any_account_reads_back(account in any_account(), times in any::<[u64; 3]>(), clock in clock::tests::any_clock()) {
        let [started, ended, generated] = times.map(Timestamp::from_raw);
        let closing = Closing { started, ended, generated, account, clock };
        let bytes = closing.to_bytes().unwrap();
        let record = only(&bytes);
        prop_assert_eq!(record.timestamp(), ended);
        prop_assert_eq!(Closing::from_record(&record), Some(closing));
        prop_assert_eq!(Opening::from_record(&record), None);
    }

    #[test]
    fn any_opening_reads_back(
        times in any::<[u64; 2]>(),
        card in any_card(),
        interfaces in vec(any_interface(), 0..9),
        streams in vec((0u16..=u16::MAX, any::<Option<u64>>(), any::<Option<u32>>()), 0..9),
        texts in any::<[bool; 4]>(),
        text in any_text(),
        snaplen: Option<u32>,
        fcs_bits: Option<u32>,
    ) {
        let [os, model, filter, comment] = texts.map(|there| there.then(|| text.clone()));
        let opening = Opening {
            timestamp: Timestamp::from_raw(times[0]),
            generated: Timestamp::from_raw(times[1]),
            host: HostInfo { name: text.clone(), os, model },
            card,
            application: Application::new(text.clone(), text.clone()),
            snaplen,
            filter,
            fcs_bits,
            interfaces,
            streams: streams.into_iter().map(|(number, memory, snaplen)| StreamInfo { number, memory, snaplen }).collect(),
            comment,
        };
        let bytes = opening.to_bytes().unwrap();
        prop_assert_eq!(Opening::from_record(&only(&bytes)), Some(opening));
    }

    /// Damage anywhere in a recording never panics and never turns into another account that claims to add up.
    #[test]
    fn damaged_records_are_read_or_refused(at in 0usize..2000, value: u8) {
        let (mut file, _) = recording(&full_opening());
        let at = at % file.len();
        file[at] = value;
        let mut watch = EndWatch::new();
        for record in Records::new(&file).flatten() {
            watch.observe(&record);
            if let Some(mut opening) = Opening::from_record(&record) {
                opening.continue_with(&record);
            }
        }
    }
}

// Wireshark as the judge

/// What `tshark` or `capinfos` says about a file; `None` where it is not there.
fn wireshark(program: &str, args: &[&str], file: &[u8]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.erf");
    fs::write(&path, file).unwrap();
    let run = Command::new(program).args(args).arg(&path).env("TZ", "UTC").output().ok()?;
    assert!(run.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&run.stderr));
    Some(String::from_utf8(run.stdout).unwrap())
}

#[test]
fn wireshark_shows_opening_and_account_as_meant() {
    let (file, account) = recording(&emulated_opening());
    let Some(said) = wireshark("tshark", &["-V", "-r"], &file) else { return skip("no program `tshark`") };
    let bytes_written = format!("Attribute: bytes_written={}", account.bytes_written);
    let comment = format!("Comment: {EMULATED_COMMENT}; first light");
    for line in [
        // Opening
        "Metadata Generation Time: Nov 14, 2023 22:15:00.000000000 UTC",
        "Start Time: Nov 14, 2023 22:13:20.500000000 UTC",
        "Application Name: dagcap",
        "Application Version: 0.1.0",
        "Snap Length: 96",
        "Filter: port 0",
        "FCS Length (bits): 32",
        &comment,
        "Hostname: probe7",
        "Operating System: Linux 6.1.0",
        "Model: dag-emu (emulated card)",
        "Device Name: emu:tap=veth0",
        "Attribute: tick_bits=32",
        "Attribute: stamp_source=kernel",
        "Attribute: stamp_error_ns=20000",
        "Attribute: emulated=true",
        "Interface MAC address: EndaceTe_01:02:03 (00:0e:a7:01:02:03)",
        "Interface Line Rate: 10 Gbps (10000000000 bps)",
        "Interface Link Status: 1, Link: Up",
        "Interface Link Status: 0, Link: Down",
        "Stream Section 3",
        "Stream Number: 2",
        "Memory: 64 MiB (67108864 bytes)",
        // Closing
        "Parent Section: Capture Section 1",
        "End Time: Nov 14, 2023 22:13:23.000000000 UTC",
        "Packets Received: 100",
        "Packets Captured: 60",
        "Packets Dropped: 25",
        "Filter Drop: 10",
        "Packets RX Error: 2",
        "Attribute: lost_writer=5",
        "Attribute: loss_exact=false",
        "Attribute: first=0x6553f10080000001",
        "Attribute: stopped_by=signal",
        &bytes_written,
    ] {
        assert!(said.lines().any(|there| there.trim() == line), "no line `{line}` in\n{said}");
    }
    for complaint in ["[incorrect", "Unknown Tag", "Unknown Section"] {
        assert!(!said.contains(complaint), "{complaint} in\n{said}");
    }
    let real = wireshark("tshark", &["-V", "-r"], &recording(&full_opening()).0).unwrap();
    for line in
        ["Timestamp Clock Frequency (Hz): 67108864", "Card Number: 3", "Model: DAG 9.2X2", "Comment: first light"]
    {
        assert!(real.lines().any(|there| there.trim() == line), "no line `{line}` in\n{real}");
    }
}

#[test]
fn wireshark_knows_interfaces_by_the_names_of_the_opening() {
    let mut opening = emulated_opening();
    opening.streams.clear();
    let (file, _) = recording(&opening);
    let fields = ["-Y", "!(erf.types.type == 27)", "-T", "fields", "-e", "frame.interface_name", "-r"];
    let Some(said) = wireshark("tshark", &fields, &file) else { return skip("no program `tshark`") };
    assert_eq!(said.lines().collect::<Vec<_>>(), ["port 0 (ERF Interface 0)", "port 1 (ERF Interface 1)"]);
    let Some(said) = wireshark("capinfos", &["-M"], &file) else { return skip("no program `capinfos`") };
    let line =
        |key: &str| said.lines().find_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix([':', '=']));
    assert_eq!(line("Number of packets").map(str::trim), Some("4"));
    assert_eq!(line("Capture hardware").map(str::trim), Some("dag-emu (emulated card)"));
    assert_eq!(line("Capture oper-sys").map(str::trim), Some("Linux 6.1.0"));
    assert_eq!(line("Capture application").map(str::trim), Some("dagcap 0.1.0"));
    assert!(line("Capture comment").unwrap().trim().starts_with("emulated card"));
    assert_eq!(line("Filter string").map(str::trim), Some("port 0"));
    assert_eq!(line("Capture length").map(str::trim), Some("96"));
}
