//! Parts being written: all of them get their names, or none does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, mem};

use erf::convert::{Converter, Summary};
use erf::writer::WholeFile;
use erf::{FileFormat, Record};

use super::super::output::{Writing, place};
use super::super::{Failure, PROGRAM, carried, open_files};
use crate::messages::{counted, say};

/// Files open at once, where the system allows so many: parts being written, and parts that are written and have no name yet. More of these wait under a hidden name.
const MAX_OPEN: usize = 200;

/// A part that is written.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) account: Summary,
}

/// The parts of a file.
#[derive(Debug)]
pub(super) struct Parts {
    input: PathBuf,
    writing: Writing,
    counting: bool,
    max_open: usize,
    open: HashMap<u64, Sink>,
    /// Those begun, by where they will be.
    begun: HashMap<PathBuf, u64>,
    done: Vec<(Done, WholeFile)>,
    /// So many of `done` are closed.
    parked: usize,
    /// What parts in a format other than ERF do not say, all together.
    not_said: Summary,
    /// Dropped last: the others lie in it.
    folder: Folder,
}

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    converter: Converter<WholeFile>,
}

/// Where parts go; made for the first of them, and gone again if none of them comes to be.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// Those that were not there, the innermost first.
    made: Vec<PathBuf>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        for folder in &self.made {
            // It is empty, or there is something to be kept in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Parts {
    /// Parts of `input` in `folder`, counted if `counting` says so.
    pub(super) fn new(folder: &Path, input: &Path, writing: Writing, counting: bool) -> Self {
        Self {
            input: input.to_owned(),
            writing,
            counting,
            max_open: open_files::outputs(MAX_OPEN),
            open: HashMap::new(),
            begun: HashMap::new(),
            done: Vec::new(),
            parked: 0,
            not_said: Summary::default(),
            folder: Folder { path: folder.to_owned(), made: Vec::new() },
        }
    }

    /// Begins part `number` under `name`.
    pub(super) fn begin(&mut self, number: u64, name: &Path) -> Result<(), Failure> {
        let most = self.max_open;
        if self.open.len() >= most {
            let raise = if most < MAX_OPEN { "raise the limit of open files (ulimit -n), " } else { "" };
            let why =
                format!("more than {most} sources; {raise}cut some of them out first, or split by something else");
            return Err(Failure::Usage(why));
        }
        let folder = &mut self.folder;
        if !folder.path.is_dir() {
            let path = folder.path.display().to_string();
            if folder.path.exists() {
                return Err(Failure::Usage(format!("{path} is no folder: --out-dir names the one for the parts")));
            }
            let new = folder.path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
            // Before they are: the last of them may fail.
            folder.made = new.map(Path::to_owned).collect();
            fs::create_dir_all(&folder.path).map_err(|cause| Failure::File { path, cause })?;
        }
        let path = folder.path.join(name);
        if let Some(other) = self.begun.insert(place(&path), number) {
            let why = format!(
                "--template gives parts {other} and {number} one name, {}; with {{number}} in it each has its own",
                path.display()
            );
            return Err(Failure::Usage(why));
        }
        let converter = self.writing.begin(&path, std::slice::from_ref(&self.input))?.with_totals(self.counting);
        self.open.insert(number, Sink { path, converter });
        Ok(())
    }

    /// Adds a record to part `number`.
    pub(super) fn write(&mut self, number: u64, record: &Record<'_>) -> Result<(), Failure> {
        let written = self.open.get_mut(&number).map_or(Ok(()), |sink| sink.converter.write_record(record));
        Ok(written?)
    }

    /// Adds a record to all parts that are not complete.
    pub(super) fn write_to_all(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        Ok(self.open.values_mut().try_for_each(|sink| sink.converter.write_record(record))?)
    }

    /// Completes the parts begun, but for their names.
    pub(super) fn complete(&mut self) -> Result<(), Failure> {
        for (number, sink) in self.open.drain() {
            let is_erf = sink.converter.format() == FileFormat::Erf;
            let (mut file, account) = sink.converter.finish()?;
            // ERF says all of a record.
            if !is_erf {
                add(&mut self.not_said, &account);
            }
            file.sync()?;
            self.done.push((Done { number, path: sink.path, account }, file));
        }
        while self.done.len() - self.parked > self.max_open {
            if let Some((_, file)) = self.done.get_mut(self.parked) {
                file.park()?;
            }
            self.parked += 1;
        }
        Ok(())
    }

    /// Gives all parts their names, and says what had no place in their format.
    ///
    /// # Errors
    ///
    /// No part is there then, but for those that have replaced a file, which the message names.
    pub(super) fn finish(mut self) -> Result<Vec<Done>, Failure> {
        self.complete()?;
        let mut named: Vec<(PathBuf, bool)> = Vec::new();
        let mut all = Vec::new();
        for (done, file) in mem::take(&mut self.done) {
            let replaces = self.writing.force && done.path.exists();
            if let Err(error) = file.finish() {
                return Err(taken_back(error, &named));
            }
            named.push((done.path.clone(), replaces));
            all.push(done);
        }
        if !all.is_empty() {
            self.folder.made.clear();
        }
        for line in carried::lines(&self.not_said) {
            say(PROGRAM, line);
        }
        all.sort_by_key(|done| done.number);
        Ok(all)
    }
}

