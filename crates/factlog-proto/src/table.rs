//! The one table of errors: what went wrong → gRPC status → HTTP status → exit code → stable code.
//!
//! `docs/errors.md` is made of it, and a test compares the two. Codes and reasons never change their meaning.

use std::fmt::Write as _;

use factlog_core::{AppendError, Error, ErrorKind};
use tonic::Code;

use crate::v1::FailureKind;

/// The domain of every `google.rpc.ErrorInfo` from factlog.
pub const DOMAIN: &str = "factlog";

/// Why a request was not done, or may not have been: the kinds of core's errors, and the lost race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A condition of the append did not hold.
    Conflict,
    /// [`ErrorKind::Invalid`].
    Invalid,
    /// [`ErrorKind::Unavailable`].
    Unavailable,
    /// [`ErrorKind::Indeterminate`].
    Indeterminate,
    /// [`ErrorKind::Corrupt`].
    Corrupt,
    /// [`ErrorKind::Denied`].
    Denied,
    /// [`ErrorKind::Closed`].
    Closed,
    /// [`ErrorKind::Unauthenticated`].
    Unauthenticated,
}

/// What one refusal is on every surface.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is about.
    pub refusal: Refusal,
    /// The stable code that people look up.
    pub code: &'static str,
    /// The reason in a `google.rpc.ErrorInfo`.
    pub reason: &'static str,
    /// The code of the gRPC status.
    pub grpc: Code,
    /// The status over HTTP.
    pub http: u16,
    /// The exit code of the command line.
    pub exit: u8,
    /// Whether it is certain that the request wrote nothing.
    pub definite: bool,
    /// What it means.
    pub meaning: &'static str,
    /// What the caller should do.
    pub what_to_do: &'static str,
    pub(crate) wire: FailureKind,
}

/// Every refusal, once. The codes are those of the command line, which has a few more of its own.
#[rustfmt::skip]
pub const TABLE: [Row; 8] = [
    row(Refusal::Conflict, FailureKind::Conflict, ("F0004", "CONFLICT"), (Code::Aborted, 409, 4), true,
        "A condition of the append did not hold: what the caller decided on is no longer so.",
        "Read again, decide again, append with what you read. The details say which condition failed and what broke it."),
    row(Refusal::Invalid, FailureKind::Invalid, ("F0009", "INVALID"), (Code::InvalidArgument, 400, 1), true,
        "The request can never succeed as it stands.",
        "Correct it; the message names the bound or the missing part."),
    row(Refusal::Unavailable, FailureKind::Unavailable, ("F0006", "UNAVAILABLE"), (Code::Unavailable, 503, 6), true,
        "The store or the server cannot do it now.",
        "Try again later, with back-off."),
    row(Refusal::Indeterminate, FailureKind::Indeterminate, ("F0010", "INDETERMINATE"), (Code::Unknown, 504, 6), false,
        "It may have been written: no answer came, or the write failed half way.",
        "Send it again with the same event ids: it is written once, whatever happened before."),
    row(Refusal::Corrupt, FailureKind::Corrupt, ("F0007", "CORRUPT"), (Code::DataLoss, 500, 7), true,
        "Stored bytes are not what was written.",
        "Run `factlog verify` on the data directory to see all that is damaged."),
    row(Refusal::Denied, FailureKind::Denied, ("F0005", "DENIED"), (Code::PermissionDenied, 403, 5), true,
        "The caller may not do this.",
        "Ask the owner of the data for access."),
    row(Refusal::Closed, FailureKind::Closed, ("F0011", "CLOSED"), (Code::FailedPrecondition, 503, 6), true,
        "The store is closed, or its handle is finished after a failed write.",
        "Open it again; over the network, the operator has to start the server again."),
    row(Refusal::Unauthenticated, FailureKind::Unauthenticated, ("F0014", "UNAUTHENTICATED"), (Code::Unauthenticated, 401, 5), true,
        "The caller did not show who it is, or its key is unknown, expired or revoked.",
        "Send a good key as `authorization: Bearer KEY`; `factlog auth keys create` makes one."),
];

/// What a program beside the store refuses by a rule of its own: no error of a store, and nothing that gRPC tells of.
#[rustfmt::skip]
pub static REJECTED: Row =
    row(Refusal::Invalid, FailureKind::Invalid, ("F0015", "REJECTED"), (Code::FailedPrecondition, 422, 1), true,
        "A rule of the program that was called says no, as things stand.",
        "The message is the rule's. Do something else, or call again when things have changed.");

const fn row(
    refusal: Refusal,
    wire: FailureKind,
    (code, reason): (&'static str, &'static str),
    (grpc, http, exit): (Code, u16, u8),
    definite: bool,
    meaning: &'static str,
    what_to_do: &'static str,
) -> Row {
    Row { refusal, code, reason, grpc, http, exit, definite, meaning, what_to_do, wire }
}

impl Refusal {
    /// What an append's error is.
    pub fn of(error: &AppendError) -> Self {
        match error {
            AppendError::Conflict(_) => Self::Conflict,
            AppendError::Failed(error) => Self::from(error.kind()),
        }
    }

    /// Its row of the table.
    pub fn row(self) -> &'static Row {
        // In the order of the variants; a test holds them together.
        &TABLE[self as usize]
    }

    /// The error it is in core, for all but a conflict.
    pub(crate) fn error(self, message: String) -> Option<Error> {
        match self {
            Self::Conflict => None,
            Self::Invalid => Some(Error::invalid(message)),
            Self::Unavailable => Some(Error::unavailable(message)),
            Self::Indeterminate => Some(Error::indeterminate(message)),
            Self::Corrupt => Some(Error::corrupt(message)),
            Self::Denied => Some(Error::denied(message)),
            Self::Unauthenticated => Some(Error::unauthenticated(message)),
            Self::Closed => Some(Error::closed(message)),
        }
    }
}

impl From<ErrorKind> for Refusal {
    /// A kind this version has no row for promises nothing: it may have been written.
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Corrupt => Self::Corrupt,
            ErrorKind::Denied => Self::Denied,
            ErrorKind::Unauthenticated => Self::Unauthenticated,
            ErrorKind::Closed => Self::Closed,
            _ => Self::Indeterminate,
        }
    }
}

/// The table as a page.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    page.push_str("| code | reason | gRPC status | HTTP | exit code | nothing was written |\n|---|---|---|---|---|---|\n");
    for row in TABLE.iter().chain([&REJECTED]) {
        let Row { code, reason, grpc, http, exit, .. } = row;
        let number = *grpc as i32;
        let certain = if row.definite { "certain" } else { "not certain" };
        let _ = writeln!(page, "| {code} | `{reason}` | {grpc:?} ({number}) | {http} | {exit} | {certain} |");
    }
    for row in TABLE.iter().chain([&REJECTED]) {
        let _ = write!(page, "\n## {} {}\n\n{}\n\n{}\n", row.code, row.reason, row.meaning, row.what_to_do);
    }
    page
}

const HEAD: &str = "# Errors

What a refusal is on every surface. This page is made from the table in `crates/factlog-proto/src/table.rs`; a test compares
the two, and writes the page anew when it is run with `FACTLOG_UPDATE=1`. `factlog explain CODE` says it without the page.

A gRPC status carries a `google.rpc.ErrorInfo` of the domain `factlog` (the reason below; `code` and `definite` in its
metadata) and a `factlog.v1.Failure` with all facts. A status without them comes from a connection or a proxy and not from a
store: after it, an append may have been written, and is repeated with the same event ids.

";
