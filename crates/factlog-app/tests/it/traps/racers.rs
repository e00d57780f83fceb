//! Test (a), traps 5 and 6: racers on one boundary, held so that all read before any of them appends.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use factlog::{
    App, Context, Decide, Event, EventStore, Events, ExecuteError, MemoryStore, Result, Tags, View, events,
    tags,
};
use factlog_core::{AppendCondition, EventStream, ReadOptions, ReadStep};
use factlog_engine::{Engine, Settings};
use futures_util::stream;
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::caught;
use super::over::Over;
use crate::bank::{AddItem, Cart};

/// A racer's own view of the store: its first read starts when all racers are at it, and ends when all have read.
fn held(store: Arc<dyn EventStore>, before: Arc<Barrier>, after: Arc<Barrier>) -> Over {
    let first = AtomicBool::new(true);
    Over::new(store).reading(move |store, query, options| {
        if !first.swap(false, Ordering::Relaxed) {
            return store.read(query, options);
        }
        before.wait();
        let read = block_on(store.read(query, options).collect());
        after.wait();
        let read = match read {
            Ok(read) => read,
            Err(error) => return EventStream::failed(error),
        };
        let events = read.events.into_iter().map(|event| Ok(ReadStep::Event(event)));
        EventStream::new(stream::iter([Ok(ReadStep::Head(read.head))].into_iter().chain(events)))
    })
}

/// How many of so many racers win, each a program of its own, each beginning a little later than the one before.
fn winners<C: Decide>(store: &Arc<dyn EventStore>, racers: u64, command: impl Fn(u64) -> C + Sync) -> u32 {
    let gate = || Arc::new(Barrier::new(usize::try_from(racers).unwrap()));
    let (before, after) = (gate(), gate());
    let winners = AtomicU32::new(0);
    thread::scope(|scope| {
        for racer in 0..racers {
            let app =
                App::builder(held(store.clone(), before.clone(), after.clone())).attempts(1_000).build();
            let (command, winners) = (&command, &winners);
            scope.spawn(move || {
                thread::sleep(Duration::from_micros(racer * 50));
                match block_on(app.execute(command(racer)).into_future()) {
                    Ok(_) => drop(winners.fetch_add(1, Ordering::Relaxed)),
                    Err(ExecuteError::Rejected(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            });
        }
    });
    winners.into_inner()
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "student.enrolled", tags(course = course, student = student))]
struct Enrolled {
    course: u64,
    student: u64,
}

/// How many enrolments carry a tag.
macro_rules! enrolments {
    ($name:ident, $tag:ident) => {
        #[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $name(u64);
        impl View for $name {
            type Id = u64;
            type Event = Enrolled;
            const NAME: &'static str = stringify!($tag);
            fn tags(id: &u64) -> Result<Tags> {
                tags![$tag = id]
            }
            fn apply(&mut self, _: &Enrolled) {
                self.0 += 1;
            }
        }
    };
}

enrolments!(InCourse, course);
enrolments!(OfStudent, student);

const CAPACITY: u32 = 10;
const LIMIT: u32 = 4;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("there is no room")]
struct NoRoom;

/// Into a course with room for ten, by a student who may take four.
struct Enrol {
    course: u64,
    student: u64,
}

impl Decide for Enrol {
    type Model = (InCourse, OfStudent);
    type Event = Enrolled;
    type Error = NoRoom;
    fn boundary(&self) -> (u64, u64) {
        (self.course, self.student)
    }
    fn decide(&self, model: &(InCourse, OfStudent), _: &Context) -> Result<Events<Enrolled>, NoRoom> {
        let (InCourse(students), OfStudent(courses)) = model;
        if u64::from(CAPACITY) <= *students || u64::from(LIMIT) <= *courses {
            return Err(NoRoom);
        }
        Ok(events![Enrolled { course: self.course, student: self.student }])
    }
}

/// At each boundary exactly as many win as there is room for: by either of two tags, and by an aggregate's stream.
fn nobody_wins_where_there_is_no_room(store: Arc<dyn EventStore>, racers: u64) {
    let won = winners(&store, racers, |racer| Enrol { course: 1, student: 100 + racer });
    assert_eq!(won, CAPACITY, "winners of a course");
    let won = winners(&store, racers, |racer| Enrol { course: 100 + racer, student: 1 });
    assert_eq!(won, LIMIT, "winners of a student");
    let won = winners(&store, racers, |_| AddItem { cart: 7 });
    assert_eq!(won, 3, "winners of a cart");

    let app = App::new(Over::new(store));
    let enrolled = block_on(app.load::<(InCourse, OfStudent)>(&(1, 1)).into_future()).unwrap().state;
    let cart = block_on(app.load::<Cart>(&7).into_future()).unwrap().state;
    assert_eq!((enrolled, cart.items), ((InCourse(CAPACITY.into()), OfStudent(LIMIT.into())), 3));
}

#[test]
fn racers_that_have_all_read_before_any_appends_win_no_more_than_there_is_room_for() {
    for racers in [16, 16, 16, 64] {
        nobody_wins_where_there_is_no_room(Arc::new(MemoryStore::new()), racers);
    }
}

#[test]
fn racers_on_the_durable_log_win_no_more_than_there_is_room_for() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(directory.path(), Settings::default()).unwrap();
    nobody_wins_where_there_is_no_room(Arc::new(engine), 32);
}

/// A store that forgets its conditions.
fn without_conditions() -> Over {
    Over::new(Arc::new(MemoryStore::new())).appending(|store, mut append| {
        append.conditions.clear();
        Box::pin(async move { store.append(append).await })
    })
}

/// Trap 5: a store that looks first and appends then, as if nothing could come in between.
fn looking_first() -> Over {
    Over::new(Arc::new(MemoryStore::new())).appending(|store, mut append| {
        Box::pin(async move {
            for condition in std::mem::take(&mut append.conditions) {
                let AppendCondition::NoneMatch { query, after } = &condition else {
                    append.conditions.push(condition);
                    continue;
                };
                let options = ReadOptions::default().after(*after).limit(1);
                if store.read(query.clone(), options).next().await.is_some() {
                    append.conditions.push(condition);
                }
            }
            thread::yield_now();
            store.append(append).await
        })
    })
}

/// Trap 6: a store whose reads end with the head as it is afterwards.
fn head_after_the_events() -> Over {
    Over::new(Arc::new(MemoryStore::new())).reading(|store, query, options| {
        let steps = block_on(async {
            let read = store.read(query, options).collect().await?;
            thread::sleep(Duration::from_micros(200));
            let head = store.head().await?.position;
            let events = read.events.into_iter().map(ReadStep::Event);
            Ok::<_, factlog::Error>([ReadStep::Head(head)].into_iter().chain(events).map(Ok))
        });
        match steps {
            Ok(steps) => EventStream::new(stream::iter(steps)),
            Err(error) => EventStream::failed(error),
        }
    })
}

/// A race that wrong stores pass shows nothing.
#[test]
fn stores_that_forget_conditions_look_first_or_take_the_head_late_are_caught_by_the_same_races() {
    let twins = [
        ("a store that forgets its conditions", without_conditions()),
        ("a store that looks first", looking_first()),
        ("a store that takes the head late", head_after_the_events()),
    ];
    for (twin, store) in twins {
        caught(twin, "winners of", || nobody_wins_where_there_is_no_room(Arc::new(store), 16));
    }
}
