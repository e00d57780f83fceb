//! Why a command stopped: what, why, what to do, a code.
//!
//! It knows no command. Everything a person reads about a failure goes through [`Failure::report`].

mod codes;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use factlog_core::{AppendError, Conflict, Error, ErrorKind, FailedCondition, Position};
use serde_json::{Value, json};

use self::codes::TABLE;
#[cfg(test)]
pub(crate) use self::codes::codes;
pub(crate) use self::codes::{EXIT_CODES, INTERRUPTED, Kind, exit_of};

/// A command's outcome.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    what: String,
    why: Option<String>,
    advice: Option<String>,
    facts: Option<Value>,
}

impl Failure {
    /// A failure of this kind; `what` is a sentence without its full stop.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: None, advice: None, facts: None }
    }

    /// The same with its cause.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The same with what to do about it.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// An input or output that failed: `doing` is what was tried, such as "read loans.ndjson".
    pub(crate) fn io(doing: impl std::fmt::Display, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            _ => Kind::Failure,
        };
        Self::new(kind, format!("cannot {doing}")).because(error.to_string())
    }

    /// A store's refusal or failure.
    pub(crate) fn store(doing: impl std::fmt::Display, error: &Error) -> Self {
        let (kind, advice) = match error.kind() {
            ErrorKind::Invalid => (Kind::Invalid, "correct it; as it stands it can never succeed"),
            ErrorKind::Unavailable => (Kind::Unavailable, "nothing was written; try again later"),
            ErrorKind::Indeterminate => {
                (Kind::Indeterminate, "it may have been written; run it again with the same event ids")
            }
            ErrorKind::Corrupt => (Kind::Damage, "run `factlog verify` to see all that is damaged"),
            ErrorKind::Unauthenticated => {
                (Kind::Unauthenticated, "give a good key: --key-file FILE, or FACTLOG_KEY_FILE")
            }
            ErrorKind::Denied => (Kind::Denied, "ask the owner of the data for access"),
            ErrorKind::Closed => (Kind::Closed, "run it again; the store is opened anew"),
            _ => (Kind::Failure, "see what the sentence above says"),
        };
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let _ = write!(why, ": {error}");
            cause = error.source();
        }
        Self::new(kind, format!("cannot {doing}")).because(why).advise(advice)
    }

    /// An append that wrote nothing, or may not have.
    pub(crate) fn append(error: &AppendError) -> Self {
        match error {
            AppendError::Conflict(conflict) => Self::conflict(conflict),
            AppendError::Failed(error) => Self::store("append", error),
        }
    }

    fn conflict(conflict: &Conflict) -> Self {
        let failed: Vec<Value> = conflict.failed.iter().map(condition).collect();
        Self {
            facts: Some(json!(failed)),
            ..Self::new(Kind::Conflict, "a condition does not hold, nothing was written")
                .because(conflict.to_string())
                .advise("read again, decide again, append with what you read")
        }
    }

    /// The same, of a store behind a server: which one, and what to do where that differs.
    pub(crate) fn behind(mut self, url: &str) -> Self {
        let advice = match self.kind {
            Kind::Unavailable => {
                "nothing was written; look whether `factlog serve` still runs there, and try again later"
            }
            Kind::Closed => "the operator has to start the server again",
            Kind::Damage => "run `factlog verify` on the machine of the server to see all that is damaged",
            Kind::Indeterminate => "it may have been written; run it again with the same event ids",
            Kind::Failure
            | Kind::Usage
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Denied
            | Kind::Unauthenticated
            | Kind::Partial => {
                return self;
            }
            Kind::Invalid | Kind::Mendable | Kind::Incompatible | Kind::BrokenPipe => return self,
        };
        if !self.what.contains(url) {
            self.why = Some(self.why.map_or_else(|| url.to_owned(), |why| format!("{url}: {why}")));
            self.advice = Some(advice.to_owned());
        }
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The code and the exit code of its kind.
    fn row(&self) -> (&'static str, u8) {
        let row = TABLE.iter().find(|(kind, ..)| *kind == self.kind);
        row.map_or(("F0001", 1), |(_, code, exit)| (code, *exit))
    }

    /// Says it on standard error, as one JSON line if asked for, and gives the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let (_, exit) = self.row();
        if self.kind != Kind::BrokenPipe {
            let text = if json { self.to_json() } else { self.to_text() };
            say(&text);
        }
        ExitCode::from(exit)
    }

    fn to_text(&self) -> String {
        let mut text = format!("error {}: {}", self.row().0, self.what);
        for (label, part) in [("why:       ", &self.why), ("what to do:", &self.advice)] {
            if let Some(part) = part {
                let _ = write!(text, "\n  {label} {part}");
            }
        }
        text
    }

    fn to_json(&self) -> String {
        let (code, exit) = self.row();
        let mut error = json!({ "code": code, "exit": exit, "what": self.what });
        for (name, part) in [("why", &self.why), ("what_to_do", &self.advice)] {
            if let Some(part) = part {
                error[name] = json!(part);
            }
        }
        if let Some(facts) = &self.facts {
            error["failed"] = facts.clone();
        }
        json!({ "error": error }).to_string()
    }
}

