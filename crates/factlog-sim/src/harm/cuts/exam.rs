//! One cut: the store is opened as it was left, and must be what is due.

use std::path::Path;
use std::sync::Arc;

use factlog_core::{
    Append, Event, EventId, EventStore, EventType, Position, Query, ReadOptions, RecordedEvent,
};
use factlog_engine::Damage;

use super::due::{Cut, Due, Hole, Way};
use super::log::{Log, SOURCE};
use crate::disk::{Image, SimDisk};
use crate::harm::hand::{DIR, Hand, Ticking, verify};

/// One of so many cuts is verified and read from the very front.
const WHOLLY: usize = 61;
/// After one of so many the process ends, and the store is opened once more.
const AGAIN: usize = 8;

/// A log, with all files behind the one that is cut as they are then.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    log: &'a Log,
    image: Image,
    /// What the file that is cut holds behind the cut.
    behind: Arc<Vec<u8>>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(log: &'a Log, file: usize, way: Way) -> Self {
        let disk = log.image.disk(0);
        if way != Way::Hole {
            for later in &log.files[file + 1..] {
                let path = Path::new(DIR).join(later.path());
                let done = match way {
                    Way::Shorter => disk.cut(&path, 0),
                    Way::Zeros | Way::Former | Way::Hole => disk.overwrite(&path, 0, &way.bytes(later)),
                };
                done.expect("the file is there");
            }
        }
        Self { log, image: disk.image(), behind: way.bytes(&log.files[file]) }
    }

    /// Cuts, opens, appends and reads; now and then it opens and reads once more.
    pub(super) fn examine(&self, cut: Cut) -> Result<Due, String> {
        let (log, behind) = (self.log, &self.behind);
        let file = &log.files[cut.file];
        let disk = self.image.disk(0);
        let path = Path::new(DIR).join(file.path());
        let done = match cut.way {
            Way::Shorter => disk.cut(&path, cut.at as u64),
            Way::Zeros | Way::Former | Way::Hole => {
                disk.overwrite(&path, cut.at as u64, behind.get(cut.at..).unwrap_or_default())
            }
        };
        done.map_err(|error| format!("the file is gone: {error}"))?;
        let due = Due::new(log, cut, behind);
        let wholly = cut.at.is_multiple_of(WHOLLY);
        if wholly {
            let report = verify(&disk).map_err(|error| format!("it cannot be verified: {error}"))?;
            let (damage, mendable) = (&report.damage, &report.mendable);
            compare(&due, if due.is_mended() { mendable } else { damage }, "verifying")?;
            if !(if due.is_mended() { damage } else { mendable }).is_empty() {
                return Err(format!("verifying reports {damage:?} and {mendable:?}"));
            }
        }
        let clock = Ticking::new();
        let open = |disk: &SimDisk| {
            Hand::open(disk, &log.settings, &clock).map_err(|error| format!("it does not open: {error}"))
        };
        let mut hand = open(&disk)?;
        compare(&due, &hand.engine().damage(), "opening")?;
        let from = if wholly { 0 } else { log.sealed };
        if due.lost().is_some() {
            return holds(&hand, &due, log, from, &[]).and_then(|()| refuses(hand)).map(|()| due);
        }
        let one = next_event();
        let appended = hand.append(Append::new([one.clone()])).map_err(|error| error.to_string())?;
        if appended.first.get() != due.head + 1 {
            return Err(format!("the next event is at {} and not behind {}", appended.first, due.head));
        }
        let due_then = Due { head: due.head + 1, hole: None };
        holds(&hand, &due_then, log, from, std::slice::from_ref(&one))?;
        if wholly || cut.at.is_multiple_of(AGAIN) {
            drop(hand);
            let disk = disk.image().disk(1);
            let hand = open(&disk)?;
            compare(&due_then, &hand.engine().damage(), "opening again")?;
            holds(&hand, &due_then, log, from, &[one])?;
        }
        Ok(due)
    }
}

fn next_event() -> Event {
    let name = EventType::new("next").expect("a short name");
    Event::new(name, vec![b'n'; 100]).with_id(EventId::from_bytes([0xEE; 16]))
}

