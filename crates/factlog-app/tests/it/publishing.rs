//! Publishing: each event at least once, in order, and never passed over, whatever the receiver, the log and rivals do.

use std::sync::Arc;
use std::time::Duration;

use factlog::publish::{
    Bus, Checkpoints, MemoryCheckpoints, Outgoing, Published, Publisher, PublishingState, SqliteCheckpoints,
};
use factlog::{
    App, BoxFuture, Clock, Error, ErrorKind, EventId, IdSource, MemoryStore, Position, Result, Timestamp,
};
use parking_lot::Mutex;

use crate::SOON;
use crate::bank::{AccountEvent, AddItem, deposited, opened, record};
use crate::wrapped::Wrapped;

/// What a receiver answers to the n-th event that it is sent, counted from 0.
type Answer = fn(usize) -> Result<()>;

/// A receiver that remembers what reached it, and answers as it is told.
#[derive(Clone, Debug)]
struct Receiver {
    /// Position and answer, in the order of sending.
    sent: Arc<Mutex<Vec<(u64, bool)>>>,
    answer: Answer,
    /// Events of a batch it answers for at most.
    answers_max: usize,
}

impl Receiver {
    fn new(answer: Answer) -> Self {
        Self { sent: Arc::default(), answer, answers_max: usize::MAX }
    }

    /// The positions that were acknowledged, without repetitions, in the order of the first time.
    fn taken(&self) -> Vec<u64> {
        let mut taken = Vec::new();
        for (position, acknowledged) in self.sent.lock().iter() {
            if *acknowledged && !taken.contains(position) {
                taken.push(*position);
            }
        }
        taken
    }
}

impl Publisher for Receiver {
    fn publish<'a>(&'a self, batch: &'a [Outgoing<'a>]) -> BoxFuture<'a, Vec<Result<()>>> {
        let mut sent = self.sent.lock();
        let answers = batch.iter().take(self.answers_max).map(|event| {
            let answer = (self.answer)(sent.len());
            sent.push((event.recorded.position.get(), answer.is_ok()));
            answer
        });
        let answers = answers.collect();
        Box::pin(std::future::ready(answers))
    }
}

fn always(_: usize) -> Result<()> {
    Ok(())
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("in time")
}

/// Trap 12: a checkpoint that passes an event nobody acknowledged has lost it.
#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_in_order_and_nothing_is_passed_over() {
    let receivers = [
        Receiver::new(|n| if n.is_power_of_two() { Err(Error::unavailable("busy")) } else { Ok(()) }),
        Receiver { answers_max: 2, ..Receiver::new(always) },
        Receiver::new(|n| if n < 4 { Err(Error::indeterminate("a time-out")) } else { Ok(()) }),
    ];
    for receiver in receivers {
        let app = App::new(MemoryStore::new());
        record(&app, (0..7).map(|n| deposited(n, 1))).await;
        let publishing = app.publish("out").start(receiver.clone(), MemoryCheckpoints::default()).unwrap();
        soon(publishing.at_least(Position::new(7).unwrap())).await.unwrap();
        let mut taken = receiver.taken();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3, 4, 5, 6, 7], "{receiver:?}");
        let sent: Vec<_> = receiver.sent.lock().iter().map(|(position, _)| *position).collect();
        assert!(
            sent.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "each follows the one before it: {sent:?}"
        );
        assert_eq!((publishing.status().acknowledged, publishing.lag().await.unwrap()), (7, 0));
        publishing.stop().await.unwrap();
    }
}

