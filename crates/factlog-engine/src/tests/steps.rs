//! `kill -9` at every step of sealing, merging and replacing the manifest, and at every step of opening what that left:
//! nothing acknowledged is lost or doubled, and the next opening finishes the step or undoes it.
//!
//! The test is its own child: a process that works on a store and ends itself at its n-th call that changes a file.

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use factlog_core::{Append, EventStore, Position, SystemClock, Tracking, TrackingSource};
use parking_lot::Mutex;

use super::{do_all, event, settle, small};
use crate::storage::killing::{KillingDisk, Last, Moment, Steps};
use crate::{Engine, Settings};

const CHILD: &str = "FACTLOG_STEPS_TEST";
const NAME: &str = "tests::steps::a_process_killed_at_any_step_loses_nothing";
/// What a child does after the first merge.
const MORE: u64 = 6;
/// Appends after which a child gives up waiting for a merge.
const MOST: u64 = 400;
/// Steps that opening takes, and some of the work after it.
const OPENING: usize = 30;
/// How often each kind of step is the last, at each of its moments.
const TIMES: usize = 6;

fn settings() -> Settings {
    Settings { segment_events: 10, wal_bytes: 128 << 10, ..small() }
}

fn open(dir: &Path, steps: &Arc<Steps>) -> Engine {
    let disk = Arc::new(KillingDisk(steps.clone()));
    Engine::open_on(disk, dir, settings(), Arc::new(SystemClock)).expect("open")
}

/// The numbers of the events of the n-th append: three to six.
fn events_of(n: u64) -> std::ops::RangeInclusive<u64> {
    let before = n / 4 * 18 + [0, 3, 7, 12][(n % 4) as usize];
    before + 1..=before + 3 + n % 4
}

fn source(n: u64) -> TrackingSource {
    TrackingSource::new(format!("upstream-{}", n % 5)).expect("a source")
}

/// The n-th append of every process: two of three say how far a source was processed.
fn work(n: u64) -> Append {
    let append = Append::new(events_of(n).map(event));
    match n % 3 {
        0 => append,
        _ => append.tracking(Tracking { source: source(n), position: Position::new(n).expect("not 0") }),
    }
}

/// How many appends make up a log of so many events; `None` if one would be cut.
fn appends_in(events: u64) -> Option<u64> {
    (0..).find(|&n| events < *events_of(n).end()).filter(|&n| events + 1 == *events_of(n).start())
}

fn head(engine: &Engine) -> u64 {
    Position::number(pollster::block_on(engine.head()).expect("a head").position)
}

fn has_merged(engine: &Engine) -> bool {
    engine.shared().view().slots.iter().any(|slot| slot.run.as_ref().is_some_and(|run| 0 < run.name().level))
}

/// The child: goes on where the log ends, until a merge and some more is done.
fn live(dir: &Path, steps: &Arc<Steps>) {
    let engine = open(dir, steps);
    let mut n = appends_in(head(&engine)).expect("whole appends");
    tell(&format!("ack {n}"));
    let mut until = MOST;
    while n < until {
        let appended = pollster::block_on(engine.append(work(n))).expect("append");
        assert_eq!(appended.first.get(), *events_of(n).start());
        n += 1;
        tell(&format!("ack {n}"));
        if until == MOST && has_merged(&engine) {
            until = n + MORE;
        }
    }
    settle(&engine);
    pollster::block_on(engine.close()).expect("close");
    steps.names().iter().for_each(|name| tell(&format!("step {name}")));
}

fn tell(line: &str) {
    // What the test harness writes may stand in front of it.
    writeln!(std::io::stdout(), "\n{line}").expect("somebody listens");
}

/// What became of a child.
#[derive(Debug, Default)]
struct Told {
    /// Appends that it found or that were acknowledged to it.
    acknowledged: u64,
    /// The step that it ended at.
    last: Option<String>,
    /// All steps of one that lived on.
    steps: Vec<String>,
}

