//! `kill -9`: whatever a process was told is durable is there when the next one opens the store, once, and whole.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use factlog_core::conformance::block_on;
use factlog_core::{Append, Event, EventId, EventStore, EventType, Query, ReadOptions, StreamId};
use factlog_engine::{Engine, Settings, verify};

const CHILD: &str = "FACTLOG_KILL_TEST_DIR";
const NAME: &str = "kill::what_was_acknowledged_survives_being_killed";
const WRITERS: u64 = 8;

/// Little of everything, so that a kill meets rolling and sealing too.
fn settings() -> Settings {
    Settings { wal_file_bytes: 64 << 10, wal_bytes: 256 << 10, segment_events: 100, ..Settings::default() }
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    if let Some(dir) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = HashSet::new();
    for round in 0..50_usize {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", NAME, "--nocapture"])
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
        check(dir.path(), &acknowledged);
    }
    assert!(50 * 100 < acknowledged.len(), "the children got to work");
}

/// Everything acknowledged is there, nothing twice, each append whole.
fn check(dir: &Path, acknowledged: &HashSet<String>) {
    let report = verify(dir, factlog_engine::Extent::Full, &mut |_| {}).expect("verify");
    assert_eq!(report.damage, vec![]);
    let engine = Engine::open(dir, settings()).expect("open");
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
    block_on(engine.close()).expect("close");
}

/// The child: several threads append pairs of events and tell each answer.
fn write_until_killed(dir: &Path) -> ! {
    let engine = Engine::open(dir, settings()).expect("open");
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
    let stream = StreamId::new(format!("writer-{writer}")).expect("a stream");
    Event::new(EventType::new("pair.half").expect("a type"), vec![b'x'; (n % 300) as usize])
        .with_id(EventId::from_bytes(id))
        .in_stream(stream)
}
