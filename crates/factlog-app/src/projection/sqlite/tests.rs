//! The file of a read model, without workers: commits, refusals, damage.

use std::path::Path;

use factlog_core::{ErrorKind, MemoryStore, Result, StreamId, Tags};
use serde::{Deserialize, Serialize};

use super::SqliteSink;
use crate::projection::{Commit, Committed, Generation, TransactionalSink};
use crate::{App, CodecError, Event, Projection, Recorded, Stored};

#[derive(Serialize, Deserialize)]
struct Ticked;

impl Event for Ticked {
    const NAME: &'static str = "clock.ticked";
    const VERSION: u32 = 1;
    const NAMES: &'static [&'static str] = &["clock.ticked"];
    fn tags(&self) -> Result<Tags> {
        Ok(Tags::NONE)
    }
    fn stream(&self) -> Result<Option<StreamId>> {
        Ok(None)
    }
    fn decode(_: &Stored<'_>) -> Result<Self, CodecError> {
        Ok(Self)
    }
}

struct Ticks;

impl Projection for Ticks {
    type Event = Ticked;
    type Key = u64;
    type Document = String;
    const NAME: &'static str = "ticks";
    fn keys(&self, _: &Recorded<Ticked>) -> Vec<u64> {
        Vec::new()
    }
    fn apply(&self, _: &u64, document: Option<String>, _: &Recorded<Ticked>) -> Option<String> {
        document
    }
}

fn open(path: &Path) -> Box<dyn TransactionalSink<u64, String>> {
    Box::new(SqliteSink::open("ticks", path).expect("opens"))
}

fn row(name: &str, text: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(text.to_owned()))
}

fn first(documents: &[(u64, Option<&str>)]) -> Commit<u64, String> {
    let mut commit = Commit::new(1);
    commit.documents = documents.iter().map(|(key, text)| (*key, text.map(str::to_owned))).collect();
    commit
}

/// Both sinks must do the same, or what is tested over one is not so over the other.
#[test]
fn a_commit_is_all_or_nothing_and_is_there_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    let memory: Box<dyn TransactionalSink<u64, String>> = Box::new(crate::projection::MemorySink::default());
    for sink in [memory, open(&path)] {
        let mut commit = first(&[(1, Some("a")), (10, Some("b")), (2, Some("c"))]);
        commit.rows = vec![row("serving", "1"), row("a/1", "x"), row("a/2", "y"), row("b", "z")];
        assert_eq!(sink.commit(commit).expect("commits"), Committed::Written);
        let mut refused = first(&[(1, Some("never"))]);
        refused.expected = vec![row("a/1", "x"), ("a/3".to_owned(), None), row("b", "other")];
        refused.rows = vec![row("a/1", "never")];
        assert_eq!(sink.commit(refused).expect("answers"), Committed::Refused);
        let mut second = first(&[(10, None)]);
        second.expected = vec![row("a/1", "x"), ("a/3".to_owned(), None)];
        second.rows = vec![("a/1".to_owned(), None)];
        assert_eq!(sink.commit(second).expect("commits"), Committed::Written);
        let names: Vec<String> = sink.rows("a/", 9).expect("reads").into_keys().collect();
        assert_eq!(names, ["a/2"]);
        assert_eq!(sink.rows("", 1).expect("reads").len(), 1);
        let all = sink.scan(Generation::Serving, &|_| true).expect("scans");
        assert_eq!(all, [(1, "a".to_owned()), (2, "c".to_owned())]);
        assert_eq!(sink.scan(Generation::Number(2), &|_| true).expect("scans"), []);
    }
    let sink = open(&path);
    assert_eq!(sink.document(Generation::Serving, &1).expect("reads"), Some("a".to_owned()));
    let mut drop = Commit::new(0);
    drop.dropped = Some(1);
    assert_eq!(sink.commit(drop).expect("commits"), Committed::Written);
    assert_eq!(sink.document(Generation::Number(1), &1).expect("reads"), None);
}

/// Trap 33: a writer that takes a refused commit for a written one loses it.
#[test]
fn the_second_of_two_writers_is_refused_before_it_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    let (one, other) = (open(&path), open(&path));
    let mut commit = first(&[(1, Some("first"))]);
    commit.expected.push(("range".to_owned(), None));
    commit.rows.push(row("range", "1"));
    assert_eq!(one.commit(commit.clone()).expect("commits"), Committed::Written);
    commit.documents = vec![(1, Some("second".to_owned()))];
    assert_eq!(other.commit(commit).expect("answers"), Committed::Refused);
    assert_eq!(one.document(Generation::Number(1), &1).expect("reads"), Some("first".to_owned()));
}

#[test]
fn a_file_that_is_no_database_is_said_with_its_path() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    std::fs::write(&path, "not a database, but long enough to be taken for one by its size alone")
        .expect("writes");
    let error = SqliteSink::open("ticks", &path).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("read.sqlite"), "{error}");
}

/// A checkpoint that makes no sense must not be taken for "nothing applied yet": every event would count again.
#[test]
fn a_checkpoint_that_makes_no_sense_is_damage_and_not_a_beginning() {
    let fine = r#"{"to":1024,"position":3,"last_position":3,"last_event":"07070707-0707-0707-0707-070707070707","owner":null,"epoch":1,"until":0}"#;
    for (from, to) in [
        ("\"position\":3,\"last_p", "\"position\":0,\"last_p"),
        ("\"position\":3,\"last_p", "\"position\":null,\"last_p"),
        ("\"position\":3,\"last_p", "\"position\":2,\"last_p"),
        ("\"position\":3,\"last_p", "\"position\":\"three\",\"last_p"),
        ("\"last_event\":\"0707", "\"last_event\":\"nobody"),
        ("\"last_position\":3", "\"last_position\":0"),
        ("\"to\":1024", "\"to\":1025"),
        ("\"to\":1024", "\"to\":0"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("read.sqlite");
        let app = App::new(MemoryStore::new());
        drop(app.project(Ticks).sqlite(&path).start().expect("starts"));
        let sink = open(&path);
        let damaged = fine.replacen(from, to, 1);
        assert_ne!(damaged, fine);
        let mut commit = first(&[]);
        commit.rows.push(row("range/00000001/0000", &damaged));
        assert_eq!(sink.commit(commit).expect("commits"), Committed::Written);
        let error = app.project(Ticks).sqlite(&path).start().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{damaged}: {error}");
        assert!(error.to_string().contains("move"), "{damaged}: {error}");
    }
}

/// A read model that waits for a file to become what it never will looks like one that is merely slow.
#[test]
fn a_file_with_other_tables_of_the_same_name_is_refused_and_not_waited_for() {
    for table in ["factlog_rows", "factlog_documents"] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("read.sqlite");
        let connection = crate::sqlite::open(&path).expect("opens");
        connection.execute(&format!("CREATE TABLE {table} (something TEXT)"), []).expect("creates");
        let error = SqliteSink::open("ticks", &path).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("not as this program makes them"), "{error}");
    }
}
