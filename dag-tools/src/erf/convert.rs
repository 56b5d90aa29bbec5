//! `erf convert`: from one format to another.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use erf::check::Broken;
use erf::convert::{Converter, Difference, Encapsulation, FcsChoice, FileOptions, Hdlc, Summary, Survey, verify};
use erf::input::Source;
use erf::pcap::Resolution;
use erf::{Access, FileFormat, Reader, Rounding};
use serde_json::{Value, json};

use super::input::{ReadAs, files};
use super::output::Writing;
use super::progress::Progress;
use super::{Failure, PROGRAM, carried, counted, print};
use crate::exit::Exit;
use crate::messages::say;

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// INPUT and OUTPUT, - for standard input and output; with --out-dir any number of files and folders to read.
    #[arg(required = true, value_name = "INPUT OUTPUT")]
    paths: Vec<PathBuf>,

    /// Write a file for each input into this folder: names are kept, what they end in is changed.
    #[arg(long, value_name = "DIR", help_heading = "Writing")]
    out_dir: Option<PathBuf>,

    /// Format of the output; without it, what the name ends in (.erf, .pcap, .pcapng).
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Writing")]
    to: Option<To>,

    /// pcapng from which the records come back byte for byte: headers, padding, META, PAD, everything.
    #[arg(long, conflicts_with_all = ["rounding", "fcs", "encapsulation", "hdlc", "hdlc_fcs"], help_heading = "Writing")]
    lossless: bool,

    /// What packets begin with: what the record type stands for, or whole ERF records (LINKTYPE_ERF).
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Whole::Native, help_heading = "Writing")]
    encapsulation: Whole,

    /// The frame check sequence of Ethernet: taken off where there is one (auto, strip), kept and declared, or there is none. Whole frames
    /// of pcap and pcapng get one in ERF, computed, unless there shall be none.
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = Fcs::Auto, help_heading = "Writing")]
    fcs: Fcs,

    /// The flavour of HDLC, which records do not state.
    #[arg(long, value_enum, value_name = "FLAVOUR", default_value_t = HdlcFlavour::Guess, help_heading = "Writing")]
    hdlc: HdlcFlavour,

    /// Bits of frame check sequence to take off HDLC frames.
    #[arg(long, value_name = "BITS", default_value = "0", value_parser = ["0", "16", "32"], help_heading = "Writing")]
    hdlc_fcs: String,

    /// How the stamps of ERF become the coarser ones of pcap.
    #[arg(long, value_enum, value_name = "RULE", default_value_t = Rule::Nearest, help_heading = "Writing")]
    rounding: Rule,

    /// Replace files that exist.
    #[arg(long, help_heading = "Writing")]
    force: bool,

    /// Read both files again and compare; where they differ there is no output.
    #[arg(long, help_heading = "Writing")]
    verify: bool,

    /// Read the input once, and look at nothing but its start before: names that come later are not known to interfaces before. Otherwise
    /// the end of a file is looked at as well; where its middle has more to say, what was written is made again, which a pipe is not.
    /// Pipes are always read once.
    #[arg(long, help_heading = "Reading")]
    one_pass: bool,

    /// Read as this format, whatever the content looks like.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Reading")]
    read_as: Option<ReadAs>,

    /// Search for the next records after damage, instead of ending there.
    #[arg(long, help_heading = "Reading")]
    recover: bool,

    /// The account as JSON on standard output, or on standard error when the file goes to standard output.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
  erf convert wire.erf wire.pcapng
  erf convert wire.erf - --to pcap | tcpdump -r -
  erf convert --lossless --verify wire.erf wire.pcapng
  erf convert --out-dir converted --to pcapng folder

Exit status: 0 done; 1 it ran, and the answer is no: defects in the input, files that differ; 2 it could not run.";

