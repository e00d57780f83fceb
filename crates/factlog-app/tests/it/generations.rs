//! Generations: blue and green under load, side effects each once, back again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factlog::projection::{
    Commit, Committed, Generation, MemorySink, ProjectionState, Rows, Switch, TransactionalSink,
};
use factlog::{App, MemoryStore, OnTimeout, Projection, Recorded, Result};
use futures_util::FutureExt as _;

use crate::SOON;
use crate::bank::{AccountEvent, Balances, app_with, deposited, record};
use crate::letters::{Letters, Sent, deposits};

/// A sink that does something wrong with side effects of a generation that is not served.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    /// They go out at once, as if every generation were served.
    Early,
    /// They are lost.
    Lost,
}

struct Twin {
    sink: MemorySink<u64, u64>,
    wrong: Wrong,
    /// Whether it has sent something early.
    sent: AtomicBool,
}

impl TransactionalSink<u64, u64> for Twin {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.sink.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.sink.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.rows(prefix, limit)
    }
    fn commit(&self, mut commit: Commit<u64, u64>) -> Result<Committed> {
        let held = |name: &str| name.starts_with("held/");
        match self.wrong {
            Wrong::Nothing => {}
            Wrong::Early => {
                // What the other one sends at the same time would be the same row; it has been handed out by then.
                if commit.rows.iter().any(|(name, text)| held(name) && text.is_some())
                    && !self.sent.swap(true, Ordering::SeqCst)
                {
                    std::thread::sleep(Duration::from_millis(400));
                }
                for (name, _) in commit.rows.iter_mut().filter(|(name, text)| held(name) && text.is_some()) {
                    *name = format!("outbox/{}", name.splitn(3, '/').nth(2).unwrap());
                }
            }
            Wrong::Lost => commit.rows.retain(|(name, text)| !(held(name) && text.is_some())),
        }
        self.sink.commit(commit)
    }
}

pub(crate) async fn head(app: &App) -> Option<factlog::Position> {
    app.store().head().await.unwrap().position
}