/// The same test, with a place for checkpoints that keeps the last event sent in place of the last acknowledged one.
#[tokio::test]
async fn a_checkpoint_over_more_than_was_acknowledged_is_caught() {
    #[derive(Debug)]
    struct Hasty(MemoryCheckpoints);
    impl Checkpoints for Hasty {
        fn load(&self, name: &str) -> Result<Option<Published>> {
            self.0.load(name)
        }
        fn advance(&self, name: &str, from: Option<Published>, to: Published) -> Result<()> {
            self.0.advance(name, from, Published { position: to.position.next(), ..to })
        }
    }
    let app = App::new(MemoryStore::new());
    record(&app, (0..5).map(|n| deposited(n, 1))).await;
    let receiver = Receiver { answers_max: 2, ..Receiver::new(always) };
    let publishing = app.publish("out").start(receiver, Hasty(MemoryCheckpoints::default())).unwrap();
    let error = soon(publishing.at_least(Position::new(5).unwrap())).await.expect_err("it is noticed");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// An event that its receiver will never take must not be lost by going on, nor stop for ever without a word.
#[tokio::test]
async fn a_refusal_stops_before_the_event_and_a_retry_goes_on_with_it() {
    let app = App::new(MemoryStore::new());
    record(&app, (0..5).map(|n| deposited(n, 1))).await;
    let receiver =
        Receiver::new(|n| if n == 2 { Err(Error::invalid("too large for a message")) } else { Ok(()) });
    let publishing = app.publish("out").start(receiver.clone(), MemoryCheckpoints::default()).unwrap();
    let error = soon(publishing.at_least(Position::new(5).unwrap())).await.expect_err("refused");
    assert!(
        error.to_string().contains("`out` stands before the event at position 3")
            && error.to_string().contains("too large"),
        "{error}"
    );
    assert!(matches!(publishing.status().state, PublishingState::Failed(_)));
    assert_eq!(publishing.lag().await.unwrap(), 3);
    publishing.retry().await.unwrap();
    soon(async {
        while publishing.status().acknowledged < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(
        receiver.taken(),
        [1, 2, 4, 5, 3],
        "what was sent behind it counts for nothing until it is taken"
    );
}

/// A stop, or a crash that is like one, loses nothing; only what was not acknowledged comes twice.
#[tokio::test]
async fn it_goes_on_behind_its_checkpoint_and_notices_another_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoints.sqlite");
    let app = App::new(MemoryStore::new());
    let receiver = Receiver::new(always);
    for round in 1..=4_u64 {
        record(&app, [opened(round), deposited(round, 1)]).await;
        let checkpoints = SqliteCheckpoints::open(&path).unwrap();
        let publishing = app.publish("out").start(receiver.clone(), checkpoints).unwrap();
        soon(publishing.at_least(Position::new(round * 2).unwrap())).await.unwrap();
        publishing.stop().await.unwrap();
        publishing.stop().await.expect("twice is fine");
        assert!(publishing.at_least(Position::new(99).unwrap()).await.is_err(), "it does not wait for ever");
    }
    assert_eq!(receiver.sent.lock().len(), 8, "nothing twice");
    let other = App::new(MemoryStore::new());
    record(&other, (0..20).map(|n| deposited(n, 2))).await;
    let publishing =
        other.publish("out").start(receiver.clone(), SqliteCheckpoints::open(&path).unwrap()).unwrap();
    let error = soon(publishing.at_least(Position::new(20).unwrap())).await.expect_err("another log");
    assert!(error.to_string().contains("holds another event or none"), "{error}");
    assert_eq!(receiver.sent.lock().len(), 8);
}

/// Trap 28: of two that publish under one name, the one that was overtaken must not move the checkpoint back.
#[tokio::test]
async fn a_rival_under_the_same_name_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoints.sqlite");
    let ours = SqliteCheckpoints::open(&path).unwrap();
    let theirs = SqliteCheckpoints::open(&path).unwrap();
    let at = |n: u64| Published { position: Position::new(n).unwrap(), id: EventId::from_bytes([7; 16]) };
    ours.advance("out", None, at(5)).unwrap();
    assert_eq!(theirs.load("out").unwrap(), Some(at(5)));
    theirs.advance("out", Some(at(5)), at(9)).unwrap();
    let error = ours.advance("out", Some(at(5)), at(6)).expect_err("overtaken");
    assert!(error.to_string().contains("somebody else publishes as `out`"), "{error}");
    assert_eq!(ours.load("out").unwrap(), Some(at(9)));
    assert_eq!(ours.load("another").unwrap(), None);
}

#[tokio::test]
async fn an_unavailable_store_is_waited_for_and_only_the_types_asked_for_go_out() {
    let app = App::new(Wrapped::failing(2));
    record(&app, [opened(1), deposited(1, 5)]).await;
    app.execute(AddItem { cart: 1 }).await.unwrap();
    let bus = Bus::new(10);
    let mut reader = bus.subscribe();
    let publishing = app.publish("out").of::<AccountEvent>().unwrap();
    let publishing = publishing.start(bus.clone(), MemoryCheckpoints::default()).unwrap();
    for position in 1..=2 {
        let event = soon(reader.next()).await.expect("the bus is there").unwrap();
        assert_eq!(event.position.get(), position);
    }
    record(&app, [deposited(1, 6)]).await;
    assert_eq!(soon(reader.next()).await.unwrap().unwrap().position.get(), 4);
    publishing.stop().await.unwrap();
}

/// A reader that is too slow must know it, not read on over a gap.
#[tokio::test]
async fn a_reader_of_the_bus_that_falls_behind_is_told_how_much_it_missed() {
    let app = App::new(MemoryStore::new());
    let bus = Bus::new(4);
    let mut reader = bus.subscribe();
    record(&app, (0..10).map(|n| deposited(n, 1))).await;
    let publishing = app.publish("out").start(bus, MemoryCheckpoints::default()).unwrap();
    soon(publishing.at_least(Position::new(10).unwrap())).await.unwrap();
    let error = soon(reader.next()).await.unwrap().expect_err("six are gone");
    assert!(error.to_string().contains("missed 6 events"), "{error}");
    assert_eq!(soon(reader.next()).await.unwrap().unwrap().position.get(), 7);
    publishing.stop().await.unwrap();
    while let Some(event) = soon(reader.next()).await {
        event.unwrap();
    }
}

/// What goes out is what others can rely on: a CloudEvent with the extensions under their names.
#[tokio::test]
async fn an_event_goes_out_as_a_cloud_event_with_what_led_to_it() {
    #[derive(Clone, Debug, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);
    impl Publisher for Lines {
        fn publish<'a>(&'a self, batch: &'a [Outgoing<'a>]) -> BoxFuture<'a, Vec<Result<()>>> {
            let lines = batch.iter().map(|event| String::from_utf8(event.cloud_event()).unwrap());
            self.0.lock().extend(lines);
            Box::pin(std::future::ready(batch.iter().map(|_| Ok(())).collect()))
        }
    }
    #[derive(Debug)]
    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(1_700_000_000_000_000)
        }
    }
    impl IdSource for Fixed {
        fn next(&self) -> EventId {
            EventId::from_bytes([7; 16])
        }
    }
    let app = App::builder(MemoryStore::with_clock(Arc::new(Fixed))).ids(Arc::new(Fixed)).build();
    app.execute(AddItem { cart: 1 }).correlation("visit-7").causation("click-9").await.unwrap();
    let lines = Lines::default();
    let publishing = app.publish("carts").from_source("urn:shop:carts");
    let publishing = publishing.start(lines.clone(), MemoryCheckpoints::default()).unwrap();
    soon(publishing.at_least(Position::FIRST)).await.unwrap();
    insta::assert_snapshot!(lines.0.lock().join("\n"));
}