impl std::fmt::Display for Failure {
    /// The sentence and its cause, for a place where there is one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{}: {why}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// A command line that clap refused, or an answer such as `--help` that it gave instead.
pub(crate) fn usage(refused: &clap::Error, json: bool) -> ExitCode {
    if json && refused.use_stderr() {
        let text = refused.to_string();
        return Failure::new(Kind::Usage, text.trim().trim_start_matches("error: ")).report(true);
    }
    // A reader of the help that went away is no failure.
    let _ = refused.print();
    if refused.use_stderr() {
        say("code: F0002");
    }
    ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2))
}

/// Decides for the whole process whether what it says has colours; `Auto` leaves it to the surroundings.
pub(crate) fn color(choice: clap::ColorChoice) {
    let choice = match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Whether something may move on standard error: it is a terminal, and one that shows colours.
pub(crate) fn may_move() -> bool {
    let errors = io::stderr();
    errors.is_terminal() && anstream::AutoStream::choice(&errors) != anstream::ColorChoice::Never
}

/// One message on standard error, in colour where that is wanted: `--color`, `NO_COLOR`, `CLICOLOR_FORCE` and `TERM` decide.
pub(crate) fn say(text: &str) {
    let (red, plain) = ("\u{1b}[1;31m", "\u{1b}[0m");
    let mut errors = anstream::stderr().lock();
    // Where standard error itself is gone there is nobody left to tell.
    let _ = match text.strip_prefix("error ") {
        Some(rest) => writeln!(errors, "{red}error{plain} {rest}"),
        None => writeln!(errors, "{text}"),
    };
}

fn condition(failed: &FailedCondition) -> Value {
    match failed {
        FailedCondition::Revision { index, stream, expected, actual } => json!({
            "condition": index, "stream": stream.as_str(), "expected": expected.to_string(),
            "actual": actual.map(factlog_core::Revision::get),
        }),
        FailedCondition::NoneMatch { index, position } => {
            json!({ "condition": index, "position": position.get() })
        }
        FailedCondition::Tracking { stale, recorded } => json!({
            "source": stale.source.as_str(), "position": stale.position.get(), "recorded": Position::get(*recorded),
        }),
        other => json!({ "what": other.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factlog_core::{ExpectedRevision, Revision, StreamId};

    /// Would fail if the same failure had another code or exit code over the network than here.
    #[test]
    fn the_table_of_the_wire_says_the_same() {
        for row in &factlog_proto::TABLE {
            assert!(
                TABLE.iter().any(|(_, code, exit)| *code == row.code && *exit == row.exit),
                "{} {}",
                row.code,
                row.exit
            );
        }
        let store = |error| Failure::store("read", &error).row();
        for (error, refusal) in [
            (Error::invalid(""), factlog_proto::Refusal::Invalid),
            (Error::unavailable(""), factlog_proto::Refusal::Unavailable),
            (Error::indeterminate(""), factlog_proto::Refusal::Indeterminate),
            (Error::corrupt(""), factlog_proto::Refusal::Corrupt),
            (Error::denied(""), factlog_proto::Refusal::Denied),
            (Error::unauthenticated(""), factlog_proto::Refusal::Unauthenticated),
            (Error::closed(""), factlog_proto::Refusal::Closed),
        ] {
            assert_eq!(store(error), (refusal.row().code, refusal.row().exit));
        }
    }

    #[test]
    fn a_conflict_says_what_was_expected_and_what_is() {
        let stream = StreamId::new("account-42").unwrap();
        let failed = vec![FailedCondition::Revision {
            index: 0,
            stream,
            expected: ExpectedRevision::At(Revision::new(7)),
            actual: Some(Revision::new(9)),
        }];
        let failure = Failure::append(&AppendError::Conflict(Conflict { failed }));
        insta::assert_snapshot!(failure.to_text(), @"
        error F0004: a condition does not hold, nothing was written
          why:        stream account-42 is at revision 9, expected revision 7
          what to do: read again, decide again, append with what you read
        ");
        insta::assert_snapshot!(failure.to_json(), @r#"{"error":{"code":"F0004","exit":4,"failed":[{"actual":9,"condition":0,"expected":"revision 7","stream":"account-42"}],"what":"a condition does not hold, nothing was written","what_to_do":"read again, decide again, append with what you read","why":"stream account-42 is at revision 9, expected revision 7"}}"#);
    }
}
