//! Standard output: data only, buffered; a reader that goes away ends the command quietly.
//!
//! It knows no formats; `render` does.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::Value;

use crate::failure::{Failure, Outcome};

const BUFFER_BYTES: usize = 64 << 10;

/// Where a command's data goes.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock()))
    }

    /// One line.
    pub(crate) fn line(&mut self, text: impl AsRef<[u8]>) -> Outcome {
        self.bytes(text.as_ref())?;
        self.bytes(b"\n")
    }

    /// These bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.0.write_all(bytes).map_err(|error| failed(&error))
    }

    /// One JSON document, on one line.
    pub(crate) fn document(&mut self, document: &Value) -> Outcome {
        self.line(document.to_string())
    }

    /// Hands on what is buffered; every command ends with it, since dropping could not say that it failed.
    pub(crate) fn flush(&mut self) -> Outcome {
        self.0.flush().map_err(|error| failed(&error))
    }
}

/// One document or one text, and done.
pub(crate) fn answer(json: bool, document: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Outcome {
    let mut output = Output::stdout();
    if json {
        output.document(&document())?;
    } else {
        output.line(text())?;
    }
    output.flush()
}

/// The text with control characters escaped, so that stored data cannot drive the terminal it is shown on.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

fn failed(error: &io::Error) -> Failure {
    Failure::io("write to standard output", error)
}

#[cfg(test)]
mod tests {
    use super::printable;

    /// Would fail if an event could move the cursor or recolour the reader's terminal.
    #[test]
    fn stored_escape_sequences_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\nč"), "a\\u{1b}[31mb\\nč");
    }
}
