//! What a process leaves in the log, for people, for other programs, and for itself in ten years.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog::process::{Dispatch, Dispatching, Effects, Input, Inspect, ProcessManager};
use factlog::{App, EventId, EventStore, IdSource, ManualClock, MemoryStore, Position, Recorded};
use factlog_core::{Append, Event, Query, ReadOptions, StartFrom};
use pollster::block_on;

use super::shop::{DEADLINE, Do, Fact, Fulfil, OUT_OF_STOCK, order};

/// Ids that count, so that a log can be compared.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl IdSource for Counted {
    fn next(&self) -> EventId {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        EventId::from_bytes(u128::from(number).to_be_bytes())
    }
}

/// The stored form for ever: a change would make the past of every process mean something else.
#[test]
fn what_a_process_records_never_changes() {
    block_on(async {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::with_clock(clock.clone());
        let app = App::builder(store.clone()).clock(clock.clone()).ids(Arc::new(Counted::default())).build();
        for order in [1, OUT_OF_STOCK] {
            app.execute(Do::Place { order }).correlation("c").await.unwrap();
            app.process(Fulfil).run_until_idle().await.unwrap();
        }
        clock.advance(DEADLINE);
        app.process(Fulfil).run_until_idle().await.unwrap();
        let mut stored = String::new();
        for event in store.read(Query::All, ReadOptions::default()).collect().await.unwrap().events {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let stream = event.event.stream.map_or("-".to_owned(), |stream| stream.to_string());
            let tags: Vec<_> = event.event.tags.iter().map(|tag| tag.as_str()).collect();
            let (data, about) = (text(&event.event.data), text(&event.event.metadata));
            let kind = event.event.event_type;
            stored += &format!("{} {kind} {stream} {tags:?}\n  {data}\n  {about}\n", event.position);
        }
        insta::assert_snapshot!("process_records", stored);
    });
}

/// Trap 13: what concerns nobody must not be looked at again at each start; nor may it cost a commit each.
#[test]
fn inputs_that_concern_nobody_move_the_process_along_at_a_bounded_price() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        let reminded = || Event::new("customer.reminded".parse().unwrap(), r#"{"order":1}"#);
        app.store().append(Append::new((0..9_999).map(|_| reminded()))).await.unwrap();
        app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!(app.store().tracking("process:fulfil").await.unwrap(), None, "not worth a commit yet");
        app.store().append(Append::new([reminded()])).await.unwrap();
        let status = app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!(app.store().tracking("process:fulfil").await.unwrap(), Position::new(10_000));
        let head = app.store().head().await.unwrap().position;
        assert_eq!((status.handled, head), (head, Position::new(10_001)), "one record");
        app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!(app.store().head().await.unwrap().position, head, "and no other");
    });
}

/// Trap 16: a process that is new on an old log must be able to leave the past alone, also over restarts.
#[test]
fn a_process_that_begins_at_the_end_leaves_the_past_alone_for_ever() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        app.execute(Do::Place { order: 1 }).await.unwrap();
        app.process(Fulfil).first_from(StartFrom::End).run_until_idle().await.unwrap();
        app.execute(Do::Place { order: 2 }).await.unwrap();
        app.process(Fulfil).first_from(StartFrom::End).run_until_idle().await.unwrap();
        app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!((order(&app, 1).await.reserved, order(&app, 2).await.reserved), (0, 1));
    });
}

/// Takes any text for an instance.
struct Named;

impl ProcessManager for Named {
    type Event = Fact;
    type State = u64;
    type Command = Do;
    type Timer = ();
    const NAME: &'static str = "named";
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        let name = ["", "~", "a:b", "a", "\u{1F600} with spaces"][(event.event.order() % 5) as usize];
        matches!(event.event, Fact::Placed(_))
            .then(|| name.repeat(1 + (event.event.order() / 5) as usize * 300))
    }
    fn evolve(&self, state: &mut u64, _: &Input<Self>) {
        *state += 1;
    }
    fn react(&self, _: &u64, input: &Input<Self>) -> Effects<Self> {
        let Input::Event(event) = input else { return Effects::none() };
        Effects::none().command(Do::Ship { order: event.event.order() })
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}

/// An instance's name is the user's own text, and may be long, empty or strange.
#[test]
fn any_text_names_an_instance_and_is_shown_as_it_is() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        for order in 0..10 {
            app.execute(Do::Place { order }).await.unwrap();
        }
        app.process(Named).run_until_idle().await.unwrap();
        let inspect = Inspect::new(app.store().clone(), "named").unwrap();
        let instances = inspect.instances().await.unwrap();
        // The empty text, once and three hundred times, is the same.
        assert_eq!(instances.len(), 9);
        for instance in &instances {
            assert_eq!(inspect.show(&instance.instance).await.unwrap().as_ref(), Some(instance));
            let seen = if instance.instance.is_empty() { 2 } else { 1 };
            assert_eq!(instance.state, Some(seen.into()));
        }
        for number in 0..10 {
            assert_eq!(order(&app, number).await.shipped, 1);
        }
        let all = Inspect::all(app.store().clone()).await.unwrap();
        assert_eq!((all.len(), all[0].process.as_str(), all[0].open), (1, "named", 9));
    });
}
