//! [`drive`]: makes the calls of a log again.

use std::collections::HashMap;
use std::ffi::CString;
use std::thread;
use std::time::{Duration, Instant};

use dag_sys::Libdag;
use dag_sys::bindings::{DagApi, dag_card_ref_t};
use libc::timeval;

use crate::line::Call;
use crate::log::Log;

/// Pauses of the recorded program are kept, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The functions that are called again: all of the stream API, and of the configuration API those that need no value of the library's own
/// headers (contract, section 10).
const DRIVEN: &[&str] = &[
    "dag_parse_name",
    "dag_open",
    "dag_close",
    "dag_configure",
    "dag_rx_get_stream_count",
    "dag_tx_get_stream_count",
    "dag_get_stream_erf_types",
    "dag_get_stream_buffer_size",
    "dag_get_stream_buffer_size64",
    "dag_get_stream_buffer_level",
    "dag_get_stream_buffer_level64",
    "dag_set_mode",
    "dag_attach_stream",
    "dag_attach_stream64",
    "dag_detach_stream",
    "dag_start_stream",
    "dag_stop_stream",
    "dag_get_stream_poll",
    "dag_get_stream_poll64",
    "dag_set_stream_poll",
    "dag_set_stream_poll64",
    "dag_advance_stream",
    "dag_rx_stream_next_record",
    "dag_tx_get_stream_space",
    "dag_tx_get_stream_space64",
    "dag_tx_stream_commit_bytes",
    "dag_tx_stream_commit_bytes64",
    "dag_tx_stream_commit_records64",
    "dag_config_init",
    "dag_config_dispose",
    "dag_config_get_card_fd",
];

/// Whether [`drive`] makes this call again.
pub fn is_driven(call: &Call) -> bool {
    DRIVEN.contains(&call.call.as_str())
}

/// Makes the calls of `log` again, one after the other, with its pauses, on the cards of `lib`. What they answer is for the recorder,
/// behind which `lib` is.
///
/// Receive calls give back as much of what they were lent as the recorded program did: all, nothing, or as many records.
pub fn drive(log: &Log, lib: &Libdag) {
    let mut driver =
        Driver { lib, fds: HashMap::new(), refs: HashMap::new(), windows: HashMap::new(), rooms: HashMap::new() };
    let mut before_us = 0;
    for call in log.calls.iter().filter(|call| is_driven(call)) {
        let pause = Duration::from_micros(call.at_us.saturating_sub(before_us)).min(LONGEST_PAUSE);
        before_us = call.at_us + call.took_ns / 1000;
        let begun = Instant::now();
        thread::sleep(pause.saturating_sub(begun.elapsed()));
        driver.call(call);
    }
}

/// A window as it was lent last.
#[derive(Clone, Copy)]
struct Lent {
    bottom: *mut u8,
    len: usize,
}

struct Driver<'a> {
    lib: &'a Libdag,
    /// Descriptors of the log, and those of now.
    fds: HashMap<i32, i32>,
    /// References to cards, as well.
    refs: HashMap<i64, dag_card_ref_t>,
    windows: HashMap<(i32, i32), Lent>,
    /// Room to send from.
    rooms: HashMap<(i32, i32), Lent>,
}

/// Calls a function of the library, if it has it.
macro_rules! call {
    ($driver:expr, $name:ident($($argument:expr),*)) => {{
        let (main, conf) = $driver.lib.tables();
        let function = find(main, conf, |table: &DagApi| table.$name.as_ref().ok().copied());
        // SAFETY: the arguments are those of a call that a program made, with descriptors, references and pointers in their place that
        // this library has given: the library has to bear as much as it had to there.
        function.map(|function| unsafe { function($($argument),*) })
    }};
}

fn find<F>(main: &DagApi, conf: Option<&DagApi>, of: impl Fn(&DagApi) -> Option<F>) -> Option<F> {
    of(main).or_else(|| of(conf?))
}

fn time(us: i64) -> timeval {
    timeval { tv_sec: us / 1_000_000, tv_usec: us % 1_000_000 }
}

