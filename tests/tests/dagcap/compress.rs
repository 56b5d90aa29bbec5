//! Recordings that are compressed: other people's programs decompress them, and they end as well as others.

use std::fs;
use std::path::Path;
use std::process::Command;

use erf::compress::SeekTable;
use erf::input::{Input, Source};
use erf::session::Ending;
use house_skip::need_program;
use house_tests::judge;
use house_tests::run::{dagcap, dagcap_with, erf, number, run, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;

use super::disk::on_a_disk;

/// Formats, with what names end in and who decompresses them.
const FORMATS: [(&str, &str, &str); 3] = [("zstd", "zst", "zstd"), ("lz4", "lz4", "lz4"), ("gzip", "gz", "gzip")];

/// What `program` makes of a file; `None`, and it is said, where it is not installed.
fn theirs(program: &str, file: &Path) -> Option<Vec<u8>> {
    if !need_program(program) {
        return None;
    }
    let done = Command::new(program).arg("-dc").stdin(fs::File::open(file).unwrap()).output().unwrap();
    assert!(done.status.success(), "{program} of {}: {}", file.display(), String::from_utf8_lossy(&done.stderr));
    Some(done.stdout)
}

/// What we make of a file that is whole.
fn ours(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut input = Input::open(Source::from(file)).unwrap();
    assert!(input.compression().is_compressed(), "{}", file.display());
    std::io::copy(&mut input, &mut bytes).unwrap();
    bytes
}

/// Packets of a file in any format.
fn packets(file: &Path) -> u64 {
    let mut packets = 0;
    let mut reader = erf::Reader::open_path(file).unwrap();
    reader.for_each(|item| packets += u64::from(item.unwrap().is_packet())).unwrap();
    packets
}

#[test]
fn other_programs_decompress_every_format() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ending, program) in FORMATS {
        for format in ["erf", "pcap", "pcapng"] {
            let out = dir.path().join(format!("wire.{format}.{ending}"));
            // More than a block, so that there are several units.
            let device = "emu:synthetic=imix,rate=max,count=6000,memory=64MiB";
            let line = format!("--device {device} --format {format} --json --out {}", out.display());
            let ran = dagcap_with(&line).exits(0);
            let json = ran.json();
            let bytes = ours(&out);
            assert_eq!(number(&json, "bytes_written"), out.metadata().unwrap().len(), "{name} {format}");
            assert_eq!(number(&json, "bytes_uncompressed"), bytes.len() as u64, "{name} {format}");
            ran.says(&format!("(of {} before compression)", bytes.len()));
            assert!(number(&json, "bytes_written") < bytes.len() as u64 / 2, "{json}");
            if let Some(theirs) = theirs(program, &out) {
                assert!(theirs == bytes, "{program} has {} bytes, and we {}", theirs.len(), bytes.len());
            }
            if format == "erf" {
                let seen = Seen::in_bytes(&bytes);
                assert!(seen.defects.is_empty(), "{:?}", seen.defects);
                assert_eq!(seen.numbers(), (0..6000).collect::<Vec<_>>());
                assert_eq!(seen.account().bytes_written, bytes.len() as u64, "of itself it knows no other length");
                assert_eq!(seen.pad, 0, "no filler goes through the page cache");
            } else {
                assert_eq!(packets(&out), 6000, "{name} {format}");
            }
            if name == "gzip" && need_program("capinfos") {
                assert!(judge::capinfos(&out).packets >= 6000, "{format}");
            }
        }
    }
}

#[test]
fn every_frame_of_the_seek_table_is_one_by_itself_of_whole_records() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf.zst");
    let device = "emu:synthetic=imix,rate=max,count=12000,memory=64MiB";
    dagcap_with(&format!("--device {device} --compress-threads 3 --out {}", out.display())).exits(0);
    let file = fs::read(&out).unwrap();
    let table = SeekTable::at_end_of(&file).expect("a seek table");
    assert!(table.frames().len() > 3, "{table:?}");
    let mut at = 0;
    let piece = dir.path().join("piece");
    let mut numbers = Vec::new();
    for (stored, content) in table.frames() {
        fs::write(&piece, &file[at..at + *stored as usize]).unwrap();
        at += *stored as usize;
        let Some(bytes) = theirs("zstd", &piece) else { return };
        assert_eq!(bytes.len(), *content as usize);
        let seen = Seen::in_bytes(&bytes);
        assert!(seen.defects.is_empty(), "{:?}", seen.defects);
        numbers.extend(seen.numbers());
    }
    assert_eq!(numbers, (0..12_000).collect::<Vec<_>>());
    assert_eq!(at + table.to_bytes().len(), file.len());
}

