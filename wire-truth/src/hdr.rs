//! Samples as HDR histograms, in the log format that the tools of HdrHistogram read (version 1.3, histograms of V2, compressed).
//!
//! A line is a sample, and its tag says which. Values are nanoseconds with three digits. None is below 0 there: such values are counted as 0, and
//! a comment says how many they are.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};

use crate::stats::Counts;

/// Digits of a value.
const DIGITS: u8 = 3;

/// Writes samples of delays, in nanoseconds, each with its name; of a measurement from one time to another, in nanoseconds since 1970. Samples
/// without values are left out.
///
/// In a tag there is neither a space nor a comma: each is written as `_`.
///
/// # Errors
///
/// Those of `out`.
pub fn write_log(out: &mut impl Write, span_ns: (i64, i64), samples: &[(String, Counts)]) -> io::Result<()> {
    let span = span_ns.0.max(0).unsigned_abs()..span_ns.1.max(0).unsigned_abs();
    let start = UNIX_EPOCH + Duration::from_nanos(span.start);
    let length = Duration::from_nanos(span.end.saturating_sub(span.start));
    let mut deflate = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[Histogram log format version 1.3]").add_comment("delays in nanoseconds");
    let mut log = builder.with_start_time(start).with_base_time(start).begin_log_with(out, &mut deflate)?;
    for (name, counts) in samples.iter().filter(|(_, counts)| !counts.is_empty()) {
        let name = name.replace([' ', ',', '\r', '\n'], "_");
        let mut histogram = Histogram::<u64>::new(DIGITS).map_err(io::Error::other)?;
        let mut negative = 0;
        for (value, count) in counts.iter() {
            // Whole nanoseconds, far below what the type holds.
            let whole = value.round().max(0.0) as u64;
            negative += if value.round() < 0.0 { count } else { 0 };
            histogram.record_n(whole, count).map_err(io::Error::other)?;
        }
        if negative > 0 {
            log.write_comment(&format!("{name}: {negative} of {} values are below 0, and counted as 0", counts.len()))?;
        }
        log.write_histogram(&histogram, Duration::ZERO, length, Tag::new(&name)).map_err(|error| match error {
            IntervalLogWriterError::IoError(cause) => cause,
            IntervalLogWriterError::SerializeError(cause) => io::Error::other(cause),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Sample;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn what_is_read_back_is_the_sample() {
        let values: Vec<f64> = (1..=10_000).map(|rank| 20_000.0 * 10_001.0 / f64::from(rank)).collect();
        let sample: Sample = values.into_iter().collect();
        let some: Sample = [-5.0, -0.4, 7.0, 9.0].into_iter().collect();
        let samples = [
            ("total".to_owned(), Counts::from(&sample)),
            ("none".to_owned(), Counts::default()),
            ("a b,c".to_owned(), Counts::from(&some)),
        ];
        let mut log = Vec::new();
        write_log(&mut log, (1_700_000_000_250_000_000, 1_700_000_060_250_000_000), &samples).unwrap();
        let text = String::from_utf8(log.clone()).unwrap();
        assert!(text.starts_with("#[Histogram log format version 1.3]\n"), "{text}");
        assert!(text.contains("#[BaseTime: 1700000000.250 (seconds since epoch)]\n"), "{text}");
        assert!(text.contains("#a_b_c: 1 of 4 values are below 0, and counted as 0\n"), "{text}");
        // What a reader takes for a compressed histogram begins so.
        assert!(text.contains("Tag=total,0.000,60.000,") && text.contains(",HISTF"), "{text}");
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(&log) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let bytes = base64(interval.encoded_histogram());
                let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                found.push((interval.tag().unwrap().as_str().to_owned(), histogram));
            }
        }
        let [(total, all), (other, few)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((total.as_str(), all.len(), other.as_str(), few.len()), ("total", 10_000, "a_b_c", 4));
        for p in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let (expected, read) = (sample.percentile(p).unwrap(), all.value_at_quantile(p) as f64);
            // The histogram's rank is the next whole one.
            let step = sample.percentile(p + 1e-4).unwrap() - sample.percentile(p - 1e-4).unwrap();
            assert!((read - expected).abs() < 1e-3 * expected + step, "{p}: {read}, not {expected}");
        }
        assert_eq!((few.min(), few.count_at(0), few.max()), (0, 2, 9));
    }

    /// What base64 stands for.
    fn base64(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bytes, mut bits, mut have) = (Vec::new(), 0u32, 0);
        for digit in text.bytes().filter(|byte| *byte != b'=') {
            bits = bits << 6 | DIGITS.iter().position(|other| *other == digit).unwrap() as u32;
            have += 6;
            if have >= 8 {
                have -= 8;
                bytes.push((bits >> have) as u8);
                bits &= (1 << have) - 1;
            }
        }
        bytes
    }
}