impl Driver<'_> {
    fn fd(&self, call: &Call) -> i32 {
        let there = call.fd.unwrap_or(-1);
        // One that the program had from nowhere is none.
        self.fds.get(&there).copied().unwrap_or(-1)
    }

    fn call(&mut self, call: &Call) {
        let (fd, stream) = (self.fd(call), call.stream.unwrap_or(0));
        let text = CString::new(call.text.clone().unwrap_or_default()).unwrap_or_default();
        let arg = |index: usize| call.args.get(index).copied().unwrap_or(0);
        // All of these are what a C program gave as these types.
        let (narrow, wide) = (arg(0) as u32, arg(0) as u64);
        match call.call.as_str() {
            "dag_parse_name" => {
                let (mut buffer, mut number) = ([0; 256], 0);
                // The name may be copied whole, whatever length the program had for it.
                let _ = call!(
                    self,
                    dag_parse_name(text.as_ptr(), buffer.as_mut_ptr(), arg(0).clamp(0, 256) as i32, &mut number)
                );
            }
            "dag_open" => {
                if let (Some(now), 0..) = (call!(self, dag_open(text.as_ptr())), call.result) {
                    self.fds.insert(call.result as i32, now);
                }
            }
            "dag_close" => {
                self.forget(fd);
                let _ = call!(self, dag_close(fd));
            }
            "dag_configure" => drop(call!(self, dag_configure(fd, text.as_ptr()))),
            "dag_rx_get_stream_count" => drop(call!(self, dag_rx_get_stream_count(fd))),
            "dag_tx_get_stream_count" => drop(call!(self, dag_tx_get_stream_count(fd))),
            "dag_get_stream_erf_types" => {
                let mut types = [0u8; 256];
                let _ =
                    call!(self, dag_get_stream_erf_types(fd, stream, types.as_mut_ptr(), arg(0).clamp(0, 255) as i32));
            }
            "dag_get_stream_buffer_size" => drop(call!(self, dag_get_stream_buffer_size(fd, stream))),
            "dag_get_stream_buffer_size64" => drop(call!(self, dag_get_stream_buffer_size64(fd, stream))),
            "dag_get_stream_buffer_level" => drop(call!(self, dag_get_stream_buffer_level(fd, stream))),
            "dag_get_stream_buffer_level64" => drop(call!(self, dag_get_stream_buffer_level64(fd, stream))),
            "dag_set_mode" => drop(call!(self, dag_set_mode(fd, stream, narrow))),
            "dag_attach_stream" => drop(call!(self, dag_attach_stream(fd, stream, narrow, arg(1) as u32))),
            "dag_attach_stream64" => drop(call!(self, dag_attach_stream64(fd, stream, narrow, arg(1) as u64))),
            "dag_detach_stream" => {
                self.windows.remove(&(fd, stream));
                self.rooms.remove(&(fd, stream));
                let _ = call!(self, dag_detach_stream(fd, stream));
            }
            "dag_start_stream" => drop(call!(self, dag_start_stream(fd, stream))),
            "dag_stop_stream" => drop(call!(self, dag_stop_stream(fd, stream))),
            "dag_get_stream_poll" => {
                let (mut mindata, mut maxwait, mut poll) = (0, time(0), time(0));
                let _ = call!(self, dag_get_stream_poll(fd, stream, &mut mindata, &mut maxwait, &mut poll));
            }
            "dag_get_stream_poll64" => {
                let (mut mindata, mut maxwait, mut poll) = (0, time(0), time(0));
                let _ = call!(self, dag_get_stream_poll64(fd, stream, &mut mindata, &mut maxwait, &mut poll));
            }
            "dag_set_stream_poll" => {
                let _ = call!(self, dag_set_stream_poll(fd, stream, narrow, &mut time(arg(1)), &mut time(arg(2))));
            }
            "dag_set_stream_poll64" => {
                let _ = call!(self, dag_set_stream_poll64(fd, stream, wide, &mut time(arg(1)), &mut time(arg(2))));
            }
            "dag_advance_stream" => self.advance(call, fd, stream),
            "dag_rx_stream_next_record" => drop(call!(self, dag_rx_stream_next_record(fd, stream))),
            "dag_tx_get_stream_space" => {
                let room = call!(self, dag_tx_get_stream_space(fd, stream, narrow));
                self.room(fd, stream, room, wide);
            }
            "dag_tx_get_stream_space64" => {
                let room = call!(self, dag_tx_get_stream_space64(fd, stream, wide));
                self.room(fd, stream, room, wide);
            }
            "dag_tx_stream_commit_bytes" => {
                self.fill(fd, stream, wide);
                let _ = call!(self, dag_tx_stream_commit_bytes(fd, stream, narrow));
            }
            "dag_tx_stream_commit_bytes64" => {
                self.fill(fd, stream, wide);
                let _ = call!(self, dag_tx_stream_commit_bytes64(fd, stream, wide));
            }
            "dag_tx_stream_commit_records64" => {
                self.fill(fd, stream, wide);
                let _ = call!(self, dag_tx_stream_commit_records64(fd, stream, wide));
            }
            "dag_config_init" => {
                if let (Some(now), 1..) = (call!(self, dag_config_init(text.as_ptr())), call.result) {
                    self.refs.insert(call.result, now);
                }
            }
            "dag_config_dispose" => {
                if let Some(now) = self.refs.remove(&arg(0)) {
                    let _ = call!(self, dag_config_dispose(now));
                } else {
                    let _ = call!(self, dag_config_dispose(std::ptr::null_mut()));
                }
            }
            "dag_config_get_card_fd" => {
                let now = self.refs.get(&arg(0)).copied().unwrap_or(std::ptr::null_mut());
                if let (Some(now), 0..) = (call!(self, dag_config_get_card_fd(now)), call.result) {
                    self.fds.insert(call.result as i32, now);
                }
            }
            _ => {}
        }
    }

    /// What was lent through a descriptor is not ours any more.
    fn forget(&mut self, fd: i32) {
        self.windows.retain(|(of, _), _| *of != fd);
        self.rooms.retain(|(of, _), _| *of != fd);
    }

    fn advance(&mut self, call: &Call, fd: i32, stream: i32) {
        let mut bottom = self.bottom(call, self.windows.get(&(fd, stream)).copied());
        let Some(top) = call!(self, dag_advance_stream(fd, stream, &mut bottom)) else { return };
        if !top.is_null() && !bottom.is_null() && top >= bottom {
            let len = top.addr() - bottom.addr();
            self.windows.insert((fd, stream), Lent { bottom, len });
        }
    }

    /// Where the recorded program would have put the begin of this window.
    fn bottom(&self, call: &Call, lent: Option<Lent>) -> *mut u8 {
        let Some(window) = call.window else { return std::ptr::null_mut() };
        let (Some(consumed), Some(lent)) = (window.consumed, lent) else { return std::ptr::null_mut() };
        let by = match u64::try_from(consumed) {
            Ok(all) if all == window.had => lent.len as i64,
            Ok(part) if part < window.had => records(lent, window.consumed_records) as i64,
            // Beyond the end, or before the begin: as far beyond here.
            _ if consumed > 0 => lent.len as i64 + (consumed - window.had as i64),
            _ => consumed,
        };
        lent.bottom.wrapping_offset(by as isize)
    }

    fn room(&mut self, fd: i32, stream: i32, room: Option<*mut u8>, bytes: u64) {
        match room.filter(|room| !room.is_null()) {
            Some(bottom) => self.rooms.insert((fd, stream), Lent { bottom, len: bytes as usize }),
            None => self.rooms.remove(&(fd, stream)),
        };
    }

    /// Puts whole records of `bytes` bytes together where the program has put its own: zeros but for what makes them records.
    fn fill(&mut self, fd: i32, stream: i32, bytes: u64) {
        let Some(room) = self.rooms.remove(&(fd, stream)) else { return };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(room.len);
        // SAFETY: the library has given this many bytes to write to, and nobody else has them until they are committed.
        let room = unsafe { std::slice::from_raw_parts_mut(room.bottom, bytes) };
        room.fill(0);
        let mut rest = room;
        while rest.len() >= 16 {
            let len = rest.len().min(0xFFF8);
            let (record, more) = rest.split_at_mut(len);
            record[8] = 2; // Ethernet
            record[9] = 4; // of its own length
            record[10..12].copy_from_slice(&(len as u16).to_be_bytes());
            record[14..16].copy_from_slice(&(len.saturating_sub(18) as u16).to_be_bytes());
            rest = more;
        }
    }
}

/// The length of the first `count` records of a window.
fn records(lent: Lent, count: u64) -> usize {
    // SAFETY: the library has lent this many bytes, which stay as they are until the next call on the stream.
    let bytes = unsafe { std::slice::from_raw_parts(lent.bottom, lent.len) };
    let mut at = 0;
    for _ in 0..count {
        match bytes.get(at + 10..at + 12).map(|len| usize::from(u16::from_be_bytes([len[0], len[1]]))) {
            Some(len) if len >= 16 && at + len <= bytes.len() => at += len,
            _ => break,
        }
    }
    at
}
