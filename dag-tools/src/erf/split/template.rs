//! Names of parts.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use erf::split::Part;

use super::super::output::COMPRESSED;

/// A name with places to be filled in, for parts made by one rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

/// What stands between `{` and `}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Name,
    Number,
    Interface,
    Host,
    Source,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// As `strftime` has it.
    Time(String),
    Place(Place),
}

/// What parts differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Where in the file they stand.
    Row,
    Interface,
    Source,
}

const PLACES: [(&str, Place); 5] = [
    ("name", Place::Name),
    ("number", Place::Number),
    ("interface", Place::Interface),
    ("host", Place::Host),
    ("source", Place::Source),
];

impl Place {
    /// The rule that says what is to stand here; `None` where any does.
    const fn needs(self) -> Option<(By, &'static str)> {
        match self {
            Self::Name | Self::Number => None,
            Self::Interface => Some((By::Interface, "--by interface")),
            Self::Host | Self::Source => Some((By::Source, "--by source")),
        }
    }
}

impl Template {
    /// Reads a template for parts that differ in `by`.
    ///
    /// # Errors
    ///
    /// What would be no name of a file in the folder, and places that nothing can be put in.
    pub(super) fn read(text: &str, by: By) -> Result<Self, String> {
        if text.contains('/') {
            return Err("is a path and not a name; --out-dir says which folder parts go to".to_owned());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (word, behind) = behind.split_once('}').ok_or("has a { without a }")?;
            pieces.push(Piece::Time(before.to_owned()));
            pieces.push(Piece::Place(place(word, by)?));
            rest = behind;
        }
        pieces.push(Piece::Time(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Time(String::new()));
        let template = Self { pieces };
        let name = template.fill(0, None, Path::new("x"))?;
        match name.to_str() {
            Some("" | "." | "..") => Err("is no name of a file".to_owned()),
            // %D is 11/14/23.
            Some(name) if name.contains('/') => Err("has a time with / in it, which a name cannot have".to_owned()),
            Some(name) if name.contains(char::is_control) => Err("has control characters in it".to_owned()),
            _ => Ok(template),
        }
    }

    /// The name of `part` of the file `input`.
    pub(super) fn name(&self, part: &Part, input: &Path) -> Result<OsString, String> {
        self.fill(part.start.nanos(), Some(part), input)
    }

    fn fill(&self, nanos: u64, part: Option<&Part>, input: &Path) -> Result<OsString, String> {
        let time = jiff::Timestamp::from_nanosecond(nanos.into()).map_err(|error| error.to_string())?;
        let identity = part.and_then(|part| part.identity);
        let identity = identity.unwrap_or(erf::identity::Identity { host_id: 0, source_id: 0, interface: 0 });
        let mut name = OsString::new();
        for piece in &self.pieces {
            match piece {
                Piece::Time(format) => {
                    let text = jiff::fmt::strtime::format(format, time);
                    name.push(text.map_err(|error| format!("has no time that can be written: {error}"))?);
                }
                Piece::Place(Place::Name) => name.push(stem(input)),
                Piece::Place(place) => {
                    let mut text = String::new();
                    // Writing to a string does not fail.
                    let _ = match place {
                        Place::Number => write!(text, "{:05}", part.map_or(0, |part| part.number)),
                        Place::Interface => write!(text, "{}", identity.interface),
                        Place::Host => write!(text, "{:012x}", identity.host_id),
                        Place::Source => write!(text, "{}", identity.source_id),
                        Place::Name => Ok(()),
                    };
                    name.push(text);
                }
            }
        }
        Ok(name)
    }
}

fn place(word: &str, by: By) -> Result<Place, String> {
    // What help shows instead of {n} is the end of a line.
    let full = if word == "n" { "number" } else { word };
    let known = PLACES.iter().find(|(name, _)| *name == full);
    let Some((_, place)) = known else {
        let names: Vec<String> = PLACES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
        return Err(format!("has {{{word}}}, which is none of {}", names.join(", ")));
    };
    match place.needs() {
        Some((needed, option)) if needed != by => Err(format!("has {{{word}}}, which only {option} can fill in")),
        _ => Ok(*place),
    }
}

/// What a file is called without the endings of its compression and its format.
fn stem(input: &Path) -> OsString {
    let packed =
        input.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| COMPRESSED.contains(&ending));
    let inner = if packed { input.with_extension("") } else { input.to_owned() };
    match inner.file_stem() {
        Some(stem) if input.as_os_str() != "-" => stem.to_owned(),
        _ => "part".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(template: &str, input: &str) -> String {
        let name = Template::read(template, By::Row).unwrap().fill(1_700_000_000_250_000_000, None, Path::new(input));
        name.unwrap().into_string().unwrap()
    }

    #[test]
    fn places_and_times_are_filled_in() {
        assert_eq!(name("{name}-%Y%m%dT%H%M%S.%9fZ.erf", "a/b.erf"), "b-20231114T221320.250000000Z.erf");
        assert_eq!(name("{n}%%{name}", "%Y{n}.pcap.gz"), "00000%%Y{n}", "names are not read as templates");
        assert_eq!(name("{number}", "x"), "00000");
        assert_eq!(name("{name}", "in.erf.zst"), "in");
        assert_eq!(name("{name}", "-"), "part");
        assert_eq!(name("{name}", ".hidden"), ".hidden");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        for (template, by, words) in [
            ("../x", By::Row, "--out-dir"),
            ("/etc/x", By::Row, "--out-dir"),
            ("a{foo}", By::Row, "{foo}, which is none of {name}, {number}, {interface}, {host}, {source}"),
            ("a{", By::Row, "without a }"),
            ("a{n", By::Row, "without a }"),
            ("{}", By::Row, "none of"),
            ("{interface}", By::Row, "--by interface"),
            ("{interface}", By::Source, "--by interface"),
            ("{host}", By::Interface, "--by source"),
            ("", By::Row, "no name of a file"),
            ("..", By::Row, "no name of a file"),
            ("%D", By::Row, "with / in it"),
            ("a\nb", By::Row, "control"),
            ("%n", By::Row, "control"),
            ("%", By::Row, "no time"),
        ] {
            let answer = Template::read(template, by);
            assert!(answer.as_ref().is_err_and(|why| why.contains(words)), "{template}: {answer:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_template_leaves_the_folder(text in "\\PC{0,12}|([{}%./a-zA-Z0-9]{0,3}|\\{name\\}|\\{n\\}){0,4}") {
            if let Ok(template) = Template::read(&text, By::Row) {
                let name = template.fill(1_700_000_000_000_000_000, None, Path::new("../in.erf")).unwrap();
                let path = Path::new("folder").join(&name);
                proptest::prop_assert_eq!(path.parent(), Some(Path::new("folder")));
                proptest::prop_assert_eq!(path.file_name(), Some(name.as_os_str()));
            }
        }
    }
}
