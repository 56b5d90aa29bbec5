//! `erf split`: all parts or none, and names that stay in their folder.

use std::fs;
use std::path::Path;

use erf::writer::ErfWriter;
use erf::{Record, RecordBuilder, RecordType, Timestamp};
use house_skip::need_program;
use house_tests::judge::capinfos;
use house_tests::run::{Ran, erf, run};

/// Packets, a second apart from 2023-11-14T22:13:20Z on, by turns of interface 0 and 1.
fn file(dir: &Path, name: &str, packets: u32) -> Vec<u8> {
    let mut writer = ErfWriter::new(fs::File::create(dir.join(name)).expect("a file"));
    for number in 0..packets {
        let stamp = Timestamp::from_parts(1_700_000_000 + number, 0);
        let builder = RecordBuilder::new(RecordType::ETH).timestamp(stamp).interface(number as u8 % 2);
        let record = builder.payload(&[7; 60]).append_fcs().to_vec().expect("a record");
        writer.write_record(&Record::parse(&record).expect("a record")).expect("it is written");
    }
    writer.finish().expect("it is written");
    fs::read(dir.join(name)).expect("the file")
}

fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

/// Everything in a folder, hidden files too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn parts_are_all_there_or_none_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", 30);

    // The last name is one that is taken.
    fs::create_dir(dir.join("taken")).expect("a folder");
    fs::write(dir.join("taken/in-00005.erf"), "theirs").expect("a file");
    erf_in(dir, "split in.erf --out-dir taken --count 5")
        .exits(2)
        .says("in-00005.erf: exists already and was not touched");
    assert_eq!(names(&dir.join("taken")), ["in-00005.erf"]);
    assert_eq!(fs::read(dir.join("taken/in-00005.erf")).expect("it is there"), b"theirs");

    // Two parts of one name are found before what has that name is replaced.
    fs::write(dir.join("taken/22.erf"), "theirs").expect("a file");
    let ran = erf_in(dir, "split in.erf --out-dir taken --count 5 --force --template %H.erf").exits(2);
    ran.says("gives parts 0 and 1 one name");
    assert_eq!(fs::read(dir.join("taken/22.erf")).expect("it is there"), b"theirs");
    fs::remove_file(dir.join("taken/22.erf")).expect("it is there");
    // By a link as well.
    std::os::unix::fs::symlink("in-00005.erf", dir.join("taken/in-00001.erf")).expect("a link");
    erf_in(dir, "split in.erf --out-dir taken --count 5 --force").exits(2).says("one name");
    assert_eq!(fs::read(dir.join("taken/in-00005.erf")).expect("it is there"), b"theirs");

    // The input breaks in the middle in a way that ends the run: 201 sources.
    let mut many = Vec::new();
    for host in 1..=201u64 {
        let headers = [erf::core::ext::HostId { source_id: 0, host_id: host }.into()];
        let record = RecordBuilder::new(RecordType::ETH)
            .ext_headers(&headers)
            .payload(&[7; 60])
            .timestamp(Timestamp::from_parts(1_700_000_000, 0));
        many.extend(record.to_vec().expect("a record"));
    }
    fs::write(dir.join("many.erf"), many).expect("a file");
    erf_in(dir, "split many.erf --out-dir many --by source").exits(2).says("more than 200 sources");
    assert!(!dir.join("many").exists());

    erf_in(dir, "split in.erf --out-dir many.erf --count 5").exits(2).says("many.erf is no folder");
    erf_in(dir, "split in.erf --out-dir new --count 5").exits(0).says("6 parts written");
    assert_eq!(names(&dir.join("new")).len(), 6);
}

#[test]
fn more_parts_than_files_may_be_open_are_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let whole = file(dir, "in.erf", 210);
    erf_in(dir, "split in.erf --out-dir parts --count 1").exits(0).says("210 parts written");
    let parts = names(&dir.join("parts"));
    assert_eq!(parts.len(), 210);
    let read = |name: &String| fs::read(dir.join("parts").join(name)).expect("a part");
    assert_eq!(parts.iter().flat_map(read).collect::<Vec<u8>>(), whole);
    // All are replaced, and nothing else is left.
    erf_in(dir, "split in.erf --out-dir parts --count 1 --force").exits(0);
    assert_eq!(names(&dir.join("parts")), parts);
    // The very last name is taken: none of the others appears.
    fs::create_dir(dir.join("taken")).expect("a folder");
    fs::write(dir.join("taken/in-00209.erf"), "theirs").expect("a file");
    erf_in(dir, "split in.erf --out-dir taken --count 1").exits(2);
    assert_eq!(names(&dir.join("taken")), ["in-00209.erf"]);
}

#[test]
fn names_stay_in_the_folder_and_say_what_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", 4);
    for (options, words) in [
        ("--count 2 --template ../x{n}", "--out-dir"),
        ("--count 2 --template /tmp/x{n}", "--out-dir"),
        ("--count 2 --template x{n}{foo}", "{foo}, which is none of {name}, {number}, {interface}, {host}, {source}"),
        ("--count 2 --template x{interface}", "--by interface"),
        ("--every 2s --template %D", "/ in it"),
    ] {
        erf_in(dir, &format!("split in.erf --out-dir parts {options}")).exits(2).says(words);
        assert_eq!(names(dir), ["in.erf"], "{options}");
    }
    erf_in(dir, "split in.erf --out-dir parts --every 2s --to pcap").exits(0);
    assert_eq!(names(&dir.join("parts")), ["in-20231114T221320Z.pcap", "in-20231114T221322Z.pcap"]);
    if need_program("capinfos") {
        assert_eq!(capinfos(&dir.join("parts/in-20231114T221322Z.pcap")).packets, 2);
    }
    fs::rename(dir.join("in.erf"), dir.join("in.erf.gz")).expect("it is there");
    erf_in(dir, "split in.erf.gz --out-dir ports --by interface --to pcapng").exits(0);
    assert_eq!(names(&dir.join("ports")), ["in-if0.pcapng", "in-if1.pcapng"]);
}