fn spawn(dir: &Path, last: &Last, moment: Moment, history: &str) -> Told {
    let last = match last {
        // No step has this number.
        Last::Never => "0".to_owned(),
        Last::Step(number) => number.to_string(),
        Last::OfKind(number, kind) => format!("{number} {kind}"),
    };
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, format!("{moment:?}\n{}\n{last}", dir.display()))
        .output()
        .expect("a child");
    let mut told = Told::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line.split_once(' ') {
            Some(("ack", n)) => told.acknowledged = n.parse().expect("a number"),
            Some(("last", step)) => told.last = Some(step.to_owned()),
            Some(("step", step)) => told.steps.push(step.to_owned()),
            _ => {}
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_over = output.status.success() || told.last.is_some();
    assert!(
        is_over && !errors.contains("panicked"),
        "{history}; then step {last}, {moment:?}: {told:?}, {errors}"
    );
    told
}

fn be_the_child(task: &str) {
    let mut lines = task.lines();
    let mut line = || lines.next().expect("three lines");
    let moment = match line() {
        "Before" => Moment::Before,
        "Halfway" => Moment::Halfway,
        _ => Moment::After,
    };
    let dir = Path::new(line());
    let line = line();
    let last = match line.split_once(' ') {
        Some((number, kind)) => Last::OfKind(number.parse().expect("a number"), kind.to_owned()),
        None => Last::Step(line.parse().expect("a number")),
    };
    live(dir, &Steps::new(dir, last, moment));
}

/// What was seen of all children.
#[derive(Default)]
struct Seen {
    /// Steps that some child ended at.
    ended: Mutex<BTreeSet<(String, Moment)>>,
    /// Steps that were ended at while opening what another child left.
    ended_again: Mutex<BTreeSet<String>>,
}

/// A life that ends at the n-th step of a kind, and after it more lives that end while they open what was left; then
/// all must hold. The first time that a kind is met, opening ends at every one of its steps, else at one of them.
fn lives(n: usize, kind: &str, moment: Moment, seen: &Seen) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut history = format!("{kind}, {n}, {moment:?}");
    let first = spawn(dir.path(), &Last::OfKind(n, kind.to_owned()), moment, "");
    let mut acknowledged = first.acknowledged;
    if first.last.is_some() {
        seen.ended.lock().insert((kind.to_owned(), moment));
    }
    let again = if n == 1 { 1..=OPENING } else { 1 + n % OPENING..=1 + n % OPENING };
    for step in again {
        let moments = [Moment::Before, Moment::Halfway, Moment::After];
        let then = spawn(dir.path(), &Last::Step(step), moments[(n + step) % 3], &history);
        acknowledged = acknowledged.max(then.acknowledged);
        if let Some(last) = then.last {
            history = format!("{history}; then step {step}: {last}");
            seen.ended_again.lock().insert(last);
        }
    }
    check::everything(dir.path(), acknowledged, &history);
}

#[test]
fn a_process_killed_at_any_step_loses_nothing() {
    if let Some(task) = std::env::var_os(CHILD) {
        return be_the_child(&task.to_string_lossy());
    }
    let dir = tempfile::tempdir().expect("a directory");
    let whole = spawn(dir.path(), &Last::Never, Moment::After, "");
    let mut kinds: BTreeMap<_, usize> = BTreeMap::new();
    whole.steps.iter().for_each(|step| *kinds.entry(step.as_str()).or_default() += 1);
    let parts = [
        "rename to segments/#.log",
        "rename to index/0-#-#.idx",
        "rename to index/1-#-#.idx",
        "remove index/0-#-#.idx",
        "rename to wal/#",
        "write durably wal/#",
        "rename to MANIFEST.#",
        "sync the store",
    ];
    parts.iter().for_each(|part| assert!(kinds.contains_key(part), "{part} is no step: {kinds:?}"));
    let moments = [Moment::Before, Moment::Halfway, Moment::After];
    let numbers = |count: usize| (1..=count).step_by(count.div_ceil(TIMES));
    let jobs: Vec<_> = kinds
        .iter()
        .flat_map(|(&kind, &count)| numbers(count).map(move |n| (kind, n)))
        .flat_map(|(kind, n)| moments.map(|moment| (kind, n, moment)))
        .collect();
    let seen = Seen::default();
    do_all(&jobs, |&(kind, n, moment)| lives(n, kind, moment, &seen));
    let ended = seen.ended.into_inner();
    let all = kinds.keys().flat_map(|kind| moments.map(|moment| ((*kind).to_owned(), moment)));
    let missed: Vec<_> = all.filter(|step| !ended.contains(step)).collect();
    assert!(missed.is_empty(), "no child ended at {missed:?}");
    assert!(8 < seen.ended_again.lock().len(), "opening was interrupted too: {:?}", seen.ended_again.lock());
}
