//! [`learn`]: asks a C compiler.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

use super::{EXPRESSIONS, Values};

/// The values could not be learned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A file could not be written, or a program not started.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        cause: io::Error,
    },
    /// The headers are not there, or are none that a compiler takes.
    #[error("{folder}: {compiler} does not take the headers there (dagapi.h, dagnew.h, dag_config_api.h): {said}")]
    Headers {
        /// The folder of the headers.
        folder: String,
        /// The compiler.
        compiler: String,
        /// The first line of what it said.
        said: String,
    },
    /// The compiled program did not print what it should.
    #[error("the program that was to print the values printed {0:?}")]
    Output(String),
}

/// Learns the values of the headers in the folder `include`, with the C compiler `compiler`.
///
/// # Errors
///
/// When there is no compiler, or it does not take the headers. A name that they lack is no error, and stays unknown.
pub fn learn(include: &Path, compiler: &OsStr) -> Result<Values, LearnError> {
    let folder =
        tempfile::tempdir().map_err(|cause| LearnError::Io { what: "a folder for the program".into(), cause })?;
    let probe = Probe { include, compiler, folder: folder.path() };
    // First nothing but the headers, so that it is known what an error is about.
    probe.compile(&[])?.map_err(|output| probe.refused(&output))?;
    let program = match probe.compile(EXPRESSIONS)? {
        Ok(()) => EXPRESSIONS.to_vec(),
        Err(_) => {
            let mut known = Vec::new();
            for expression in EXPRESSIONS {
                if probe.compile(&[expression])?.is_ok() {
                    known.push(*expression);
                }
            }
            probe.compile(&known)?.map_err(|output| probe.refused(&output))?;
            known
        }
    };
    probe.run(&program)
}

struct Probe<'a> {
    include: &'a Path,
    compiler: &'a OsStr,
    folder: &'a Path,
}

impl Probe<'_> {
    /// Compiles the program that prints `expressions`; the inner error is what the compiler has against it.
    fn compile(&self, expressions: &[&str]) -> Result<Result<(), Output>, LearnError> {
        let source = self.folder.join("probe.c");
        std::fs::write(&source, source_of(expressions))
            .map_err(|cause| LearnError::Io { what: source.display().to_string(), cause })?;
        let mut compile = Command::new(self.compiler);
        compile.arg("-I").arg(self.include).arg("-o").arg(self.program()).arg(&source);
        let output = start(&mut compile)?;
        Ok(if output.status.success() { Ok(()) } else { Err(output) })
    }

    fn program(&self) -> std::path::PathBuf {
        self.folder.join("probe")
    }

    fn run(&self, expressions: &[&str]) -> Result<Values, LearnError> {
        let output = start(&mut Command::new(self.program()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut values = Values::default();
        let mut lines = text.lines();
        for expression in expressions {
            let value = lines.next().and_then(|line| line.parse().ok());
            values.set(expression, value.ok_or_else(|| LearnError::Output(text.clone()))?);
        }
        Ok(values)
    }

    fn refused(&self, output: &Output) -> LearnError {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| line.contains("error")).or_else(|| said.lines().next());
        LearnError::Headers {
            folder: self.include.display().to_string(),
            compiler: self.compiler.to_string_lossy().into_owned(),
            said: line.unwrap_or("it does not say why").to_owned(),
        }
    }
}

fn start(command: &mut Command) -> Result<Output, LearnError> {
    let output = command.output();
    output.map_err(|cause| LearnError::Io { what: command.get_program().to_string_lossy().into_owned(), cause })
}

fn source_of(expressions: &[&str]) -> String {
    let mut source = String::from(
        "#include <stddef.h>\n#include <stdio.h>\n#include <dagapi.h>\n#include <dagnew.h>\n#include <daginf.h>\n\
         #include <dagpci.h>\n#include <dag_config_api.h>\nint main(void)\n{\n",
    );
    for expression in expressions {
        source += &format!("    printf(\"%lld\\n\", (long long)({expression}));\n");
    }
    source + "    return 0;\n}\n"
}