/// What is reported as damaged is what is due, and nothing else.
fn compare(due: &Due, damage: &[Damage], who: &str) -> Result<(), String> {
    let found: Vec<_> = damage
        .iter()
        .map(|damage| Hole {
            file: damage.file.clone(),
            offset: damage.offset,
            lost: damage.first.zip(damage.last).map(|(first, last)| (first.get(), last.get())),
        })
        .collect();
    if found.iter().eq(&due.hole) {
        return Ok(());
    }
    let damage: Vec<_> = damage.iter().map(ToString::to_string).collect();
    Err(format!("{who} reports {damage:?} where {:?} is due", due.hole))
}

/// The store has what is due, the events behind it that were appended since, and nothing else.
fn holds(hand: &Hand, due: &Due, log: &Log, from: u64, since: &[Event]) -> Result<(), String> {
    let engine = hand.engine();
    let head = pollster::block_on(engine.head()).map_err(|error| format!("it has no head: {error}"))?;
    if Position::number(head.position) != due.head {
        return Err(format!("the head is {:?} and not {}", head.position, due.head));
    }
    let kept = &log.events[..(due.head as usize - since.len())];
    let lost = due.lost();
    let end = lost.map_or(kept.len(), |(first, _)| first as usize - 1);
    let (read, error) = hand.read(Query::All, ReadOptions::default().after(Position::new(from)));
    let more = read.get(end - from as usize..).unwrap_or_default();
    same(&read[..read.len() - more.len()], &kept[from as usize..end])?;
    if !more.iter().map(|recorded| &recorded.event).eq(since) {
        return Err(format!("{} events stand behind the {end} that are left", more.len()));
    }
    match (lost, error) {
        (None, None) => {}
        (Some((_, last)), Some(error)) => {
            is_told(due, &error.to_string())?;
            let behind = ReadOptions::default().after(Position::new(last));
            let (rest, error) = hand.read(Query::All, behind);
            same(&rest, &kept[last as usize..])?;
            if let Some(error) = error {
                return Err(format!("what is whole behind the damage is not served: {error}"));
            }
        }
        (Some(_), None) => return Err("a read passes over the damage".to_owned()),
        (None, Some(error)) => return Err(format!("a read fails: {error}")),
    }
    let tracking = pollster::block_on(engine.tracking(SOURCE));
    match tracking {
        Ok(found) if lost.is_none() && found == log.tracking_at(kept.len() as u64) => Ok(()),
        // What was lost may have said more; then nobody knows.
        Ok(found) if found == log.tracking_at(due.head) => Ok(()),
        Err(error) if lost.is_some() => is_told(due, &error.to_string()),
        other => Err(format!("tracking is {other:?} and not {:?}", log.tracking_at(due.head))),
    }
}

fn same(found: &[RecordedEvent], due: &[RecordedEvent]) -> Result<(), String> {
    if found == due {
        return Ok(());
    }
    let place = found.iter().zip(due).position(|(one, other)| one != other);
    let due = due.len();
    Err(format!("{} events are read where {due} are due; they differ from {place:?} on", found.len()))
}

/// An error names the place.
fn is_told(due: &Due, error: &str) -> Result<(), String> {
    let Some(hole) = &due.hole else { return Err(format!("an error without damage: {error}")) };
    if error.contains(&hole.file) && error.contains(&format!("offset {}", hole.offset)) {
        return Ok(());
    }
    Err(format!("an error does not name the damage {hole:?}: {error}"))
}

/// A store that has lost something takes nothing in.
fn refuses(mut hand: Hand) -> Result<(), String> {
    if hand.is_writable() {
        return Err("it can be written in spite of the damage".to_owned());
    }
    match hand.append(Append::new([next_event()])) {
        Err(error)
            if error.failed().is_some_and(|error| error.kind() == factlog_core::ErrorKind::Corrupt) =>
        {
            Ok(())
        }
        other => Err(format!("an append in spite of the damage: {other:?}")),
    }
}
