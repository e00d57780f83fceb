//! Commands that go outside, and those that cannot be carried out just now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use factlog::process::{CallError, Dispatch, Dispatching, Effects, Input, ProcessManager};
use factlog::{App, MemoryStore, Recorded};
use parking_lot::Mutex;
use pollster::block_on;

use super::shop::{Do, Fact, order};

/// Charges what is placed: the first tries are not answered. Order 2 is refused, and then failed.
#[derive(Clone, Default)]
struct Charge {
    keys: Arc<Mutex<Vec<String>>>,
    unanswered: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl ProcessManager for Charge {
    type Event = Fact;
    type State = u64;
    type Command = Do;
    type Timer = ();
    const NAME: &'static str = "charge";
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        matches!(event.event, Fact::Placed(_)).then(|| event.event.order().to_string())
    }
    fn evolve(&self, state: &mut u64, input: &Input<Self>) {
        if let Input::Event(event) = input {
            *state = event.event.order();
        }
    }
    fn react(&self, order: &u64, input: &Input<Self>) -> Effects<Self> {
        match input {
            Input::Event(_) => {
                Effects::none().command(Do::Pay { order: *order }).command(Do::Ship { order: *order })
            }
            Input::Refused { reason, .. } => {
                assert_eq!(reason, "no credit");
                Effects::none().command(Do::Fail { order: *order })
            }
            Input::TimerFired(()) => Effects::none(),
        }
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        let Do::Pay { order } = command else { return to.execute(command) };
        let (own, key) = (self.clone(), to.key().to_owned());
        to.call(async move {
            own.keys.lock().push(key);
            let now = own.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            own.most.fetch_max(now, Ordering::SeqCst);
            for _ in 0..3 {
                yield_once().await;
            }
            own.under_way.fetch_sub(1, Ordering::SeqCst);
            let left = own.unanswered.load(Ordering::SeqCst);
            if 0 < left {
                own.unanswered.store(left - 1, Ordering::SeqCst);
                return Err(CallError::Unavailable("no answer".to_owned()));
            }
            if order == 2 { Err(CallError::Refused("no credit".to_owned())) } else { Ok(()) }
        })
    }
}

/// Lets others go first.
async fn yield_once() {
    let mut asked = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// A key that changes from try to try is a customer who pays twice.
#[test]
fn a_call_that_is_not_answered_is_made_again_under_the_same_key_and_holds_back_what_follows_it() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        let charge = Charge { unanswered: Arc::new(AtomicUsize::new(3)), ..Charge::default() };
        let running = app.process(charge.clone()).start().await.unwrap();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        running.idle().await.unwrap();
        let keys = charge.keys.lock().clone();
        assert_eq!(keys, ["process:charge:1:1:0"; 4]);
        assert_eq!(order(&app, 1).await.shipped, 1);
        assert_eq!(running.status().command_problem, None);
        app.execute(Do::Place { order: 2 }).await.unwrap();
        running.idle().await.unwrap();
        let refused = order(&app, 2).await;
        assert_eq!(
            (refused.failed, refused.shipped),
            (1, 1),
            "commands that were decided together do not depend on each other"
        );
        running.stop().await.unwrap();
    });
}

/// Without a bound, a thousand instances are a thousand calls at once.
#[test]
fn no_more_instances_than_allowed_are_dispatched_side_by_side() {
    block_on(async {
        for parallel in [1, 4] {
            let app = App::new(MemoryStore::new());
            for order in 10..40 {
                app.execute(Do::Place { order }).await.unwrap();
            }
            let charge = Charge::default();
            app.process(charge.clone()).parallel(parallel).run_until_idle().await.unwrap();
            assert_eq!(charge.keys.lock().len(), 30);
            assert_eq!(charge.most.load(Ordering::SeqCst), parallel);
        }
    });
}

/// A call that is not answered leaves the command where it is, and says so.
#[test]
fn a_process_without_a_thread_leaves_what_is_not_answered_for_the_next_time() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        let charge = Charge { unanswered: Arc::new(AtomicUsize::new(1)), ..Charge::default() };
        app.execute(Do::Place { order: 1 }).await.unwrap();
        let status = app.process(charge.clone()).run_until_idle().await.unwrap();
        assert_eq!((status.commands, status.command_problem.as_deref()), (2, Some("no answer")));
        let status = app.process(charge.clone()).run_until_idle().await.unwrap();
        assert_eq!((status.commands, charge.keys.lock().len()), (0, 2));
    });
}
