//! `kill -9`: whatever a process was told is durable is there when the next one opens the store, once, and whole.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use factlog_core::conformance::block_on;
use factlog_core::{Append, Event, EventId, EventStore, EventType, Query, ReadOptions, StreamId};
use factlog_engine::{Engine, Settings, verify};

const CHILD: &str = "FACTLOG_KILL_TEST_DIR";
const WRITERS: u64 = 8;

/// Little of everything, so that a kill meets rolling and sealing too.
fn small() -> Settings {
    Settings { wal_file_bytes: 64 << 10, wal_bytes: 256 << 10, segment_events: 100, ..Settings::default() }
}

/// So little that most kills meet sealing, and merging.
fn tiny() -> Settings {
    Settings { segment_events: 20, cache_bytes: 0, index_cache_bytes: 0, filter_bytes: 0, ..small() }
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    kill_again_and_again("kill::what_was_acknowledged_survives_being_killed", &small(), 50);
}

#[test]
fn what_was_acknowledged_survives_being_killed_while_sealing_and_merging() {
    let name = "kill::what_was_acknowledged_survives_being_killed_while_sealing_and_merging";
    let merged = kill_again_and_again(name, &tiny(), 30);
    assert!(merged, "runs are merged");
}

/// Kills so many children at their work and checks what each left; says whether there were merged runs.
fn kill_again_and_again(name: &str, settings: &Settings, rounds: usize) -> bool {
    if let Some(dir) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&dir), settings);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = HashSet::new();
    let mut merged = false;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let told = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut acks =
            told.map_while(Result::ok).filter_map(|line| line.strip_prefix("ack ").map(str::to_owned));
        // Kill it after so many answers; then take in what it had said by then.
        let wanted = 1 + round * 37 % 400;
        acknowledged.extend(acks.by_ref().take(wanted));
        child.kill().expect("kill");
        acknowledged.extend(acks);
        child.wait().expect("an end");
        let names = std::fs::read_dir(dir.path().join("index")).expect("list");
        merged |= names.flatten().any(|name| !name.file_name().to_string_lossy().starts_with('0'));
        check(dir.path(), settings, &acknowledged);
    }
    assert!(rounds * 100 < acknowledged.len(), "the children got to work");
    merged
}

/// Everything acknowledged is there, nothing twice, each append whole.
fn check(dir: &Path, settings: &Settings, acknowledged: &HashSet<String>) {
    let report = verify(dir, factlog_engine::Extent::Full, &mut |_| {}).expect("verify");
    assert_eq!(report.damage, vec![]);
    let engine = Engine::open(dir, settings.clone()).expect("open");
    let read = block_on(engine.read(Query::All, ReadOptions::default()).collect()).expect("read");
    let ids: Vec<_> = read.events.iter().map(|recorded| recorded.event.id).collect();
    let different: HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "nothing is there twice");
    assert!(read.events.iter().zip(1..).all(|(recorded, n)| recorded.position.get() == n), "dense");
    for pair in ids.chunks(2) {
        let [first, second] = pair else { panic!("half an append") };
        assert_eq!(
            first.as_bytes()[..15],
            second.as_bytes()[..15],
            "two events of one append are neighbours"
        );
    }
    let there: HashSet<_> = ids.iter().map(ToString::to_string).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !there.contains(*id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged appends are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    let stream = stream(acknowledged.len() as u64 % WRITERS);
    let expected = read.events.iter().filter(|recorded| recorded.event.stream.as_ref() == Some(&stream));
    let found = block_on(engine.read(Query::stream(stream.clone()), ReadOptions::default()).collect());
    assert!(found.expect("read").events.iter().eq(expected), "the index knows what a scan finds");
    block_on(engine.close()).expect("close");
}

/// The child: several threads append pairs of events and tell each answer.
fn write_until_killed(dir: &Path, settings: &Settings) -> ! {
    let engine = Engine::open(dir, settings.clone()).expect("open");
    let begun = std::process::id();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0_u32.. {
                    let first = event(begun, writer, n, 0);
                    let told = first.id;
                    let append = Append::new([first, event(begun, writer, n, 1)]);
                    block_on(engine.append(append)).expect("append");
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ack {told}").and_then(|()| out.flush()).expect("somebody listens");
                }
            });
        }
    });
    unreachable!("it is killed long before")
}

fn event(process: u32, writer: u64, n: u32, half: u8) -> Event {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&process.to_be_bytes());
    id[4..12].copy_from_slice(&writer.to_be_bytes());
    id[11] = u8::try_from(writer).expect("few writers");
    id[12..15].copy_from_slice(&n.to_be_bytes()[1..]);
    id[15] = half;
    Event::new(EventType::new("pair.half").expect("a type"), vec![b'x'; (n % 300) as usize])
        .with_id(EventId::from_bytes(id))
        .in_stream(stream(writer))
}

fn stream(writer: u64) -> StreamId {
    StreamId::new(format!("writer-{writer}")).expect("a stream")
}
