//! [`Failure`]: why there is nothing to record.

/// Why there is nothing to record.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Card(#[from] dag::Error),
    #[error(transparent)]
    Output(dag::file::Error),
    #[error("{path} exists already and was not touched; to overwrite it:\n  {line}")]
    Exists { path: String, line: String },
    #[error("no files can be made in {path}: {cause}")]
    Folder { path: String, cause: std::io::Error },
    #[error("--preflight measures a folder, and standard output is in none")]
    NoFolder,
    #[error("--metrics: {0}")]
    Metrics(std::io::Error),
    #[error("NOTIFY_SOCKET is set, and nobody can be told there: {0}")]
    Notify(std::io::Error),
    #[error("--out: {0}")]
    Template(String),
    #[error("--rotate-every and --rotate-size make files, and {0} names none")]
    NoName(String),
    #[error(transparent)]
    Filter(dag::file::Error),
    #[error("{0} names a stream, and so does --stream {1}; give one of them")]
    TwoStreams(String, String),
    #[error("{0} stream {1} is named twice; a stream is recorded once")]
    Twice(String, u16),
    #[error("--cpu names {cpus}, and there {streams} to be recorded: one for each, in their order")]
    Cpus { cpus: String, streams: String },
    #[error(
        "{device} stream {stream} and {other_device} stream {other} would both be written to {path}; put {{stream}}{} into the name",
        if .device == .other_device { "" } else { " and {device}" }
    )]
    SameFile { device: String, stream: u16, other_device: String, other: u16, path: String },
    #[error("--merge makes one file, and {0} names one for each stream; leave one of them out")]
    MergeApart(String),
    #[error(
        "packets of several cards in one file: their clocks have to agree, and which card a packet is from stands in no record; ask for it with \
         --merge, or put {{device}} and {{stream}} into the name for a file of each stream"
    )]
    SeveralCards,
    #[error("{0} is what is to be replayed, too; write somewhere else")]
    OwnInput(String),
    #[error("the recording is done, but its account could not be printed: {0}")]
    Json(std::io::Error),
    #[error("{0}")]
    Compress(String),
    #[error("no threads that compress: {0}")]
    Workers(std::io::Error),
    #[error("no handler for signals: {0}")]
    Signals(std::io::Error),
    #[error("no thread for a stream: {0}")]
    Thread(std::io::Error),
}