#[test]
fn the_option_decides_and_without_it_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let device = "--device emu:synthetic,rate=max,count=100 --quiet";
    dagcap_with(&format!("{device} --compress gzip:9 --out {}", at("wire.erf").display())).exits(0);
    dagcap_with(&format!("{device} --compress none --out {}", at("wire.erf.gz").display())).exits(0);
    assert_eq!(fs::read(at("wire.erf")).unwrap()[..2], [0x1F, 0x8B]);
    assert_eq!(Seen::in_bytes(&fs::read(at("wire.erf.gz")).unwrap()).packets.len(), 100);
    // To a pipe.
    let ran =
        run(dagcap().args("--device emu:synthetic,rate=max,count=100 --compress lz4 --out -".split(' '))).exits(0);
    fs::write(at("piped"), &ran.stdout).unwrap();
    assert_eq!(Seen::in_bytes(&ours(&at("piped"))).packets.len(), 100);
    for (options, why) in [
        ("--compress xz --out x", "none of zstd, lz4, gzip"),
        ("--compress gzip:10 --out x", "levels 1 to 9"),
        ("--compress lz4:2 --out x", "level 1 only"),
        ("--compress gzip --out x.zst", "--compress says gzip"),
        ("--compress zstd --preflight --out x", "cannot be used with"),
        ("--io direct --out x.gz", "what is compressed has no whole blocks"),
    ] {
        let ran = run(dagcap().current_dir(dir.path()).args(format!("{device} {options}").split(' '))).exits(2);
        ran.says(why);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else has been made");
}

#[test]
fn a_recording_of_nothing_is_a_file_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ending, program) in FORMATS {
        let out = dir.path().join(format!("wire.erf.{ending}"));
        let mut running = start(
            dagcap()
                .args("--device emu:synthetic,rate=1pps --no-meta --port 1 --count 5 --json --out".split(' '))
                .arg(&out),
        );
        running.until("there is a file", || out.exists());
        running.signal(Signal::SIGINT);
        running.wait().exits(0);
        assert!(ours(&out).is_empty(), "{name}");
        assert!(theirs(program, &out).is_none_or(|bytes| bytes.is_empty()), "{name}");
    }
}

#[test]
fn what_the_threads_cannot_keep_up_with_is_lost_by_the_card_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let device = "emu:synthetic,rate=max,count=300000,memory=1MiB";
    let line = format!("--device {device} --compress gzip:9 --compress-threads 1 --json --out {}", out.display());
    let json = dagcap_with(&line).json();
    assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("end"), 0), "{json}");
    assert_eq!(number(&json, "received") + number(&json, "lost_after_last"), 300_000, "{json}");
    let seen = Seen::in_bytes(&ours(&out));
    let (lost, stuck) = seen.check_sequence();
    assert!(stuck || lost == number(&json, "lost_card"), "{lost} in the file, {json}");
    assert_eq!(seen.packets.len() as u64, number(&json, "delivered"));
}

#[test]
fn files_of_a_rotated_recording_are_whole_ones() {
    let dir = tempfile::tempdir().unwrap();
    for (format, ending, _) in FORMATS {
        let folder = dir.path().join(format);
        fs::create_dir(&folder).unwrap();
        let line = format!(
            "--device emu:synthetic=imix,rate=20kpps,count=15000 --rotate-size 1500kB --rotate-every 1h --json --out {}/w.erf.{ending}",
            folder.display()
        );
        let json = dagcap_with(&line).json();
        let files: Vec<String> =
            json["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap().to_owned()).collect();
        assert!(files.len() > 3, "{json}");
        let (mut stored, mut content, mut delivered) = (0, 0, 0);
        for (n, file) in files.iter().enumerate() {
            assert!(file.ends_with(&format!("Z-{n:05}.erf.{ending}")), "{file}");
            let bytes = ours(Path::new(file));
            assert!(bytes.len() <= 1_500_000, "{} bytes before compression", bytes.len());
            let seen = Seen::in_bytes(&bytes);
            assert!(seen.defects.is_empty(), "{:?}", seen.defects);
            assert_eq!(seen.account().delivered, seen.packets.len() as u64);
            stored += fs::metadata(file).unwrap().len();
            content += bytes.len() as u64;
            delivered += seen.packets.len() as u64;
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len(), "nothing but complete files");
        assert_eq!((stored, content), (number(&json, "bytes_written"), number(&json, "bytes_uncompressed")), "{json}");
        assert_eq!(delivered, number(&json, "delivered"));
    }
}

#[test]
fn what_is_kept_of_compressed_files_is_counted_as_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!(
        "--device emu:synthetic=imix,rate=20kpps,count=15000 --rotate-size 1MiB --keep 300kB --json --out {}/w.erf.gz",
        dir.path().display()
    );
    let json = dagcap_with(&line).json();
    let made = json["files"].as_array().unwrap().len();
    let kept: Vec<u64> =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).collect();
    // Each is about a tenth of its content: of that, none but the last would be kept.
    assert!(kept.len() > 1 && kept.len() < made, "{} of {made}", kept.len());
    assert!(kept.iter().sum::<u64>() <= 300_000);
}

