//! Whether a recording is compressed: by an option, or by the name that it is to have.

use std::path::Path;

use dag::file::compress::Encoding;

/// What `--compress` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Not, whatever the name ends in.
    No,
    /// So, whatever the name ends in.
    With(Encoding),
}

impl Compress {
    /// `zstd`, `lz4`, `gzip:6`, `none`.
    ///
    /// # Errors
    ///
    /// Anything else, and levels that there are not.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::No),
            _ => text.parse().map(Self::With).map_err(|error: dag::file::Error| error.to_string()),
        }
    }
}

/// How what goes to `out` is compressed.
///
/// # Errors
///
/// When the name says one thing and `asked` another.
pub(super) fn encoding(asked: Option<Compress>, out: &Path) -> Result<Option<Encoding>, String> {
    let named = Encoding::of_name(out);
    match (asked, named) {
        (None, named) => Ok(named),
        (Some(Compress::No), _) => Ok(None),
        (Some(Compress::With(asked)), Some(named)) if asked.codec() != named.codec() => {
            let (name, named, asked) = (out.display(), named.codec(), asked.codec());
            Err(format!("{name} is the name of a file of {named}, and --compress says {asked}; give one of them"))
        }
        (Some(Compress::With(asked)), _) => Ok(Some(asked)),
    }
}

/// `name` without what its compression adds to it, and that with its dot.
pub(super) fn split_ending(name: &str) -> (&str, &str) {
    match Encoding::of_name(Path::new(name)).and_then(|_| name.rfind('.')) {
        Some(dot) => name.split_at(dot),
        None => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_counts_and_without_it_the_name() {
        let of = |asked: Option<&str>, out: &str| {
            let asked = asked.map(|asked| Compress::parse(asked).unwrap());
            encoding(asked, Path::new(out)).map(|encoding| encoding.map(|encoding| encoding.to_string()))
        };
        assert_eq!(of(None, "wire.erf"), Ok(None));
        assert_eq!(of(None, "wire.erf.lz4"), Ok(Some("lz4".to_owned())));
        assert_eq!(of(Some("none"), "wire.erf.lz4"), Ok(None));
        assert_eq!(of(Some("gzip:6"), "wire.erf.gz"), Ok(Some("gzip:6".to_owned())));
        assert_eq!(of(Some("gzip"), "-"), Ok(Some("gzip:1".to_owned())));
        let why = of(Some("gzip"), "wire.zst").unwrap_err();
        assert!(why.contains("wire.zst") && why.contains("zstd") && why.contains("gzip"), "{why}");
        assert!(Compress::parse("xz").is_err());
    }

    #[test]
    fn what_compression_adds_to_a_name_is_told_apart() {
        assert_eq!(split_ending("wire.erf.zst"), ("wire.erf", ".zst"));
        assert_eq!(split_ending("wire.gz"), ("wire", ".gz"));
        assert_eq!(split_ending("wire.erf"), ("wire.erf", ""));
    }
}
