//! Orders that are left in the sink: done once, wherever the program dies while it carries them out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factlog::projection::{
    ApplyError, Commit, Committed, Generation, MemorySink, Rows, Switch, TransactionalSink,
};
use factlog::{App, Error, OnTimeout, Projection, ReadModel, Recorded, Result};

use crate::SOON;
use crate::bank::{AccountEvent, app_with, deposited};

/// The amounts of each account in order; it cannot digest 13.
struct Superstitious;

impl Projection for Superstitious {
    type Event = AccountEvent;
    type Key = u64;
    type Document = Vec<u64>;
    const NAME: &'static str = "superstitious";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        match &recorded.event {
            AccountEvent::Deposited(event) => vec![event.account],
            AccountEvent::Opened(_) | AccountEvent::Withdrawn(_) => Vec::new(),
        }
    }
    fn apply(&self, _: &u64, seen: Option<Vec<u64>>, recorded: &Recorded<AccountEvent>) -> Option<Vec<u64>> {
        let mut seen = seen.unwrap_or_default();
        if let AccountEvent::Deposited(event) = &recorded.event {
            seen.push(event.amount);
        }
        Some(seen)
    }
    fn try_apply(
        &self,
        key: &u64,
        seen: Option<Vec<u64>>,
        recorded: &Recorded<AccountEvent>,
    ) -> std::result::Result<Option<Vec<u64>>, ApplyError> {
        match &recorded.event {
            AccountEvent::Deposited(event) if event.amount == 13 => Err("unlucky".into()),
            _ => Ok(self.apply(key, seen, recorded)),
        }
    }
}

/// Where the program dies while it carries out an order; afterwards it writes and learns nothing any more.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// Before the commit that takes the order away.
    Before,
    /// Behind it.
    After,
    /// A broken twin: the order is taken away first, by itself.
    TakenFirst,
    /// A broken twin: the order is done first, and would be taken away afterwards.
    DoneFirst,
}

/// A sink of a program that dies.
struct Dying {
    kept: Arc<MemorySink<u64, Vec<u64>>>,
    death: Death,
    dead: AtomicBool,
}

impl Dying {
    fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) { Err(Error::unavailable("the program is dead")) } else { Ok(()) }
    }
}

fn of_order(name: &str) -> bool {
    name.starts_with("order/") || name.starts_with("answer/")
}

impl TransactionalSink<u64, Vec<u64>> for Dying {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<Vec<u64>>> {
        self.alive()?;
        self.kept.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, Vec<u64>)>> {
        self.alive()?;
        self.kept.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.alive()?;
        self.kept.rows(prefix, limit)
    }
    fn commit(&self, mut commit: Commit<u64, Vec<u64>>) -> Result<Committed> {
        self.alive()?;
        if !commit.rows.iter().any(|(name, text)| name.starts_with("order/") && text.is_none()) {
            return self.kept.commit(commit);
        }
        self.dead.store(true, Ordering::SeqCst);
        match self.death {
            Death::Before => {}
            Death::After => return self.kept.commit(commit),
            Death::TakenFirst => {
                let mut taken = Commit::new(0);
                taken.rows = commit.rows.into_iter().filter(|(name, _)| name.starts_with("order/")).collect();
                let _ = self.kept.commit(taken)?;
            }
            Death::DoneFirst => {
                commit.rows.retain(|(name, _)| !of_order(name));
                commit.expected.retain(|(name, _)| !of_order(name));
                let _ = self.kept.commit(commit)?;
            }
        }
        Err(Error::unavailable("the program is dead"))
    }
}

type Kept = Arc<MemorySink<u64, Vec<u64>>>;

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..300 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

fn start(app: &App, sink: impl TransactionalSink<u64, Vec<u64>>) -> ReadModel<Superstitious> {
    app.project(Superstitious).kept_in(sink).switch(Switch::ByHand).start().unwrap()
}

/// Leaves an order, lets the program die while it carries it out, and waits until the next one has answered it.
async fn carried_out(app: &App, kept: &Kept, order: &str, death: Death) -> ReadModel<Superstitious> {
    let mut left = Commit::new(0);
    left.rows.push(("order/1".to_owned(), Some(order.to_owned())));
    assert_eq!(kept.commit(left).unwrap(), Committed::Written);
    let dying = Arc::new(Dying { kept: kept.clone(), death, dead: AtomicBool::new(false) });
    let model = start(app, dying.clone());
    until("death", || dying.dead.load(Ordering::SeqCst)).await;
    model.stop().await.unwrap();
    let model = start(app, kept.clone());
    until("an answer", || !kept.rows("answer/1", 1).unwrap().is_empty()).await;
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Stale).await.unwrap();
    let (_, answer) = kept.rows("answer/1", 1).unwrap().pop_first().unwrap();
    assert!(answer.contains("done"), "{answer}");
    model
}

/// Of two unlucky events one is passed over, whoever died when.
fn one_skip_skips_one(death: Death) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let app = app_with([deposited(1, 13), deposited(1, 13), deposited(1, 2)]).await;
        let kept = Kept::default();
        let waiting = || kept.rows("waiting/", 9).unwrap().len();
        let model = start(&app, kept.clone());
        until("a parked key", || waiting() == 3).await;
        model.stop().await.unwrap();
        let model = carried_out(&app, &kept, r#"{"do":"skip","key":"1","reason":"unlucky"}"#, death).await;
        until("the retry", || model.operations().status().parked == 1).await;
        assert_eq!((waiting(), kept.rows("skip/", 9).unwrap().len()), (2, 1));
        model.stop().await.unwrap();
    });
}

#[test]
fn an_order_is_done_once_and_answered_wherever_the_program_dies_while_it_carries_it_out() {
    for death in [Death::Before, Death::After] {
        one_skip_skips_one(death);
    }
    for twin in [Death::TakenFirst, Death::DoneFirst] {
        let caught = catch_unwind(AssertUnwindSafe(|| one_skip_skips_one(twin)));
        assert!(caught.is_err(), "nobody noticed {twin:?}");
    }
}

/// The wish to switch as soon as a build has caught up is in the sink, not in the memory of whoever was told.
#[tokio::test]
async fn a_wish_to_switch_outlives_the_program_it_was_told_to() {
    for death in [Death::Before, Death::After] {
        let app = app_with([deposited(1, 1), deposited(2, 2)]).await;
        let kept = Kept::default();
        let model = start(&app, kept.clone());
        let head = app.store().head().await.unwrap().position;
        model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        model.stop().await.unwrap();
        carried_out(&app, &kept, r#"{"do":"rebuild"}"#, death).await.stop().await.unwrap();
        let mut forgotten = Commit::new(0);
        forgotten.rows.push(("answer/1".to_owned(), None));
        assert_eq!(kept.commit(forgotten).unwrap(), Committed::Written);
        let model = carried_out(&app, &kept, r#"{"do":"switch"}"#, death).await;
        until("the switch", || kept.rows("serving", 1).unwrap()["serving"] == "2").await;
        assert!(kept.rows("switch", 1).unwrap().is_empty(), "it was granted");
        model.stop().await.unwrap();
    }
}
