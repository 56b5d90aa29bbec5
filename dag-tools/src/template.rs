//! Names of files made from a template: fields in braces, and times in UTC as `strftime` has them.

use dag::file::Timestamp;

/// A name with places to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// `text`, which is not looked at before the first name is made.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether names made of it can differ.
    pub fn varies(&self) -> bool {
        self.0.contains('%') || self.0.contains("{n}") || self.0.contains("{number}")
    }

    /// A name: times are those of `time`, and each `{KEY}` is its value. A field that is not among `fields` stays as it is.
    ///
    /// # Errors
    ///
    /// What is wrong with the template, as a line.
    pub fn name(&self, time: Timestamp, fields: &[(&str, &str)]) -> Result<String, String> {
        let wrong = |error: jiff::Error| format!("the template {} makes no name: {error}", self.0);
        let time = jiff::Timestamp::from_nanosecond(i128::from(time.nanos())).map_err(wrong)?;
        let mut name = jiff::fmt::strtime::format(&self.0, time).map_err(wrong)?;
        for (key, value) in fields {
            name = name.replace(&format!("{{{key}}}"), value);
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_fields_are_filled_in() {
        let time = Timestamp::from_parts(1_700_000_000, 1 << 31);
        let name = |text: &str| Template::new(text).name(time, &[("n", "00007"), ("name", "wire")]);
        assert_eq!(name("{name}-%Y%m%dT%H%M%SZ-{n}.erf").unwrap(), "wire-20231114T221320Z-00007.erf");
        assert_eq!(name("%H.%9f{other}").unwrap(), "22.500000000{other}");
        assert!(name("100%").unwrap_err().contains("100%"));
        assert!(["{n}", "a{number}"].into_iter().all(|text| Template::new(text).varies()));
        assert!(Template::new("%H").varies() && !Template::new("{name}.erf").varies());
    }
}