/// Blue runs, or has stopped, while green is built, switched to and goes on, all under load.
async fn blue_green(wrong: Wrong, blue_stays: bool) {
    let app = app_with((0..300).map(|n| deposited(n % 7, 1))).await;
    let (sent, sink) = (
        Sent::default(),
        Arc::new(Twin { sink: MemorySink::default(), wrong, sent: AtomicBool::new(false) }),
    );
    let blue = app
        .project(Letters::<1>)
        .kept_in(sink.clone())
        .effects(sent.clone())
        .effects_after(None)
        .start()
        .unwrap();
    blue.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    if !blue_stays {
        blue.stop().await.unwrap();
    }
    let (writer, done) = (app.clone(), Arc::new(AtomicBool::new(false)));
    let ended = done.clone();
    let load = tokio::spawn(async move {
        for n in 0.. {
            record(&writer, [deposited(n % 7, 1)]).await;
            if ended.load(Ordering::Relaxed) {
                break;
            }
            // The reference store is no fast one, and this is no test of it.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let green = app
        .project(Letters::<2>)
        .kept_in(sink)
        .effects(sent.clone())
        .effects_after(None)
        .switch(Switch::ByHand)
        .start()
        .unwrap();
    let built = async {
        for _ in 0..50 {
            // Readers see a whole read model at any moment, and soon.
            let read =
                tokio::time::timeout(Duration::from_secs(1), green.all()).await.expect("no pause of reads");
            assert_eq!(read.unwrap().len(), 7);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        green.operations().switch().await.unwrap();
    };
    built.await;
    let seen = head(&app).await;
    let switched = green.at_least(seen, SOON, OnTimeout::Error).await;
    switched.unwrap_or_else(|error| {
        panic!("it is switched to: {error} {:?} {:?}", green.status(), blue.status())
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    done.store(true, Ordering::Relaxed);
    load.await.unwrap();
    let last = head(&app).await;
    green.at_least(last, SOON, OnTimeout::Error).await.unwrap();
    let deposits = deposits(&app).await;
    let total: u64 = green.all().await.unwrap().iter().map(|(_, count)| count).sum();
    assert_eq!(total, 2 * deposits.len() as u64);
    sent.complete(deposits).await;
    green.stop().await.unwrap();
    blue.stop().await.unwrap();
}

/// Traps 15 and 16, test (d).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_under_load_sends_each_letter_once_and_readers_never_wait() {
    for blue_stays in [true, false] {
        blue_green(Wrong::Nothing, blue_stays).await;
    }
}

/// The test above finds what it is there to find.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_that_send_early_or_lose_letters_are_found() {
    for (wrong, blue_stays) in [(Wrong::Early, true), (Wrong::Lost, false)] {
        let twin = std::panic::AssertUnwindSafe(blue_green(wrong, blue_stays)).catch_unwind().await;
        assert!(twin.is_err(), "{wrong:?} was not found");
    }
}

/// Trap 15: the old documents are served until the new ones are whole, also where the old code is gone, over restarts.
#[tokio::test]
async fn a_changed_projection_in_a_file_is_built_beside_and_can_be_switched_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("l.sqlite");
    let app = app_with((0..50).map(|n| deposited(n % 5, 1))).await;
    let blue = app.project(Letters::<1>).sqlite(&path).effects_after(None).start().unwrap();
    blue.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    blue.stop().await.unwrap();
    for _ in 0..2 {
        let green = app.project(Letters::<2>).sqlite(&path).switch(Switch::ByHand).start().unwrap();
        assert_eq!(green.get(&1).await.unwrap(), Some(10), "the old documents");
        let waited =
            green.at_least(head(&app).await, Duration::from_millis(300), OnTimeout::Stale).await.unwrap();
        assert!(waited.stale, "its own version is not served yet");
        green.stop().await.unwrap();
    }
    let green = app.project(Letters::<2>).sqlite(&path).start().unwrap();
    green.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(green.get(&1).await.unwrap(), Some(20));
    assert_eq!(green.status().generations.len(), 2);
    green.operations().back().await.unwrap();
    assert_eq!(green.get(&1).await.unwrap(), Some(10), "back at once");
    green.operations().switch().await.unwrap();
    assert_eq!(green.get(&1).await.unwrap(), Some(20));
    green.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_read_model_stands_still_over_a_restart_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.sqlite");
    let app = app_with([deposited(1, 1)]).await;
    let model = app.project(Balances).sqlite(&path).start().unwrap();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    model.operations().pause().await.unwrap();
    record(&app, [deposited(1, 1)]).await;
    model.stop().await.unwrap();
    let model = app.project(Balances).sqlite(&path).start().unwrap();
    let waited =
        model.at_least(head(&app).await, Duration::from_millis(300), OnTimeout::Stale).await.unwrap();
    assert!(waited.stale);
    assert!(matches!(model.status().state, ProjectionState::Paused), "{:?}", model.status());
    let lag = model.operations().lag().await.unwrap();
    assert!(lag.events == 1 && Duration::ZERO < lag.time, "{lag:?}");
    model.operations().resume().await.unwrap();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
}

/// An operator's program leaves an order in the sink without any code of the user's.
#[tokio::test]
async fn an_order_that_was_left_in_the_sink_is_done_and_answered_once() {
    let sink = Arc::new(MemorySink::<u64, u64>::default());
    let app = App::new(MemoryStore::new());
    record(&app, [deposited(1, 1)]).await;
    let model = app.project(Balances).kept_in(sink.clone()).start().unwrap();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    for (id, order, word) in [
        ("1", r#"{"do":"rebuild"}"#, "done"),
        ("2", r#"{"do":"dance"}"#, "error"),
        ("3", r#"{"do":"pause"}"#, "done"),
    ] {
        let mut commit = Commit::new(0);
        commit.rows.push((format!("order/{id}"), Some(order.to_owned())));
        assert_eq!(sink.commit(commit).unwrap(), Committed::Written);
        let mut answer = None;
        for _ in 0..200 {
            answer = sink.rows(&format!("answer/{id}"), 1).unwrap().pop_first();
            if answer.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (_, text) = answer.expect("an answer within two seconds");
        assert!(text.contains(word), "{text}");
    }
    assert!(sink.rows("order/", 9).unwrap().is_empty());
    assert!(!sink.rows("status/", 9).unwrap().is_empty(), "a sign of life");
}

/// "Running but not advancing": a state that looks healthy is worse than a failure.
#[tokio::test]
async fn a_read_model_that_is_behind_and_does_not_advance_is_stalled() {
    let store = crate::wrapped::Wrapped::default();
    let app = App::new(store.clone());
    record(&app, [deposited(1, 1)]).await;
    let model = app.project(Stuck).in_memory().stalled_after(Duration::from_millis(200)).start().unwrap();
    for _ in 0..400 {
        if matches!(model.status().state, ProjectionState::Stalled { .. }) {
            STUCK.store(false, Ordering::Relaxed);
            model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    STUCK.store(false, Ordering::Relaxed);
    panic!("{:?}", model.status());
}

static STUCK: AtomicBool = AtomicBool::new(true);

/// It hangs in the user's code.
struct Stuck;

impl Projection for Stuck {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "stuck";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(&self, _: &u64, count: Option<u64>, _: &Recorded<AccountEvent>) -> Option<u64> {
        while STUCK.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(count.unwrap_or(0) + 1)
    }
}
