//! [`Error`]: what can be wrong with what is to be compared.

/// An error of this crate: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// What kind of trouble an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file cannot be read.
    Read,
    /// A line of a log is none.
    Log,
    /// There is nothing to compare.
    Nothing,
    /// What is asked for contradicts what is there.
    Options,
    /// The clocks cannot be related.
    Clock,
    /// A program or the kernel refuses what an experiment needs.
    Lab,
    /// What describes a run or a cell of it is none.
    Description,
    /// A guest cannot be had, or does not do what it is told to.
    Guest,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    /// Its message begins with the name of the file.
    #[error("{}", capture(cause))]
    Capture { cause: erf::Error },
    #[error("{path} is there already and was not touched; name another {what}, or remove it")]
    There { path: String, what: &'static str },
    #[error("{path}: {cause}")]
    Io { path: String, cause: std::io::Error },
    #[error("{path}, line {line}: {what}")]
    Line { path: String, line: usize, what: String },
    #[error("{path}: {what}")]
    Described { path: String, what: String },
    #[error("{path} has no probes: no line of a tping log, and none of `ping -D`")]
    NoProbes { path: String },
    #[error("{name} has no probe in it: no ICMP echo, and none of the datagrams and SYNs of tping")]
    NoEchoes { name: String },
    #[error(
        "no probe of identifier {ident} has request and reply both on the wire and elsewhere: {seen}; name the run with --ident, or give files of one run"
    )]
    NothingInCommon { ident: u16, seen: String },
    #[error(
        "{one} is of another run than {other}, with the same identifier: {what}; give what was written at the same time, each as the place that it is of"
    )]
    OtherRun { one: String, other: String, what: String },
    #[error("{resting} probes are said to be at rest, and there are {probes}; some are needed between them")]
    AllAtRest { resting: usize, probes: usize },
    #[error(
        "too few probes to relate the clocks: {have} packets have been seen at both places, and {need} of each direction are needed"
    )]
    TooFew { have: usize, need: usize },
    #[error("this cannot be made up: {what}")]
    Scenario { what: String },
    #[error("the envelope needs three packets of both directions")]
    OneWay,
    #[error("no drift lets every packet arrive after it was sent: a clock was stepped, or a stamp is of another place")]
    NoLine,
    #[error(
        "no packet is in both captures: {a}; {b}; give two captures of the same traffic at the same time, with a \
         snap length of 102 bytes or more"
    )]
    NoCommon { a: String, b: String },
    #[error("{path} is no file, and is to be read twice: write what it gives into a file first")]
    NoFile { path: String },
    #[error("{line}: {cause}")]
    Program { line: String, cause: std::io::Error },
    #[error("{line}: {said}")]
    Tool { line: String, said: String },
    #[error("{what}")]
    Lab { what: String },
    #[error("delays cannot be counted: {cause}")]
    Histogram { cause: hdrhistogram::CreationError },
    #[error("{path} has no sample of signals: tping --signals and wiretruth verdict sample write such logs")]
    NoSignals { path: String },
    #[error("{path} has no thresholds, which wiretruth verdict learn writes: {what}")]
    Thresholds { path: String, what: String },
    #[error(
        "the log of signals is of {interface}, and {name} is said to be the last before the wire: sample with --uplink {name}"
    )]
    Uplink { name: String, interface: String },
    #[error("nothing can be learned: {what}")]
    Learn { what: String },
    #[error("all probes are of the same moment, so no drift can be told; probe for longer")]
    NoSpan,
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Guest(crate::lab::guest::Trouble),
}

impl Error {
    /// What kind of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            Repr::Capture { .. } | Repr::Io { .. } | Repr::NoFile { .. } => ErrorKind::Read,
            Repr::Line { .. } | Repr::Thresholds { .. } => ErrorKind::Log,
            Repr::Described { .. } => ErrorKind::Description,
            Repr::NoSignals { .. }
            | Repr::Learn { .. }
            | Repr::NoProbes { .. }
            | Repr::NoEchoes { .. }
            | Repr::NothingInCommon { .. }
            | Repr::OtherRun { .. }
            | Repr::NoCommon { .. } => ErrorKind::Nothing,
            Repr::There { .. }
            | Repr::AllAtRest { .. }
            | Repr::Scenario { .. }
            | Repr::Histogram { .. }
            | Repr::Uplink { .. } => ErrorKind::Options,
            Repr::Program { .. } | Repr::Tool { .. } | Repr::Lab { .. } => ErrorKind::Lab,
            Repr::TooFew { .. } | Repr::NoSpan | Repr::OneWay | Repr::NoLine => ErrorKind::Clock,
            #[cfg(target_os = "linux")]
            Repr::Guest(_) => ErrorKind::Guest,
        }
    }
}

/// What a reader says. It may be told to take anything for ERF, for which there is no option here: of such a file nothing can be compared.
fn capture(cause: &erf::Error) -> String {
    let said = cause.to_string();
    match said.rsplit_once("; ") {
        Some((what, more)) if cause.kind() == erf::ErrorKind::UnknownFormat && more.contains("force the format") => {
            format!("{what}; it is neither ERF, pcap nor pcapng, plain or compressed")
        }
        _ => said,
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}
