//! Names of cards and streams: `[/dev/][dag]N[:M]` (`libdag-contract.md` section 5).

/// The numbers of card and stream in a name; `None` where it is none.
pub(crate) fn parse(name: &str) -> Option<(u16, u16)> {
    let rest = name.strip_prefix("/dev/").unwrap_or(name);
    let rest = rest.strip_prefix("dag").unwrap_or(rest);
    let (card, stream) = match rest.split_once(':') {
        Some((card, stream)) => (card, number(stream)?),
        None => (rest, 0),
    };
    Some((number(card)?, stream))
}

/// Digits only; below `DAG_STREAM_MAX`, cards too: a number past `DAG_MAX_BOARDS` only is one that no program looks for by itself.
fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number < crate::constants::STREAM_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_and_nothing_else() {
        for (name, numbers) in [
            ("dag0", (0, 0)),
            ("dag0:2", (0, 2)),
            ("0:0", (0, 0)),
            ("0", (0, 0)),
            ("16:1", (16, 1)),
            ("/dev/dag0", (0, 0)),
            ("/dev/dag3:4", (3, 4)),
        ] {
            assert_eq!(parse(name), Some(numbers), "{name}");
        }
        for name in
            ["", "dag", "dagx", "eth0", "dag0:", "dag0:x", "dag-1", "dag0,1", " 0", "dag256", "dag0:256", "99999999999"]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