/// Adds what one part does not say; of the FCS, the first part's account is that of all.
fn add(sum: &mut Summary, one: &Summary) {
    sum.fcs = sum.fcs.or(one.fcs);
    sum.lost += one.lost;
    let (all, more) = (&mut sum.uncarried, &one.uncarried);
    all.colors += more.colors;
    all.ext_headers += more.ext_headers;
    all.sub_headers += more.sub_headers;
    all.rx_errors += more.rx_errors;
    all.ds_errors += more.ds_errors;
    all.loss_counters += more.loss_counters;
    all.comments += more.comments;
    for left in &one.skipped {
        let same = |known: &&mut erf::convert::Left| {
            known.record_type == left.record_type && known.reason.code() == left.reason.code()
        };
        match sum.skipped.iter_mut().find(same) {
            Some(known) => known.count += left.count,
            None => sum.skipped.push(*left),
        }
    }
}

/// Removes parts that have names already; what they replaced does not come back.
fn taken_back(error: erf::Error, named: &[(PathBuf, bool)]) -> Failure {
    let (mut removed, mut stay) = (0u64, Vec::new());
    for (path, replaces) in named {
        match !replaces && fs::remove_file(path).is_ok() {
            true => removed += 1,
            false => stay.push(path.display().to_string()),
        }
    }
    let mut why = Failure::from(error).to_string();
    if removed > 0 {
        why += &format!(
            "; {} written before it {} removed again",
            counted(removed, "part"),
            if removed == 1 { "was" } else { "were" }
        );
    }
    if !stay.is_empty() {
        why += &format!("; these stay: {}", stay.join(", "));
    }
    Failure::Usage(why)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use erf::{RecordBuilder, RecordType};

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        writing: Writing,
    }

    fn parts(folder: &Path, options: &[&str], count: u64) -> Parts {
        let writing = Options::parse_from([&["erf"], options].concat()).writing;
        let mut parts = Parts::new(folder, Path::new("none"), writing, true);
        let bytes = RecordBuilder::new(RecordType::ETH).payload(&[7; 60]).to_vec().unwrap();
        for number in 0..count {
            parts.begin(number, Path::new(&format!("{number}"))).unwrap();
            parts.write(number, &Record::parse(&bytes).unwrap()).unwrap();
            parts.complete().unwrap();
        }
        parts
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn more_parts_than_files_may_be_open_wait_for_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new").join("parts");
        let count = MAX_OPEN + 5;
        let made = parts(&folder, &[], count as u64);
        assert!(names(&folder).iter().all(|name| name.starts_with('.')), "{:?}", names(&folder));
        assert!(
            made.done
                .iter()
                .filter(|(_, file)| file.unfinished().is_some_and(|path| !path.starts_with("/proc")))
                .count()
                >= 5
        );
        drop(made);
        assert!(!dir.path().join("new").exists());
        let done = parts(&folder, &[], count as u64).finish().unwrap();
        assert!(done.iter().zip(0..).all(|(done, number)| done.number == number && done.account.totals.records == 1));
        assert_eq!((done.len(), names(&folder).len()), (count, count));
    }

    #[test]
    fn parts_that_have_names_are_taken_back_when_one_gets_none() {
        let dir = tempfile::tempdir().unwrap();
        let made = parts(dir.path(), &[], 3);
        fs::write(dir.path().join("2"), "theirs").unwrap();
        let why = made.finish().unwrap_err().to_string();
        assert!(
            why.contains("exists already") && why.contains("2 parts written before it were removed again"),
            "{why}"
        );
        assert_eq!(names(dir.path()), ["2"]);

        fs::write(dir.path().join("0"), "old").unwrap();
        let made = parts(dir.path(), &["--force"], 4);
        fs::create_dir(dir.path().join("3")).unwrap();
        let why = made.finish().unwrap_err().to_string();
        assert!(why.contains("1 part written before it was removed again; these stay: "), "{why}");
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, ["0", "2", "3"]);
    }
}
