//! Leases: several workers and processes, and one that is paused for longer than its lease lasts.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use factlog::projection::{Commit, Committed, Generation, Rows, SqliteSink, TransactionalSink, partition};
use factlog::{App, EventId, MemoryStore, OnTimeout, Position, Projection, Recorded, Result};
use factlog_core::{Append, Event, EventStore as _};
use futures_util::FutureExt as _;

use crate::SOON;
use crate::bank::{AccountEvent, Balances, Record, app_with, deposited};

/// The test, which in a child process is what is paused.
const TEST: &str = "leases::a_holder_that_is_paused_for_twice_its_lease_moves_no_checkpoint_back";
/// Where the child works, and whether its sink looks at what is expected.
const DIRECTORY: &str = "FACTLOG_TEST_PAUSED_IN";
const FENCED: &str = "FACTLOG_TEST_FENCED";
const LEASE: Duration = Duration::from_millis(400);
const EVENTS: u64 = 1_500;

/// The same log in every process: the same events under the same ids.
async fn same_log() -> MemoryStore {
    let store = MemoryStore::new();
    let events = (1..=EVENTS).map(|n| {
        let data = format!(r#"{{"account":{},"amount":1}}"#, n % 3);
        let mut event = Event::new("account.deposited".parse().unwrap(), data);
        event.id = EventId::from_bytes(u128::from(n).to_be_bytes());
        event
    });
    store.append(Append::new(events)).await.unwrap();
    store
}

/// Balances; a child takes its time over each event, and leaves a note when it has begun.
struct Slow(Duration, Option<std::path::PathBuf>);

impl Projection for Slow {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "balances";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(&self, key: &u64, balance: Option<u64>, recorded: &Recorded<AccountEvent>) -> Option<u64> {
        if let Some(begun) = self.1.as_ref().filter(|begun| !begun.exists()) {
            std::fs::write(begun, "").unwrap();
        }
        std::thread::sleep(self.0);
        Balances.apply(key, balance, recorded)
    }
}

/// A sink that leaves a note when a commit was refused; the broken twin does not look at what is expected.
struct Noted {
    sink: SqliteSink,
    fenced: bool,
    note: std::path::PathBuf,
}

impl TransactionalSink<u64, u64> for Noted {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.sink.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.sink.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        TransactionalSink::<u64, u64>::rows(&self.sink, prefix, limit)
    }
    fn commit(&self, mut commit: Commit<u64, u64>) -> Result<Committed> {
        let documents = !commit.documents.is_empty();
        if documents && !self.fenced {
            commit.expected.clear();
        }
        let committed = self.sink.commit(commit)?;
        if documents {
            std::fs::write(&self.note, format!("{committed:?}")).unwrap();
        }
        Ok(committed)
    }
}

