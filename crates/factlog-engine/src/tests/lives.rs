//! Whole lives of a store against the reference store: appends at once and under conditions, repeats, reads, closing,
//! kills, and other settings each time it is opened. Whatever the order, both say the same.

mod steps;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};

use factlog_core::conformance::ManualClock;
use factlog_core::{
    Administration, Append, AppendCondition, AppendError, Appended, Event, EventId, EventStore,
    ExpectedRevision, MemoryStore, Position, Query, ReadOptions, Revision, Timestamp, Tracking,
    TrackingSource,
};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{close, settle, verify_all};
use crate::{Engine, Settings};
use steps::{Ask, Condition, Draft, Step};

/// Both stores, and what was appended to them.
struct World {
    dir: TempDir,
    engine: Engine,
    model: MemoryStore,
    clock: Arc<ManualClock>,
    recorded: Vec<Append>,
    events: u64,
    tracked: BTreeMap<u8, u64>,
    now: i64,
}

fn open(dir: &Path, settings: Settings, clock: &Arc<ManualClock>) -> Engine {
    Engine::open_with(dir, settings, clock.clone()).expect("open")
}

fn number(position: Option<Position>) -> u64 {
    Position::number(position)
}

/// What can be compared of an answer: errors differ in their words.
fn comparable(answer: Result<Appended, AppendError>) -> String {
    match answer {
        Ok(appended) => format!("{appended:?}"),
        Err(AppendError::Conflict(conflict)) => format!("{conflict:?}"),
        Err(AppendError::Failed(error)) => format!("{:?}", error.kind()),
    }
}

