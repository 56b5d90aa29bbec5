//! What is to be said in META records, as options name it.

use erf::meta::{SectionType, TagType, ValueKind};
use erf::provenance::Change;

use super::super::{Failure, instant};

#[derive(Debug, clap::Args)]
pub(super) struct Naming {
    /// Name of the host: --set host.hostname=NAME.
    #[arg(long, value_name = "NAME", value_parser = said)]
    host: Option<String>,

    /// Name of an interface, 0=uplink: --set interface0.name=uplink.
    #[arg(long, value_name = "N=NAME", value_parser = interface)]
    interface: Vec<(u8, String)>,

    /// Set the text of a tag, in all sections of this name or in that of a number: host.os=Linux, interface0.descr=uplink.
    #[arg(long, value_name = "SECTION.TAG=TEXT", value_parser = set)]
    set: Vec<Change>,
}

impl Naming {
    /// All of it, and what is to be `removed`.
    pub(super) fn changes(&self, removed: &[Change]) -> Result<Vec<Change>, Failure> {
        instant::once("--interface", self.interface.iter().map(|(number, _)| number))?;
        let interfaces = self.interface.iter().map(|(number, name)| Change::interface(*number, name));
        let named = self.host.iter().map(Change::host).chain(interfaces);
        let changes: Vec<Change> = named.chain(self.set.iter().cloned()).chain(removed.iter().cloned()).collect();
        instant::once("one of --host, --interface, --set and --unset", changes.iter().map(key))?;
        Ok(changes)
    }
}

/// How an option names what is changed.
pub(super) fn key(change: &Change) -> String {
    let number = change.number().map(|number| number.to_string()).unwrap_or_default();
    format!("{}{number}.{}", change.section().to_string().to_lowercase(), change.tag())
}

/// Sections and tags that can be named, for the help.
pub(super) fn help() -> String {
    let names = SectionType::ALL.iter().filter_map(|section| section.name());
    let sections: Vec<String> = names.map(str::to_lowercase).collect();
    let tags = TagType::ALL.iter().filter(|tag| tag.kind() == ValueKind::Text).filter_map(|tag| tag.name());
    format!(
        "SECTION is {}; the number behind it is that of the interface or the stream, for others the id that erf meta show prints.\n\
         TAG is a tag of text: {}.",
        sections.join(", "),
        tags.collect::<Vec<_>>().join(", "),
    )
}

fn said(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty; erf meta edit --unset removes".to_owned()) } else { Ok(text.to_owned()) }
}

fn interface(text: &str) -> Result<(u8, String), String> {
    match text.split_once('=').map(|(number, name)| (number.parse::<u8>(), name)) {
        Some((Ok(number @ 0..8), name)) => Ok((number, said(name)?)),
        _ => Err("N=NAME, with N from 0 to 7".to_owned()),
    }
}

/// `host.os=Linux`.
fn set(text: &str) -> Result<Change, String> {
    let (target, value) =
        text.split_once('=').ok_or("SECTION.TAG=TEXT, such as host.os=Linux or interface0.descr=uplink")?;
    let (section, number, tag) = read(target)?;
    Change::set(section, number, tag, said(value)?).map_err(|error| error.to_string())
}

/// `host.os`.
pub(super) fn unset(text: &str) -> Result<Change, String> {
    let (section, number, tag) = read(text)?;
    Change::unset(section, number, tag).map_err(|error| error.to_string())
}

fn read(text: &str) -> Result<(SectionType, Option<u16>, TagType), String> {
    let (section, tag) = text.split_once('.').ok_or("SECTION.TAG, such as host.os or interface0.descr")?;
    let word = section.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number = match section.strip_prefix(word) {
        None | Some("") => None,
        Some(digits) => Some(digits.parse::<u16>().map_err(|_| format!("{digits} is no number of a section"))?),
    };
    let mut named =
        SectionType::ALL.iter().filter(|known| known.name().is_some_and(|name| name.eq_ignore_ascii_case(word)));
    let section = named.next().ok_or_else(|| {
        format!("there is no section {word:?}: host, capture, interface0 are some, and --help has all")
    })?;
    let tag = TagType::from_name(&tag.to_ascii_lowercase())
        .ok_or_else(|| format!("there is no tag {tag:?}: name, comment, descr are some, and --help has all"))?;
    Ok((*section, number, tag))
}

/// `site=lab3`.
pub(super) fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE, with a KEY".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_named_by_section_and_number() {
        for (text, name) in [
            ("host.os=Linux", "host.os"),
            ("Interface0.name=a=b", "interface0.name"),
            ("capture.COMMENT=x.y", "capture.comment"),
            ("module12.fw_version=1", "module12.fw_version"),
        ] {
            let change = set(text).unwrap();
            assert_eq!(key(&change), name);
            assert_eq!(change.text(), text.split_once('=').map(|(_, value)| value));
            assert_eq!(unset(name).map(|change| key(&change)), Ok(name.to_owned()));
        }
        for (text, words) in [
            ("os=Linux", "SECTION.TAG"),
            ("host.os", "SECTION.TAG=TEXT"),
            ("hots.os=x", "no section \"hots\""),
            ("host.so=x", "no tag \"so\""),
            ("host.mem=1", "mem holds u64, and only text"),
            ("host.os=", "--unset"),
            ("interface65535.name=x", "number 65535"),
            ("interface65536.name=x", "65536 is no number"),
            (".=", "no section"),
        ] {
            let answer = set(text);
            assert!(answer.as_ref().is_err_and(|why| why.contains(words)), "{text}: {answer:?}");
        }
        assert!(
            attribute("=x").is_err() && attribute("").is_err() && attribute("x").is_err() && attribute(" =x").is_err()
        );
        assert_eq!(attribute("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "\\PC{0,12}|(host|interface|stream|x)?[0-9]{0,6}[.=]?(os|name|mem)?[.=]?\\PC{0,3}") {
            let _ = (set(&text), unset(&text), attribute(&text), interface(&text));
        }
    }
}