/// Formats by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    Erf,
    /// With nanoseconds.
    Pcap,
    /// With microseconds.
    PcapUs,
    Pcapng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whole {
    Native,
    Erf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fcs {
    Auto,
    Strip,
    Keep,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HdlcFlavour {
    Guess,
    Cisco,
    Ppp,
    FrameRelay,
    Mtp2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rule {
    /// As Wireshark and libpcap do.
    Nearest,
    /// As libtrace does.
    Truncate,
}

impl Args {
    /// The options for an output of this name.
    fn options(&self, output: &Path) -> Result<FileOptions, Failure> {
        let by_name = FileFormat::of_name(output);
        let format = match self.to {
            Some(To::Erf) => FileFormat::Erf,
            Some(To::Pcap | To::PcapUs) => FileFormat::Pcap,
            Some(To::Pcapng) => FileFormat::PcapNg,
            None if self.lossless => by_name.unwrap_or(FileFormat::PcapNg),
            // What one pipes into other programs.
            None if output.as_os_str() == "-" => FileFormat::PcapNg,
            None => by_name.ok_or_else(|| {
                Failure::Usage(format!("{}: the name does not say which format; name one by --to", output.display()))
            })?,
        };
        if self.lossless && format != FileFormat::PcapNg {
            return Err(Failure::Usage(format!("--lossless is pcapng, not {format}; ERF holds everything itself")));
        }
        let mut options = FileOptions::new(format);
        options.lossless = self.lossless;
        if self.to == Some(To::PcapUs) {
            options.resolution = Resolution::MICROS;
        }
        if self.lossless {
            options.resolution = Resolution::ERF;
        }
        options.rounding = match self.rounding {
            Rule::Nearest => Rounding::HalfUp,
            Rule::Truncate => Rounding::Truncate,
        };
        options.encapsulation = match self.encapsulation {
            Whole::Native => Encapsulation::Native,
            Whole::Erf => Encapsulation::Erf,
        };
        options.fcs = match self.fcs {
            Fcs::Auto => FcsChoice::Auto,
            Fcs::Strip => FcsChoice::Strip,
            Fcs::Keep => FcsChoice::Keep,
            Fcs::None => FcsChoice::None,
        };
        options.hdlc = match self.hdlc {
            HdlcFlavour::Guess => Hdlc::Guess,
            HdlcFlavour::Cisco => Hdlc::Cisco,
            HdlcFlavour::Ppp => Hdlc::Ppp,
            HdlcFlavour::FrameRelay => Hdlc::FrameRelay,
            HdlcFlavour::Mtp2 => Hdlc::Mtp2,
        };
        options.hdlc_fcs_len = match self.hdlc_fcs.as_str() {
            "16" => 2,
            "32" => 4,
            _ => 0,
        };
        Ok(options)
    }

    fn open(&self, input: &Path, options: &FileOptions) -> Result<Reader, Failure> {
        // A file that becomes shorter while it is mapped ends the program without a word.
        let builder = Reader::builder().access(Access::Blocks).recover(self.recover);
        let mut builder = builder.record_options(options.record_options());
        if let Some(format) = self.read_as {
            builder = builder.force_format(format.into());
        }
        Ok(builder.open(Source::from_arg(input))?)
    }

    /// What is to be known before the first packet is written: names that come late matter to pcapng alone.
    fn survey(&self, input: &Path, options: &FileOptions) -> Result<Option<Survey>, Failure> {
        if options.format != FileFormat::PcapNg || self.one_pass || input.as_os_str() == "-" || !input.is_file() {
            return Ok(None);
        }
        if self.read_as.is_none()
            && let Some(survey) = Survey::of_ends(input)?
        {
            return Ok(Some(survey));
        }
        self.survey_all(input, options).map(Some)
    }

    fn survey_all(&self, input: &Path, options: &FileOptions) -> Result<Survey, Failure> {
        let mut progress = Progress::over(&[input.to_owned()]);
        Ok(Survey::of(&mut self.open(input, options)?, |bytes| progress.add(bytes))?)
    }

    /// What is read and what is written.
    fn work(&self) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
        let Some(folder) = &self.out_dir else {
            return match self.paths.as_slice() {
                [input, _] if input.is_dir() => Err(Failure::Usage(format!(
                    "{} is a folder: name one for the outputs by --out-dir",
                    input.display()
                ))),
                [input, output] => Ok(vec![(input.clone(), output.clone())]),
                _ => Err(Failure::Usage(
                    "name one input and one output, or any number of inputs and --out-dir".to_owned(),
                )),
            };
        };
        let Some(to) = self.to.or(self.lossless.then_some(To::Pcapng)) else {
            return Err(Failure::Usage("--out-dir needs the format of the outputs: name it by --to".to_owned()));
        };
        let mut made: HashMap<PathBuf, PathBuf> = HashMap::new();
        let mut work = Vec::new();
        for input in files(&self.paths)? {
            if input.as_os_str() == "-" {
                return Err(Failure::Usage(
                    "standard input has no name for a file in --out-dir; name an output".to_owned(),
                ));
            }
            let output = folder.join(renamed(&input, to));
            if let Some(other) = made.insert(output.clone(), input.clone()) {
                let (one, two) = (other.display(), input.display());
                return Err(Failure::Usage(format!("{one} and {two} would both become {}", output.display())));
            }
            work.push((input, output));
        }
        Ok(work)
    }
}

/// The file name of `input` with the ending of the format, in place of its own and of that of a compression.
fn renamed(input: &Path, to: To) -> OsString {
    let mut stem = PathBuf::from(input.file_name().unwrap_or_default());
    for endings in [&["gz", "bz2", "xz", "zst", "lz4"][..], &["erf", "pcap", "cap", "pcapng", "ntar"]] {
        let extension = stem.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        if extension.is_some_and(|extension| endings.contains(&extension.as_str())) {
            stem.set_extension("");
        }
    }
    let mut name = stem.into_os_string();
    name.push(match to {
        To::Erf => ".erf",
        To::Pcap | To::PcapUs => ".pcap",
        To::Pcapng => ".pcapng",
    });
    name
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let work = args.work()?;
    if let Some(folder) = &args.out_dir {
        fs::create_dir_all(folder).map_err(|cause| Failure::File { path: folder.display().to_string(), cause })?;
    }
    let mut exit = Exit::Done;
    let mut accounts = Vec::new();
    let mut to_stdout = false;
    for (input, output) in &work {
        let done = one(args, input, output);
        let (summary, difference) = match done {
            Ok(done) => done,
            // The others need not wait for this one.
            Err(failure) if args.out_dir.is_some() => {
                if args.json {
                    let (input, output) = (input.display().to_string(), output.display().to_string());
                    let error = failure.to_string();
                    accounts.push(json!({"schema": 1, "input": input, "output": output, "error": error}));
                }
                say(PROGRAM, failure);
                exit = Exit::Failed;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if (summary.is_defective() || difference.is_some()) && exit == Exit::Done {
            exit = Exit::No;
        }
        to_stdout |= output.as_os_str() == "-";
        if args.json {
            accounts.push(account(input, output, &summary, difference.as_ref(), args.verify));
        } else {
            tell(input, output, &summary, difference.as_ref(), args.verify);
        }
    }
    if args.json {
        let all = if work.len() == 1 { accounts.pop().unwrap_or_default() } else { Value::Array(accounts) };
        let text = format!("{all}\n");
        if to_stdout {
            // Nobody listens: there is nobody to tell.
            let _ = io::stderr().write_all(text.as_bytes());
        } else {
            print(&text)?;
        }
    }
    Ok(exit)
}

fn one(args: &Args, input: &Path, output: &Path) -> Result<(Summary, Option<Difference>), Failure> {
    let options = args.options(output)?;
    let mut survey = args.survey(input, &options)?;
    loop {
        let file = Writing::whole(output, &[input], args.force)?;
        if args.verify && (file.unfinished().is_none() || !input.is_file()) {
            return Err(Failure::Usage("--verify reads both files again, which pipes do not allow".to_owned()));
        }
        let name = file.name().to_owned();
        let mut converter = Converter::new(file, &name, options);
        if let Some(survey) = survey.take() {
            converter = converter.with_survey(survey);
        }
        let mut reader = args.open(input, &options)?;
        let mut progress = Progress::over(&[input.to_owned()]);
        converter.run(&mut reader, |bytes| progress.add(bytes))?;
        drop(progress);
        let as_surveyed = converter.is_as_surveyed();
        let (mut file, mut summary) = converter.finish()?;
        let Some(written) = file.unfinished() else {
            // What is in a pipe is out of reach.
            summary.described_late = !as_surveyed;
            file.finish()?;
            return Ok((summary, None));
        };
        if !as_surveyed {
            survey = Some(args.survey_all(input, &options)?);
            continue;
        }
        let mut difference = None;
        if args.verify {
            // All of it is to be in the file that is read.
            file.sync()?;
            let fcs = summary.fcs.map(|(policy, _)| policy);
            difference = verify(&mut args.open(input, &options)?, input, &written, &options, fcs)?;
        }
        if difference.is_none() {
            file.finish()?;
        }
        return Ok((summary, difference));
    }
}

/// The account in lines on standard error.
fn tell(input: &Path, output: &Path, summary: &Summary, difference: Option<&Difference>, verified: bool) {
    let line = |text: String| say(PROGRAM, format_args!("{}: {text}", input.display()));
    for defect in &summary.first_defects {
        line(defect.to_string());
    }
    let more = summary.defects - summary.first_defects.len() as u64;
    if more > 0 {
        line(format!("{} more", counted(more, "defect")));
    }
    if let Some(broken) = &summary.broken {
        // It names the file itself.
        say(PROGRAM, &broken.text);
    }
    if let Some(difference) = difference {
        line(format!("{} is not what it was made of, and was not kept: {difference}", output.display()));
        return;
    }
    let beside = if summary.beside > 0 {
        format!(" and {} beside them", counted(summary.beside, "record"))
    } else {
        String::new()
    };
    let same = match (verified, &summary.broken) {
        (false, _) => "",
        (true, None) if summary.unread.cut_bytes > 0 => ", read back and found equal but for what is cut off",
        (true, None) => ", read back and found equal",
        (true, Some(_)) => ", read back and found equal to what can be read of the input",
    };
    let records = counted(summary.records, "record");
    line(format!("{records}, {} written{beside} to {}{same}", summary.written, output.display()));
    carried::lines(summary).into_iter().for_each(line);
    carried::input_lines(summary.refused, &summary.unread).into_iter().for_each(line);
    let restored = &summary.restored;
    if restored.packets + restored.beside > 0 {
        line(format!("{} restored", counted(restored.packets + restored.beside, "record")));
    }
    for (count, what) in [
        (restored.restamped, "packets have another stamp than their record had; it is the record's now"),
        (restored.edited, "packets were changed since they were records, and were converted as any other"),
        (restored.damaged, "records beside the packets are damaged and lost"),
    ] {
        if count > 0 {
            line(format!("{count} {what}"));
        }
    }
}

/// The account as JSON.
fn account(input: &Path, output: &Path, summary: &Summary, difference: Option<&Difference>, verified: bool) -> Value {
    let defects = summary
        .first_defects
        .iter()
        .map(|defect| json!({"offset": defect.offset, "code": defect.kind.code(), "text": defect.to_string()}));
    let broken =
        summary.broken.iter().map(|broken| json!({"offset": broken.offset, "code": Broken::CODE, "text": broken.text}));
    let defects: Vec<_> = defects.chain(broken).collect();
    let total = summary.defects + u64::from(summary.broken.is_some());
    let restored = &summary.restored;
    let difference = difference
        .map(|difference| json!({"number": difference.number, "offset": difference.offset, "text": difference.what}));
    let mut account = json!({
        "schema": 1,
        "input": input.display().to_string(),
        "output": output.display().to_string(),
        "records": summary.records,
        "written": summary.written,
        "beside": summary.beside,
        "lost": summary.lost,
        "restored": {
            "packets": restored.packets,
            "beside": restored.beside,
            "restamped": restored.restamped,
            "edited": restored.edited,
            "damaged": restored.damaged,
        },
        "broken": summary.broken.as_ref().map(|broken| &broken.text),
        "defect_count": total,
        "defects_total": total,
        "defects": defects,
        "verified": verified.then(|| difference.is_none()),
        "difference": difference,
    });
    if let Some(account) = account.as_object_mut() {
        account.extend(carried::json(summary));
        let input = carried::input_json(summary.refused, &summary.unread);
        account.extend(input.map(|(key, value)| (key.to_owned(), value)));
    }
    account
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_their_ends_are_not() {
        for (input, to, output) in [
            ("folder/wire.erf", To::Pcapng, "wire.pcapng"),
            ("wire.erf.gz", To::Pcap, "wire.pcap"),
            ("a.b.PCAPNG", To::Erf, "a.b.erf"),
            ("wire.2024", To::PcapUs, "wire.2024.pcap"),
            ("wire", To::Erf, "wire.erf"),
            ("erf", To::Erf, "erf.erf"),
        ] {
            assert_eq!(renamed(Path::new(input), to), output, "{input}");
        }
    }
}