impl World {
    fn new(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000)));
        let dir = tempfile::tempdir().expect("a directory");
        let engine = open(dir.path(), settings, &clock);
        let model = MemoryStore::with_clock(clock.clone());
        Self {
            dir,
            engine,
            model,
            clock,
            recorded: Vec::new(),
            events: 0,
            tracked: BTreeMap::new(),
            now: 1_000_000,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(drafts) => {
                let appends: Vec<_> = drafts.iter().map(|draft| self.append(draft)).collect();
                self.append_at_once(appends);
            }
            Step::Again { which, changed } => {
                let Some(append) = self.recorded.get(which.index(self.recorded.len().max(1))) else { return };
                let mut append = append.clone();
                if *changed {
                    append.events[0].data = "other".into();
                }
                self.append_at_once(vec![append]);
            }
            Step::Ask(ask) => self.ask(ask),
            Step::Time(micros) => {
                self.now += micros;
                self.clock.set(Timestamp::from_micros(self.now));
            }
            Step::Reopen(settings) => {
                close(&self.engine);
                self.engine = open(self.dir.path(), settings.clone(), &self.clock);
                self.compare();
            }
            Step::Kill(settings) => {
                let left = left_by_a_kill(&self.engine, self.dir.path());
                self.engine = open(left.path(), settings.clone(), &self.clock);
                self.dir = left;
                self.compare();
            }
        }
    }

    fn append(&mut self, draft: &Draft) -> Append {
        let events = draft.events.iter().map(|draft| {
            self.events += 1;
            draft.event().with_id(EventId::from_bytes(u128::from(self.events).to_be_bytes()))
        });
        let mut append = Append::new(events.collect::<Vec<Event>>());
        for condition in &draft.conditions {
            append = append.when(self.condition(condition));
        }
        let Some((source, more)) = draft.tracking else { return append };
        let position = self.tracked.entry(source).or_default();
        *position += more;
        match Position::new(*position) {
            Some(position) => append.tracking(Tracking { source: source_of(source), position }),
            None => append,
        }
    }

    fn condition(&self, condition: &Condition) -> AppendCondition {
        match condition {
            Condition::NoneMatch { query, back } => {
                let head = pollster::block_on(self.model.head()).expect("head").position;
                AppendCondition::none_match(query.clone(), Position::new(number(head).saturating_sub(*back)))
            }
            Condition::Revision { stream, expected } => AppendCondition::revision(stream.clone(), *expected),
            Condition::Follows { stream } => {
                let known = pollster::block_on(self.model.stream(stream.clone())).expect("a stream");
                let expected = known
                    .map_or(ExpectedRevision::NoStream, |known| ExpectedRevision::At(known.last_revision));
                AppendCondition::revision(stream.clone(), expected)
            }
        }
    }

    /// Begins all of them before the first is answered: their order is that of their beginnings.
    fn append_at_once(&mut self, appends: Vec<Append>) {
        let mut begun: Vec<_> = appends.iter().map(|append| self.engine.append(append.clone())).collect();
        let mut context = Context::from_waker(Waker::noop());
        let early: Vec<_> = begun.iter_mut().map(|answer| answer.as_mut().poll(&mut context)).collect();
        for ((append, answer), early) in appends.into_iter().zip(begun).zip(early) {
            let found = match early {
                std::task::Poll::Ready(answer) => answer,
                std::task::Poll::Pending => pollster::block_on(answer),
            };
            let expected = pollster::block_on(self.model.append(append.clone()));
            if expected.as_ref().is_ok_and(|appended| !appended.deduplicated) {
                self.recorded.push(append.clone());
            }
            assert_eq!(comparable(found), comparable(expected), "{append:?}");
        }
    }

    fn ask(&self, ask: &Ask) {
        let head = number(pollster::block_on(self.model.head()).expect("head").position);
        let at = |share: Option<u8>| share.and_then(|share| Position::new(head * u64::from(share) / 200));
        let mut options = ReadOptions::default().after(at(ask.after)).until(at(ask.until));
        if ask.backwards {
            options = options.backwards();
        }
        options.limit = ask.limit;
        if let Some(revision) = ask.from_revision {
            options = options.from_revision(Revision::new(revision));
        }
        let found = pollster::block_on(self.engine.read(ask.query.clone(), options).collect());
        let expected = pollster::block_on(self.model.read(ask.query.clone(), options).collect());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{ask:?}"),
            (Err(found), Err(expected)) => assert_eq!(found.kind(), expected.kind(), "{ask:?}"),
            (found, expected) => panic!("{ask:?}: {found:?} in place of {expected:?}"),
        }
    }

    /// Everything that can be asked of both without a choice.
    fn compare(&self) {
        let (engine, model) = (&self.engine, &self.model);
        assert_eq!(engine.damage(), vec![]);
        pollster::block_on(async {
            assert_eq!(engine.head().await.expect("head"), model.head().await.expect("head"));
            let all = |store: &dyn EventStore| store.read(Query::All, ReadOptions::default()).collect();
            let (found, expected) = (all(engine).await.expect("read"), all(model).await.expect("read"));
            assert_eq!(found, expected);
            for source in 0..3 {
                let source = source_of(source);
                let found = engine.tracking(source.as_str()).await.expect("tracking");
                assert_eq!(found, model.tracking(source.as_str()).await.expect("tracking"));
            }
            for event in &expected.events {
                for micros in [-1, 0, 1] {
                    let time = Timestamp::from_micros(event.recorded_at.as_micros() + micros);
                    let found = engine.position_at(time).await.expect("a position");
                    assert_eq!(found, model.position_at(time).await.expect("a position"), "{time}");
                }
            }
            let found = engine.streams("", None, 100).await.expect("streams");
            assert_eq!(found, model.streams("", None, 100).await.expect("streams"));
            assert_eq!(engine.types().await.expect("types"), model.types().await.expect("types"));
            let (found, expected) =
                (engine.stats().await.expect("stats"), model.stats().await.expect("stats"));
            assert_eq!((found.events, found.streams), (expected.events, expected.streams));
            assert_eq!((found.types, found.tags), (expected.types, expected.tags));
        });
    }
}

/// The files of an open store at one moment, as far as they matter: what is settled may still be tidied up.
fn left_by_a_kill(engine: &Engine, dir: &Path) -> TempDir {
    settle(engine);
    let left = tempfile::tempdir().expect("a directory");
    for folder in ["", "wal", "segments", "index"] {
        std::fs::create_dir_all(left.path().join(folder)).expect("create");
        for entry in std::fs::read_dir(dir.join(folder)).expect("list") {
            let path = entry.expect("an entry").path();
            let to = left.path().join(path.strip_prefix(dir).expect("inside"));
            match std::fs::read(&path) {
                Ok(bytes) => std::fs::write(to, bytes).expect("write"),
                Err(cause) if path.is_dir() || cause.kind() == ErrorKind::NotFound => {}
                Err(cause) => panic!("{}: {cause}", path.display()),
            }
        }
    }
    left
}

fn source_of(number: u8) -> TrackingSource {
    TrackingSource::new(format!("upstream-{number}")).expect("a source")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_steps_tells_the_store_from_the_reference(settings in steps::settings(), life in steps::life()) {
        let mut world = World::new(settings);
        life.iter().for_each(|step| world.take(step));
        world.compare();
        // What was accepted is answered again as before, wherever it is by now.
        for append in world.recorded.clone() {
            world.append_at_once(vec![append]);
        }
        settle(&world.engine);
        close(&world.engine);
        let World { dir, engine, .. } = world;
        drop(engine);
        let report = verify_all(dir.path());
        prop_assert!(report.is_clean(), "{:?}", report);
    }
}
