//! Real data: how far loans come and how long decisions take, a funnel built and rebuilt from every event of a log.
//!
//! The sample is always there; all 262,200 events are read where they are at hand. What is compared with was worked out
//! from the files by a program that is not ours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use factlog::core::Append;
use factlog::engine::Settings;
use factlog::projection::GenerationPhase;
use factlog::{App, Engine, Event, EventSet, OnTimeout, Projection, ReadModel, Recorded, Timestamp};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

const SOON: Duration = Duration::from_secs(120);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "A_SUBMITTED.COMPLETE")]
struct Submitted {
    amount_requested: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "A_APPROVED.COMPLETE")]
struct Approved {}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "A_DECLINED.COMPLETE")]
struct Declined {}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "A_CANCELLED.COMPLETE")]
struct Cancelled {}

/// The gates of the funnel: four of the log's 36 types.
#[derive(EventSet, Clone, Debug, PartialEq)]
enum Gate {
    Submitted(Submitted),
    Approved(Approved),
    Declined(Declined),
    Cancelled(Cancelled),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Decision {
    Approved,
    Declined,
    Cancelled,
}

/// How far a loan came, with times in microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Passage {
    submitted: Option<i64>,
    decided: Option<(Decision, i64)>,
}

struct Funnel;

impl Projection for Funnel {
    type Event = Gate;
    type Key = String;
    type Document = Passage;
    const NAME: &'static str = "funnel";
    fn keys(&self, recorded: &Recorded<Gate>) -> Vec<String> {
        recorded.stream.iter().map(ToString::to_string).collect()
    }
    fn apply(&self, _: &String, passage: Option<Passage>, recorded: &Recorded<Gate>) -> Option<Passage> {
        let mut passage = passage.unwrap_or_default();
        let time = occurred(recorded).as_micros();
        match recorded.event {
            Gate::Submitted(_) => passage.submitted = Some(time),
            Gate::Approved(_) => passage.decided = Some((Decision::Approved, time)),
            Gate::Declined(_) => passage.decided = Some((Decision::Declined, time)),
            Gate::Cancelled(_) => passage.decided = Some((Decision::Cancelled, time)),
        }
        Some(passage)
    }
}

/// When it was true, which the import kept in the metadata.
fn occurred(recorded: &Recorded<Gate>) -> Timestamp {
    let metadata = recorded.metadata();
    let time = metadata.get("time").and_then(serde_json::Value::as_str).expect("a time");
    time.parse().expect("a time as RFC 3339 writes it")
}

/// Submitted loans, and by decision how many and the milliseconds they took together.
type Facts = (usize, BTreeMap<Decision, (usize, i64)>);

async fn facts(funnel: &ReadModel<Funnel>) -> Facts {
    let passages = funnel.all().await.unwrap();
    let mut decisions = BTreeMap::new();
    for (loan, passage) in &passages {
        if let Some((decision, at)) = passage.decided {
            let submitted = passage.submitted.unwrap_or_else(|| panic!("{loan} was never submitted"));
            let (count, time) = decisions.entry(decision).or_insert((0, 0));
            *count += 1;
            *time += (at - submitted) / 1_000;
        }
    }
    (passages.iter().filter(|(_, passage)| passage.submitted.is_some()).count(), decisions)
}

fn expected(submitted: usize, decisions: [(usize, i64); 3]) -> Facts {
    let each = [Decision::Approved, Decision::Declined, Decision::Cancelled];
    (submitted, each.into_iter().zip(decisions).collect())
}

/// Imports all lines, and answers what the funnel says of them: built from the first event, and built again beside.
fn built_and_rebuilt(lines: impl BufRead, events: usize) -> [Facts; 2] {
    let directory = tempfile::tempdir().unwrap();
    let app = App::new(Engine::open(directory.path().join("log"), Settings::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let lines: Vec<_> = lines.split(b'\n').map(Result::unwrap).collect();
        assert_eq!(lines.len(), events);
        for lines in lines.chunks(5_000) {
            let event = |line: &Vec<u8>| factlog_cloudevents::from_line(line).unwrap().event;
            app.store().append(Append::new(lines.iter().map(event))).await.unwrap();
        }
        let head = app.store().head().await.unwrap().position;
        let funnel = app.project(Funnel).sqlite(directory.path().join("funnel.sqlite")).start().unwrap();
        funnel.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        let first = facts(&funnel).await;
        funnel.rebuild().await.unwrap();
        let status = funnel.status();
        let serving = status.generations.iter().find(|one| one.phase == GenerationPhase::Serving).unwrap();
        assert_eq!((serving.number, funnel.checkpoint()), (2, head));
        let second = facts(&funnel).await;
        funnel.stop().await.unwrap();
        [first, second]
    })
}

#[test]
fn the_funnel_of_ten_real_loans_is_what_another_program_worked_out_built_and_rebuilt() {
    let sample = &include_bytes!("../data/loans-sample.ndjson")[..];
    let wanted = expected(10, [(1, 1_072_724_680), (5, 1_059_757_798), (3, 2_881_113_942)]);
    assert_eq!(built_and_rebuilt(sample, 114), [wanted.clone(), wanted]);
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that did nothing must say so")]
fn the_funnel_of_all_loans_is_what_the_bank_decided_built_and_rebuilt() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/loans/events.ndjson.gz");
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let lines = BufReader::new(GzDecoder::new(File::open(file).unwrap()));
    let decisions = [(2_246, 3_232_724_165_232), (7_635, 1_351_037_388_554), (2_807, 4_509_980_958_385)];
    let wanted = expected(13_087, decisions);
    assert_eq!(built_and_rebuilt(lines, 262_200), [wanted.clone(), wanted]);
}
