//! The one table from the kind of a failure to its code and exit code, and the help that scripts are written from.

/// What kind of failure. A new one exists only where a script would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Failure,
    Usage,
    NotFound,
    Conflict,
    Denied,
    Unavailable,
    Damage,
    Partial,
    Invalid,
    Indeterminate,
    Closed,
    /// Something is damaged or missing that takes no event away: the next opening mends it.
    Mendable,
    /// A change of events' shapes that breaks what is required.
    Incompatible,
    /// It is not known who asks.
    Unauthenticated,
    /// Whoever read our output went away: no failure of ours, and nothing to say.
    BrokenPipe,
}

/// Kind → code → exit code. Codes are for people to look up, exit codes for scripts; neither ever changes its meaning.
#[rustfmt::skip]
pub(super) const TABLE: [(Kind, &str, u8); 15] = [
    (Kind::Failure,       "F0001", 1),
    (Kind::Usage,         "F0002", 2),
    (Kind::NotFound,      "F0003", 3),
    (Kind::Conflict,      "F0004", 4),
    (Kind::Denied,        "F0005", 5),
    (Kind::Unavailable,   "F0006", 6),
    (Kind::Damage,        "F0007", 7),
    (Kind::Partial,       "F0008", 8),
    (Kind::Invalid,       "F0009", 1),
    (Kind::Indeterminate, "F0010", 6),
    (Kind::Closed,        "F0011", 6),
    (Kind::Mendable,      "F0012", 9),
    (Kind::Incompatible,  "F0013", 4),
    (Kind::Unauthenticated, "F0014", 5),
    (Kind::BrokenPipe,    "",      0),
];

/// The exit code of a code.
pub(crate) fn exit_of(code: &str) -> u8 {
    TABLE.iter().find(|(_, other, _)| *other == code).map_or(1, |(.., exit)| *exit)
}

/// Every code that a command can end with.
#[cfg(test)]
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(_, code, _)| *code).filter(|code| !code.is_empty())
}

/// The part of `--help` that scripts are written from.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    the command line is wrong
  3    not found
  4    conflict: a condition of the append did not hold, nothing was written; or a change of shapes breaks what is required
  5    not allowed, or it is not known who asks
  6    unavailable: try again (an append with the same event ids)
  7    stored data is damaged
  8    done in part: some input was refused
  9    no event is lost, but files are damaged or missing that the next opening mends
  130  interrupted";

/// Interrupted by the user, as shells write it: 128 + SIGINT.
pub(crate) const INTERRUPTED: i32 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if two kinds shared a code, so that a code in a log said two things.
    #[test]
    fn every_kind_has_one_row_and_every_code_one_kind() {
        for (n, (kind, code, exit)) in TABLE.iter().enumerate() {
            assert!(TABLE[..n].iter().all(|(other, seen, _)| other != kind && seen != code), "{code}");
            assert!(
                *exit == 0 || EXIT_CODES.contains(&format!("\n  {exit} ")),
                "exit code {exit} is not in the help"
            );
        }
    }
}
