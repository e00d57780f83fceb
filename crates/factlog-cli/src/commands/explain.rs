//! `factlog explain`: what a code in an error means. What stores refuse is told from the one table in `factlog-proto`.

use clap::Args;
use factlog_proto::{REJECTED, Row, TABLE};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome, exit_of};
use crate::nearest::nearest;
use crate::output::answer;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog explain F0004
  factlog explain F0010 --json
  factlog explain";

/// Explain an error code: what happened, whether anything was written, what to do
///
/// Without a code, all of them.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The code, such as F0004, or its reason, such as CONFLICT
    code: Option<String>,
}

/// What one code means.
struct Entry {
    code: &'static str,
    exit: u8,
    meaning: &'static str,
    what_to_do: &'static str,
    /// Whether it is certain that nothing was written; where that depends, nothing.
    definite: Option<bool>,
    /// Its row on the wire; `None` for what only the command line says.
    wire: Option<&'static Row>,
}

/// Code, meaning, what to do, and whether nothing was written, of what only the command line says.
#[rustfmt::skip]
const OURS: [(&str, &str, &str, Option<bool>); 6] = [
    ("F0001", "The command failed for a reason outside of the store, such as a file that cannot be written.",
        "The message says what failed and why; correct that and run it again.", None),
    ("F0002", "The command line is wrong.",
        "Correct it; `--help` after a command shows its options, with examples.", Some(true)),
    ("F0003", "What was asked for does not exist: a store, a stream, a file, a context.",
        "Look for a mistyped name.", Some(true)),
    ("F0008", "A part was done: some input was refused, the rest is in the store.",
        "Correct what was named and run it again; what is there is passed over.", None),
    ("F0012", "Files are damaged or missing that take no event away.",
        "Run `factlog verify --mend`, or open the store for writing: it builds them again.", Some(true)),
    ("F0013", "A change of the shapes of events breaks what is required of it.",
        "Keep the old shape readable as the message says, or declare the break.", Some(true)),
];

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let entries = entries();
    let Some(code) = &arguments.code else {
        let document = || json!({ "codes": entries.iter().map(Entry::document).collect::<Vec<_>>() });
        return answer(context.json, document, || list(&entries));
    };
    let wanted = code.to_ascii_uppercase();
    let entry = entries.iter().find(|entry| entry.code == wanted || entry.reason() == Some(&wanted));
    let entry = entry.ok_or_else(|| unknown(code, &wanted, &entries))?;
    answer(context.json, || entry.document(), || entry.text())
}

/// Every code, in order.
fn entries() -> Vec<Entry> {
    let wire = TABLE.iter().chain([&REJECTED]).map(|row| Entry {
        code: row.code,
        exit: row.exit,
        meaning: row.meaning,
        what_to_do: row.what_to_do,
        definite: Some(row.definite),
        wire: Some(row),
    });
    let ours = OURS.iter().map(|(code, meaning, what_to_do, definite)| Entry {
        code,
        exit: exit_of(code),
        meaning,
        what_to_do,
        definite: *definite,
        wire: None,
    });
    let mut entries: Vec<Entry> = wire.chain(ours).collect();
    entries.sort_by_key(|entry| entry.code);
    entries
}

fn unknown(code: &str, wanted: &str, entries: &[Entry]) -> Failure {
    let words = entries.iter().map(|entry| entry.code).chain(entries.iter().filter_map(Entry::reason));
    Failure::new(Kind::NotFound, format!("there is no code {code:?}")).advise(match nearest(wanted, words) {
        Some(near) => format!("is {near} meant? `factlog explain` lists all codes"),
        None => "`factlog explain` lists all codes".to_owned(),
    })
}

impl Entry {
    fn reason(&self) -> Option<&'static str> {
        self.wire.map(|row| row.reason)
    }

    fn certain(&self) -> &'static str {
        match self.definite {
            Some(true) => "definite: nothing was written",
            Some(false) => "indefinite: it may have been written",
            None => "in part: the message says what was done",
        }
    }

    fn document(&self) -> Value {
        json!({
            "code": self.code,
            "reason": self.reason(),
            "meaning": self.meaning,
            "definite": self.definite,
            "grpc": self.wire.map(|row| json!({ "name": format!("{:?}", row.grpc), "number": row.grpc as i32 })),
            "http": self.wire.map(|row| row.http),
            "exit": self.exit,
            "what_to_do": self.what_to_do,
        })
    }

    fn text(&self) -> String {
        let title = [self.code, self.reason().unwrap_or("(command line)")].join(" ");
        let mut text = format!("{title}\n\n{}\n\n", self.meaning);
        text.push_str(&format!("{:<13}{}\n", "outcome", self.certain()));
        if let Some(row) = self.wire {
            text.push_str(&format!("{:<13}{:?} ({})\n", "gRPC status", row.grpc, row.grpc as i32));
            text.push_str(&format!("{:<13}{}\n", "HTTP status", row.http));
        }
        text.push_str(&format!("{:<13}{}\n", "exit code", self.exit));
        text.push_str(&format!("{:<13}{}", "what to do", self.what_to_do));
        text
    }
}

fn list(entries: &[Entry]) -> String {
    let row = |entry: &Entry| {
        format!("{}  {:>4}  {:<14} {}", entry.code, entry.exit, entry.reason().unwrap_or("-"), entry.meaning)
    };
    let rows: Vec<String> = entries.iter().map(row).collect();
    format!("CODE   EXIT  REASON         WHAT HAPPENED\n{}", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a command could end with a code that nobody explains.
    #[test]
    fn every_code_that_a_command_says_is_explained_once() {
        let explained: Vec<&str> = entries().iter().map(|entry| entry.code).collect();
        // What only programs beside the store answer.
        let mut said: Vec<&str> = crate::failure::codes().chain([REJECTED.code]).collect();
        said.sort_unstable();
        assert_eq!(explained, said);
    }
}
