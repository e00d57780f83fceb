//! The file of a read model, without a log: generations, checkpoints, and two writers.

use std::path::Path;

use factlog_core::{ErrorKind, EventId, Position, Result, StreamId, Tags};
use serde::{Deserialize, Serialize};

use super::SqliteSink;
use crate::model::Mark;
use crate::projection::sink::{Checkpoint, Sink};
use crate::{CodecError, Event, Projection, Recorded, Stored};

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

fn open(path: &Path) -> Box<dyn Sink<Ticks>> {
    Box::new(SqliteSink::open::<Ticks>(path).expect("opens"))
}

fn at(position: u64) -> Checkpoint {
    let position = Position::new(position).expect("not zero");
    let id = EventId::from_bytes([7; 16]);
    Checkpoint { position: Some(position), last: Some(Mark { position, id }) }
}

fn document(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn documents_and_checkpoint_are_there_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    let sink = open(&path);
    sink.commit(vec![(1, document("a")), (10, document("b")), (2, document("c"))], at(3)).expect("commits");
    sink.commit(vec![(10, None)], at(4)).expect("commits");
    drop(sink);
    let sink = open(&path);
    assert_eq!(sink.resume().expect("resumes").checkpoint, at(4));
    let all = sink.scan(&|_| true).expect("scans");
    assert_eq!(all, [(1, "a".to_owned()), (2, "c".to_owned())]);
}

/// Trap 15: a process that dies in the middle of a rebuild must leave what readers saw, and no half of the other.
#[test]
fn an_unfinished_rebuild_leaves_what_readers_saw_and_no_rest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    let sink = open(&path);
    sink.commit(vec![(1, document("old"))], at(9)).expect("commits");
    sink.begin_rebuild().expect("begins");
    assert_eq!(sink.document(&1).expect("reads"), None, "the new generation is empty");
    sink.commit(vec![(1, document("new")), (2, document("new"))], at(4)).expect("commits");
    assert_eq!(sink.get(&1).expect("reads"), document("old"));
    drop(sink);

    let sink = open(&path);
    assert_eq!(sink.resume().expect("resumes").checkpoint, at(9));
    sink.begin_rebuild().expect("begins");
    assert_eq!(sink.document(&2).expect("reads"), None, "nothing is left of the first try");
    sink.commit(vec![(1, document("newest"))], at(12)).expect("commits");
    sink.finish_rebuild().expect("finishes");
    drop(sink);

    let sink = open(&path);
    assert_eq!(sink.resume().expect("resumes").checkpoint, at(12));
    assert_eq!(sink.scan(&|_| true).expect("scans"), [(1, "newest".to_owned())]);
}

/// Trap 28: two runners of one read model would count each event twice.
#[test]
fn the_second_of_two_writers_is_refused_before_it_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    let (first, second) = (open(&path), open(&path));
    first.commit(vec![(1, document("first"))], at(3)).expect("commits");
    let error = second.commit(vec![(1, document("second"))], at(3)).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("was written by somebody else meanwhile"), "{error}");
    assert_eq!(first.get(&1).expect("reads"), document("first"));
    for result in [second.begin_rebuild(), second.finish_rebuild()] {
        assert!(result.is_err(), "nor may it rebuild");
    }
    first.begin_rebuild().expect("the first goes on");
}

#[test]
fn a_file_that_is_no_database_is_said_with_its_path() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    std::fs::write(&path, "not a database, but long enough to be taken for one by its size alone")
        .expect("writes");
    let error = SqliteSink::open::<Ticks>(&path).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("read.sqlite"), "{error}");
}

/// A checkpoint that makes no sense must not be taken for "nothing applied yet": every event would count again.
#[test]
fn a_checkpoint_that_makes_no_sense_is_damage_and_not_a_beginning() {
    for damage in [
        "position = 0",
        "position = NULL",
        "position = 2",
        "position = 'three'",
        "last_event = NULL",
        "last_event = 'nobody'",
        "last_position = 0",
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("read.sqlite");
        open(&path).commit(vec![(1, document("a"))], at(3)).expect("commits");
        let connection = crate::sqlite::open(&path).expect("opens");
        connection.execute(&format!("UPDATE factlog_checkpoints SET {damage}"), []).expect("updates");
        let error = SqliteSink::open::<Ticks>(&path).err().expect(damage);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{damage}: {error}");
        assert!(error.to_string().contains("move"), "{damage}: {error}");
    }
}

/// A read model that waits for a file to become what it never will looks like one that is merely slow.
#[test]
fn a_file_with_other_tables_of_the_same_name_is_refused_and_not_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("read.sqlite");
    let connection = crate::sqlite::open(&path).expect("opens");
    connection.execute("CREATE TABLE factlog_projections (something TEXT)", []).expect("creates");
    let error = SqliteSink::open::<Ticks>(&path).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("not as this program makes them"), "{error}");
}
