//! The one table: complete, unambiguous, the same as its page, and the same in both directions.

use std::path::Path;

use factlog_core::{AppendError, Conflict, Error, ErrorKind, FailedCondition, StreamId};
use proptest::prelude::*;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{StatusExt as _, pb};

use super::values;
use crate::table::{Refusal, TABLE, markdown};
use crate::{failure_of, status_of, v1};

const KINDS: [fn(String) -> Error; 7] = [
    Error::invalid,
    Error::unavailable,
    Error::indeterminate,
    Error::corrupt,
    Error::denied,
    Error::unauthenticated,
    Error::closed,
];

/// Would fail if two refusals shared a code or a status, so that the client could not give back the right one.
#[test]
fn every_refusal_has_a_row_of_its_own() {
    for (n, row) in TABLE.iter().enumerate() {
        assert_eq!(row.refusal.row().code, row.code, "rows stand in the order of the variants");
        for other in &TABLE[..n] {
            assert_ne!(row.code, other.code);
            assert_ne!(row.grpc, other.grpc, "{}", row.code);
            assert_ne!(row.reason, other.reason);
        }
    }
    for kind in KINDS {
        let error = kind("because".to_owned());
        assert_eq!(Refusal::from(error.kind()).error(String::new()).expect("an error").kind(), error.kind());
    }
}

#[test]
fn the_page_of_errors_is_the_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    if std::env::var_os("FACTLOG_UPDATE").is_some() {
        std::fs::write(&page, markdown()).expect("write the page");
    }
    let found = std::fs::read_to_string(&page).expect("docs/errors.md");
    assert!(found == markdown(), "docs/errors.md is not the table: run this test with FACTLOG_UPDATE=1");
}

#[test]
fn only_an_indefinite_failure_says_that_it_may_have_been_written() {
    for row in &TABLE {
        assert_eq!(row.definite, row.refusal != Refusal::Indeterminate, "{}", row.code);
    }
}

#[test]
fn those_who_know_only_the_standard_details_learn_the_facts() {
    let stream = StreamId::new("account-42").expect("a stream");
    let failed = vec![FailedCondition::Revision {
        index: 1,
        stream,
        expected: factlog_core::ExpectedRevision::NoStream,
        actual: Some(factlog_core::Revision::new(9)),
    }];
    let status = status_of(&AppendError::Conflict(Conflict { failed }));
    assert_eq!(status.code(), Code::Aborted);
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("CONFLICT", "factlog"));
    let mut facts: Vec<_> = info.metadata.iter().map(|(name, fact)| format!("{name}={fact}")).collect();
    facts.sort();
    assert_eq!(
        facts,
        [
            "actual=9",
            "code=F0004",
            "condition=1",
            "definite=true",
            "expected=no stream",
            "failed_conditions=1",
            "stream=account-42"
        ]
    );
}

/// Would fail if a large conflict made the headers of its answer so large that the connection refuses them.
#[test]
fn a_status_fits_into_headers_however_much_failed() {
    let long = StreamId::new("\u{1F980}".repeat(128)).expect("512 bytes");
    let failed = |index| FailedCondition::Revision {
        index,
        stream: long.clone(),
        expected: factlog_core::ExpectedRevision::Exists,
        actual: None,
    };
    let conflict = Conflict { failed: (0..1_000).map(failed).collect() };
    let status = status_of(&AppendError::Conflict(conflict));
    let headers = status.message().len() * 3 + status.details().len().div_ceil(3) * 4;
    assert!(headers < 14 << 10, "{headers} bytes");
    let carried = pb::Status::decode(status.details()).expect("a status").details;
    let failure = v1::Failure::decode(carried[1].value.as_slice()).expect("a failure");
    let told = failure.conflict.expect("a conflict");
    assert_eq!(told.total, 1_000);
    assert!(1 < told.failed.len(), "the first few are told");
}

/// A proxy's status must never read as "nothing was written".
#[test]
fn a_bare_status_promises_nothing() {
    for code in (0..=16).map(Code::from) {
        let failure = failure_of(&Status::new(code, "from somewhere"));
        let kind = failure.failed().expect("no conflict").kind();
        assert_ne!(kind, ErrorKind::Unavailable, "{code:?}");
        assert_ne!(kind, ErrorKind::Closed, "{code:?}");
    }
    let kind = |code| failure_of(&Status::new(code, "")).failed().expect("no conflict").kind();
    assert_eq!(kind(Code::Unavailable), ErrorKind::Indeterminate);
    assert_eq!(kind(Code::Unauthenticated), ErrorKind::Unauthenticated);
    assert_eq!(kind(Code::Unimplemented), ErrorKind::Invalid);
}

/// A newer server may have a kind of its own.
#[test]
fn an_unknown_failure_keeps_its_definiteness() {
    for (definite, kind) in [(true, ErrorKind::Invalid), (false, ErrorKind::Indeterminate)] {
        let unknown = v1::Failure { kind: 99, definite, ..Default::default() };
        assert_eq!(AppendError::from(unknown).failed().expect("no conflict").kind(), kind);
    }
}

proptest! {
    #[test]
    fn a_failure_comes_back_from_its_status(which in 0..KINDS.len(), message in "\\PC{0,60}") {
        let error = KINDS[which](message);
        let back = failure_of(&status_of(&AppendError::Failed(error.clone())));
        let back = back.failed().expect("no conflict");
        prop_assert_eq!(back.kind(), error.kind());
        prop_assert_eq!(back.to_string(), error.to_string());
    }

    #[test]
    fn a_conflict_comes_back_from_its_status_and_from_a_message(conflict in values::conflict()) {
        let error = AppendError::Conflict(conflict.clone());
        let told = AppendError::from(v1::Failure::from(&error));
        prop_assert_eq!(told.conflict(), Some(&conflict));
        let told = failure_of(&status_of(&error));
        let total = told.conflict().map_or(0, |told| told.failed.len());
        prop_assert_eq!(&told.conflict().expect("a conflict").failed[..], &conflict.failed[..total]);
        prop_assert!(0 < total);
    }

    #[test]
    fn no_details_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), code in 0..20) {
        failure_of(&Status::with_details(Code::from(code), "", bytes.into()));
    }
}
