//! The host's side of a guest's port: requests by any thread, answers as they come.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error::Trouble;
use super::frame::Frame;
use super::protocol::{Answer, Numbered, Request};

/// An answer with its bytes.
type Answered = (Answer, Vec<Vec<u8>>);

/// Who waits for which answer; nobody any more, with the reason, when the port has ended.
#[derive(Debug)]
enum Waiting {
    Open(HashMap<u64, Sender<Answered>>),
    Ended(Option<String>),
}

/// A port with an agent behind it.
#[derive(Debug)]
pub(crate) struct Control<W> {
    out: Mutex<W>,
    next: Mutex<u64>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nothing came in time.
    Late,
    /// The guest has gone; with what was wrong with its last words, if that is why.
    Gone(Option<String>),
    /// The request cannot be sent, or it cannot be done.
    Trouble(Trouble),
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Write> Control<W> {
    pub(crate) fn new(out: W, input: impl Read + Send + 'static) -> Self {
        let waiting = Arc::new(Mutex::new(Waiting::Open(HashMap::new())));
        let told = Arc::clone(&waiting);
        std::thread::spawn(move || {
            let why = listen(BufReader::with_capacity(65_536, input), &told).err();
            // Those who wait are told by this, too.
            *lock(&told) = Waiting::Ended(why.map(|trouble| trouble.to_string()));
        });
        Self { out: Mutex::new(out), next: Mutex::new(1), waiting }
    }

    /// Sends `what` with `part` and waits for the answer, for `limit` at most.
    pub(crate) fn ask(&self, what: &Request, part: Vec<u8>, limit: Duration) -> Result<Answered, NoAnswer> {
        let id = {
            let mut next = lock(&self.next);
            *next += 1;
            *next - 1
        };
        let (sender, receiver) = channel();
        match &mut *lock(&self.waiting) {
            Waiting::Open(waiting) => waiting.insert(id, sender),
            Waiting::Ended(why) => return Err(NoAnswer::Gone(why.clone())),
        };
        let parts = if part.is_empty() { Vec::new() } else { vec![part] };
        let head = serde_json::to_value(Numbered { id, what: what.clone() });
        let head = head.map_err(|error| NoAnswer::Trouble(Trouble::Frame(error.to_string())))?;
        let sent = (Frame { head, parts }).write(&mut *lock(&self.out));
        let answer = sent.map_err(NoAnswer::Trouble).and_then(|()| {
            receiver.recv_timeout(limit).map_err(|error| match error {
                RecvTimeoutError::Timeout => NoAnswer::Late,
                RecvTimeoutError::Disconnected => self.gone(),
            })
        });
        if let Waiting::Open(waiting) = &mut *lock(&self.waiting) {
            waiting.remove(&id);
        }
        match answer? {
            (Answer::Failed { why }, _) => Err(NoAnswer::Trouble(Trouble::Refused { what: what.shown(), why })),
            answered => Ok(answered),
        }
    }

    fn gone(&self) -> NoAnswer {
        match &*lock(&self.waiting) {
            Waiting::Ended(why) => NoAnswer::Gone(why.clone()),
            Waiting::Open(_) => NoAnswer::Gone(None),
        }
    }
}

/// Hands answers to those who wait, until there are no more. What nobody waits for any more is dropped.
fn listen(mut input: BufReader<impl Read>, waiting: &Mutex<Waiting>) -> Result<(), Trouble> {
    while let Some(frame) = Frame::read(&mut input)? {
        let answer: Result<Numbered<Answer>, _> = serde_json::from_value(frame.head);
        let Numbered { id, what } = answer.map_err(|error| Trouble::Frame(error.to_string()))?;
        if let Waiting::Open(waiting) = &mut *lock(waiting)
            && let Some(sender) = waiting.remove(&id)
        {
            let _ = sender.send((what, frame.parts));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use serde_json::json;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn pair() -> (Control<UnixStream>, UnixStream) {
        let (host, guest) = UnixStream::pair().unwrap();
        (Control::new(host.try_clone().unwrap(), host), guest)
    }

    fn next(input: &mut BufReader<UnixStream>) -> (u64, Request) {
        let frame = Frame::read(input).unwrap().unwrap();
        let asked: Numbered<Request> = serde_json::from_value(frame.head).unwrap();
        (asked.id, asked.what)
    }

    #[test]
    fn answers_find_who_asked_in_any_order() {
        let (control, guest) = pair();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut input = BufReader::new(guest.try_clone().unwrap());
                let mut asked = vec![next(&mut input), next(&mut input)];
                asked.reverse();
                for (id, what) in asked {
                    let Request::Get { path } = what else { panic!("{what:?}") };
                    let head = json!({"id": id, "answer": "done"});
                    Frame { head, parts: vec![path.into_bytes()] }.write(&mut &guest).unwrap();
                }
            });
            let ask = |path: &str| {
                let (answer, parts) = control.ask(&Request::Get { path: path.into() }, Vec::new(), LIMIT).unwrap();
                assert_eq!((answer, parts), (Answer::Done, vec![path.as_bytes().to_vec()]));
            };
            let other = scope.spawn(move || ask("/a"));
            ask("/b");
            other.join().unwrap();
        });
    }

    #[test]
    fn a_guest_that_goes_or_raves_is_noticed_by_those_who_wait() {
        for (said, told) in [(&b""[..], None), (b"[    3.1] Oops\n", Some("no JSON in \"[    3.1] Oops"))] {
            let (control, guest) = pair();
            let ended = std::thread::scope(|scope| {
                scope.spawn(move || {
                    next(&mut BufReader::new(guest.try_clone().unwrap()));
                    (&guest).write_all(said).unwrap();
                });
                control.ask(&Request::Hello, Vec::new(), LIMIT).unwrap_err()
            });
            let NoAnswer::Gone(why) = ended else { panic!("{ended:?}") };
            assert_eq!(why.is_some(), told.is_some());
            assert!(why.unwrap_or_default().contains(told.unwrap_or_default()));
            // And by those who come after.
            assert!(matches!(control.ask(&Request::Hello, Vec::new(), LIMIT), Err(NoAnswer::Gone(_))));
        }
    }

    #[test]
    fn silence_ends() {
        let (control, _guest) = pair();
        let late = control.ask(&Request::Hello, Vec::new(), Duration::from_millis(1));
        assert!(matches!(late, Err(NoAnswer::Late)), "{late:?}");
    }
}