#[test]
fn a_full_disk_has_whole_units_only() {
    let dir = tempfile::tempdir().unwrap();
    for (format, _, program) in FORMATS {
        for container in ["erf", "pcapng"] {
            let script = format!(
                "fallocate -l $(($(df --output=avail -B1 \"$1\" | tail -1) - 700000)) \"$1/other\" || exit 77
                \"$2\" --device emu:synthetic=imix,rate=max,memory=16MiB --format {container} --compress {format} --json --out \"$1/wire\"; code=$?
                cp \"$1/wire\" \"$1.copy\"; exit $code"
            );
            let Some(ran) = on_a_disk(dir.path(), 16, &script) else { return };
            let ran = ran.exits(2);
            let said = ran.says("No space left on device");
            assert!(said.contains("free some space"), "{said}");
            let json = ran.json();
            let copy = dir.path().join("disk.copy");
            assert_eq!(copy.metadata().unwrap().len(), number(&json, "bytes_written"));
            assert_eq!(
                (json["stopped_by"].as_str(), number(&json, "lost_writer") > 0),
                (Some("error"), true),
                "{json}"
            );
            let bytes = ours(&copy);
            assert_eq!(bytes.len() as u64, number(&json, "bytes_uncompressed"), "{json}");
            assert!(theirs(program, &copy).is_none_or(|theirs| theirs == bytes), "{format}");
            if container == "erf" {
                let seen = Seen::in_bytes(&bytes);
                assert!(seen.defects.is_empty(), "{:?}", seen.defects);
                assert_eq!(seen.ending, Ending::Open, "a recording that did not end by itself");
                assert_eq!(seen.packets.len() as u64, number(&json, "delivered"));
                seen.check_sequence();
            } else {
                assert_eq!(packets(&copy), number(&json, "delivered"));
            }
        }
    }
}

#[test]
fn a_full_disk_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let script = "fallocate -l $(($(df --output=avail -B1 \"$1\" | tail -1) - 300000)) \"$1/other\" || exit 77
        \"$2\" --device emu:synthetic=1518,rate=5kpps,memory=1MiB --on-full wait --compress lz4 --json --out \"$1/wire\" 2>\"$1.said\" & dagcap=$!
        until grep -q 'no room to write' \"$1.said\"; do sleep 0.05; done
        sleep 1; full=$(stat -c %s \"$1/wire\"); rm \"$1/other\"
        until [ $(stat -c %s \"$1/wire\") -gt $((full + 500000)) ]; do sleep 0.05; done
        kill -INT $dagcap; wait $dagcap; code=$?; cat \"$1.said\" >&2; cp \"$1/wire\" \"$1.copy\"; exit $code";
    let Some(ran) = on_a_disk(dir.path(), 16, script) else { return };
    let json = ran.json();
    ran.says("there is room again");
    assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{json}");
    let seen = Seen::in_bytes(&ours(&dir.path().join("disk.copy")));
    assert!(seen.defects.is_empty(), "{:?}", seen.defects);
    let (lost, stuck) = seen.check_sequence();
    assert!(!stuck && lost == number(&json, "lost_card"), "{lost} in the file, {json}");
    assert_eq!(seen.account().delivered, seen.packets.len() as u64);
}

#[test]
fn what_erf_writes_is_compressed_as_its_name_says() {
    let dir = tempfile::tempdir().unwrap();
    let wire = dir.path().join("wire.erf");
    let device = "emu:synthetic=imix,rate=max,count=6000,memory=64MiB";
    dagcap_with(&format!("--device {device} --io buffered --quiet --out {}", wire.display())).exits(0);
    let tell = |args: &str| run(erf("").current_dir(dir.path()).args(args.split(' ')));
    for (_, ending, program) in FORMATS {
        tell(&format!("convert wire.erf copy.erf.{ending}")).exits(0);
        tell(&format!("convert --verify wire.erf out.pcapng.{ending}")).exits(0);
        let copy = dir.path().join(format!("copy.erf.{ending}"));
        assert!(ours(&copy) == fs::read(&wire).unwrap());
        assert!(theirs(program, &copy).is_none_or(|bytes| bytes == fs::read(&wire).unwrap()), "{program}");
        let converted = dir.path().join(format!("out.pcapng.{ending}"));
        assert_eq!(packets(&converted), 6000);
        assert_eq!(ours(&converted)[..4], [0x0A, 0x0D, 0x0D, 0x0A]);
        // What is torn is repaired into a file that is whole.
        let torn = fs::read(&copy).unwrap();
        let name = format!("torn.erf.{ending}");
        fs::write(dir.path().join(&name), &torn[..torn.len() * 2 / 3]).unwrap();
        tell(&format!("repair {name} fixed.erf.{ending}")).exits(1);
        let seen = Seen::in_bytes(&ours(&dir.path().join(format!("fixed.erf.{ending}"))));
        assert!(seen.defects.is_empty() && seen.packets.len() > 1000, "{} packets", seen.packets.len());
        seen.check_sequence();
    }
    tell("cut wire.erf cut.erf.xz").exits(2).says("outputs are compressed as .zst, .lz4 or .gz");
}
