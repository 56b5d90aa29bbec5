//! Several files at once.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use erf::Error;
use erf::input::Source;
use erf::pieces::{Mergeable, Pieces, Visited};

use super::input::Reading;
use super::progress::Progress;

/// Walks every file; each answer stands in the place of its file. One file is shared by all processors, several are spread over
/// them.
pub(super) fn visit_all<P: Mergeable>(
    files: &[PathBuf],
    reading: Reading,
    make: impl Fn() -> P + Sync,
) -> Vec<Result<Visited<P>, Error>> {
    let progress = Mutex::new(Progress::over(files));
    let tell = |bytes| progress.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
    let pieces = Pieces::new().reader(reading.builder());
    if let [file] = files {
        return vec![pieces.visit(Source::from_arg(file), make, tell)];
    }
    let pieces = pieces.threads(1);
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(files.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { return };
                    let answer = pieces.visit(Source::from_arg(file), &make, tell);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