async fn work_until_killed(directory: &Path) {
    let app = App::new(same_log().await);
    let sink = SqliteSink::open("balances", directory.join("read.sqlite")).unwrap();
    let fenced = std::env::var(FENCED).unwrap() == "true";
    let sink = Noted { sink, fenced, note: directory.join("note") };
    let slow = Slow(Duration::from_millis(1), Some(directory.join("begun")));
    let _model = app.project(slow).kept_in(sink).shared(1, LEASE).start().unwrap();
    std::future::pending::<()>().await;
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The least position in the file's checkpoints.
fn checkpoint(path: &Path) -> u64 {
    let sink = SqliteSink::open("balances", path).unwrap();
    let rows = TransactionalSink::<u64, u64>::rows(&sink, "range/", 99).unwrap();
    let position =
        |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap()["position"].as_u64();
    rows.values().map(|text| position(text).unwrap_or(0)).min().unwrap_or(0)
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if ready() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

/// A child holds the lease and is paused in the middle of its work for longer than the lease; another takes over, and
/// then the child goes on as if nothing had been.
async fn paused_holder(fenced: bool) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("read.sqlite");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DIRECTORY, directory.path())
        .env(FENCED, fenced.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the child works", || directory.path().join("begun").exists());
    signal(&child, "-STOP");
    assert!(!directory.path().join("note").exists(), "it has committed nothing yet");
    std::thread::sleep(2 * LEASE);

    let app = App::new(same_log().await);
    let model = app.project(Slow(Duration::ZERO, None)).sqlite(&path).shared(1, LEASE).start().unwrap();
    model.at_least(Position::new(EVENTS), SOON, OnTimeout::Error).await.expect("another takes over");
    app.execute(Record((0..300).map(|_| deposited(1, 1)).collect())).await.unwrap();
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    wait_for("the checkpoint is in the file", || EVENTS + 300 <= checkpoint(&path));

    signal(&child, "-CONT");
    let note = directory.path().join("note");
    wait_for("the child tries to commit", || note.exists());
    let (said, at) = (std::fs::read_to_string(&note).unwrap(), checkpoint(&path));
    child.kill().unwrap();
    child.wait().unwrap();
    let total: u64 = model.all().await.unwrap().iter().map(|(_, balance)| balance).sum();
    model.stop().await.unwrap();
    assert_eq!((said.as_str(), at), ("Refused", EVENTS + 300));
    assert_eq!(total, EVENTS + 300);
}

/// Trap 28, test (h).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_is_paused_for_twice_its_lease_moves_no_checkpoint_back() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return work_until_killed(Path::new(&directory)).await;
    }
    paused_holder(true).await;
}

/// The test above finds what it is there to find: a sink that does not compare.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_without_a_fence_is_found() {
    let twin = std::panic::AssertUnwindSafe(paused_holder(false)).catch_unwind().await;
    assert!(twin.is_err(), "a checkpoint that moved back was not found");
}

async fn sum<P: Projection<Document = u64>>(model: &factlog::ReadModel<P>) -> u64 {
    model.all().await.unwrap().iter().map(|(_, balance)| balance).sum()
}

/// Traps 14 and 39: however many workers there are and were, each event counts once, and who waits for a key waits
/// for its owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_workers_may_change_and_each_event_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("read.sqlite");
    let app = app_with([]).await;
    let mut expected = 0;
    for workers in [1, 3, 2, 8, 1] {
        let model = app.project(Balances).sqlite(&path).workers(workers).threads(2).start().unwrap();
        let outcome = app.execute(Record((0..700).map(|n| deposited(n, 1)).collect())).await.unwrap();
        expected += 700;
        model.at_least_for(&5, outcome.position, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!(model.get(&5).await.unwrap(), Some(expected / 700));
        model.at_least(outcome.position, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!(sum(&model).await, expected);
        model.stop().await.unwrap();
    }
}

/// Workers that share a read model over programs: each takes a slot, and who stays takes over from who leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_share_the_partitions_and_whoever_stays_takes_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("read.sqlite");
    let app = app_with([]).await;
    let lease = Duration::from_millis(300);
    let start = || app.project(Balances).sqlite(&path).shared(2, lease).start().unwrap();
    let (one, other) = (start(), start());
    let head = async || app.store().head().await.unwrap().position;
    app.execute(Record((0..500).map(|n| deposited(n, 1)).collect())).await.unwrap();
    let slots: std::collections::BTreeSet<u16> =
        (0..500_u64).map(|key| partition(&key).unwrap() / 512).collect();
    assert_eq!(slots.len(), 2);
    for model in [&one, &other] {
        model.at_least(head().await, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!(sum(model).await, 500);
    }
    one.stop().await.unwrap();
    app.execute(Record((0..500).map(|n| deposited(n, 1)).collect())).await.unwrap();
    other.at_least(head().await, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(sum(&other).await, 1000);
}

/// What two handles see is one sink.
#[tokio::test]
async fn a_shared_sink_is_a_sink() {
    let sink = Arc::new(factlog::projection::MemorySink::<u64, u64>::default());
    let app = app_with([deposited(1, 2)]).await;
    let model = app.project(Balances).kept_in(sink.clone()).start().unwrap();
    model.at_least(Position::FIRST, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(sink.document(Generation::Serving, &1).unwrap(), Some(2));
}
