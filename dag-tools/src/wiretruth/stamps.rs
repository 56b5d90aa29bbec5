//! `--stamps`: what is known of the stamps of a place.

use std::num::NonZeroU64;

use wire_truth::{StampPoint, Stamping};

use crate::values;

/// `NAME=WHAT,...` of one place.
pub(super) fn parse(text: &str) -> Result<(String, Stamping), String> {
    let (name, words) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(FORM)?;
    let mut stamping = Stamping::default();
    for word in words.split(',') {
        let again = || format!("{word:?}: that was said before");
        let put =
            |place: &mut Option<StampPoint>, point| if place.replace(point).is_some() { Err(again()) } else { Ok(()) };
        match (word.split_once(':'), point(word)) {
            (Some(("request", of)), _) => put(&mut stamping.request, point(of).ok_or(FORM)?)?,
            (Some(("reply", of)), _) => put(&mut stamping.reply, point(of).ok_or(FORM)?)?,
            (Some(("error", of)), _) => {
                let nanos = u32::try_from(values::duration(of)?.as_nanos());
                let nanos = nanos.map_err(|_| format!("{word:?}: an error is below 4 seconds"))?;
                if stamping.error_ns.replace(nanos).is_some() {
                    return Err(again());
                }
            }
            (None, Some(point)) => {
                put(&mut stamping.request, point)?;
                put(&mut stamping.reply, point)?;
            }
            (None, None) => {
                if stamping.bits_per_second.replace(rate(word).ok_or(FORM)?).is_some() {
                    return Err(again());
                }
            }
            _ => return Err(FORM.to_owned()),
        }
    }
    Ok((name.to_owned(), stamping))
}

const FORM: &str = "it is NAME= and, with commas between, start or end (or request:start, reply:end), the rate of the link as 100mbit or 10gbit, \
                    and error:TIME";

fn point(word: &str) -> Option<StampPoint> {
    match word {
        "start" => Some(StampPoint::Start),
        "end" => Some(StampPoint::End),
        _ => None,
    }
}

/// As tc has it.
fn rate(word: &str) -> Option<NonZeroU64> {
    let number = word.strip_suffix("bit")?;
    let (number, unit) = match number.chars().last()? {
        'k' => (&number[..number.len() - 1], 1_000),
        'm' => (&number[..number.len() - 1], 1_000_000),
        'g' => (&number[..number.len() - 1], 1_000_000_000),
        _ => (number, 1),
    };
    NonZeroU64::new(number.parse::<u64>().ok()?.checked_mul(unit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_known() {
        let (name, stamping) = parse("wire=start,100mbit").unwrap();
        assert_eq!(
            (name.as_str(), stamping.to_string().as_str()),
            ("wire", "point start, 100000000 bit/s, error unknown")
        );
        let (_, stamping) = parse("kernel=error:2us,reply:end,request:start,1gbit").unwrap();
        assert_eq!(stamping.to_string(), "point start of requests, end of replies, 1000000000 bit/s, error 2000 ns");
        assert_eq!(parse("user=error:1us").unwrap().1.error_ns, Some(1_000));
        assert_eq!(rate("9600bit").map(NonZeroU64::get), Some(9_600));
    }

    #[test]
    fn what_is_no_such_thing_is_refused() {
        let forms = [
            "wire",
            "=start",
            "wire=",
            "wire=middle",
            "wire=request:100mbit",
            "wire=0mbit",
            "wire=x:y",
            "wire=start,,end",
            "wire=bit",
        ];
        for text in forms {
            assert!(parse(text).unwrap_err().starts_with("it is NAME="), "{text}");
        }
        for text in ["wire=start,end", "wire=request:end,start", "wire=1mbit,2mbit", "wire=error:1us,error:1us"] {
            assert!(parse(text).unwrap_err().ends_with("that was said before"), "{text}");
        }
        assert!(parse("wire=error:5s").unwrap_err().contains("below 4 seconds"));
        assert!(parse("wire=99999999999999999999gbit").is_err() && parse("wire=18446744073709551615gbit").is_err());
    }
}
