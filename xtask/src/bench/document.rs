//! The part of a document that is written here, between marks; what people wrote around it stays.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{About, Result};

#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let text = if path.exists() { fs::read_to_string(path).about(path)? } else { String::new() };
        Ok(Self { path: path.to_owned(), text })
    }

    /// Puts `block` in place of what stands under this name, or at the end.
    pub(super) fn put(&mut self, name: &str, block: &str) {
        self.text = with_block(&self.text, name, block);
    }

    pub(super) fn save(&self) -> Result {
        fs::write(&self.path, &self.text).about(&self.path)
    }
}

fn with_block(text: &str, name: &str, block: &str) -> String {
    let (begin, end) = (format!("<!-- bench {name}: begin -->"), format!("<!-- bench {name}: end -->"));
    let block = format!("{begin}\n{}\n{end}", block.trim());
    let found = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match found {
        Some((before, after)) => format!("{before}{block}{after}"),
        None if text.is_empty() => format!("{block}\n"),
        None => format!("{}\n\n{block}\n", text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_takes_the_place_of_the_one_of_its_name_and_leaves_the_rest() {
        let text =
            "# Figures\n\nBy hand.\n\n<!-- bench walk: begin -->\nold\n<!-- bench walk: end -->\n\nMore by hand.\n";
        let new = with_block(text, "walk", "new\n");
        assert_eq!(new, text.replace("old", "new"));
        assert_eq!(with_block(&new, "walk", "new"), new);
    }

    #[test]
    fn a_block_without_a_place_comes_last() {
        let new = with_block("# Figures\n", "merge", "table");
        assert_eq!(new, "# Figures\n\n<!-- bench merge: begin -->\ntable\n<!-- bench merge: end -->\n");
        // An end that is missing swallows nothing.
        let torn = "<!-- bench merge: begin -->\nby hand\n";
        assert!(with_block(torn, "merge", "table").contains("by hand"));
    }
}
