//! Broken twins whose log is wrong: lost, doubled, torn, foreign and swapped events.

use factlog_core::{Position, RecordedEvent, Revision, Timestamp};
use fastrand::Rng;

use super::twins::{Twin, acknowledged, pick, twins};
use super::{Property, append_of, event, renumber};
use crate::history::{History, Outcome, What};

twins! {
    two_events_swap_positions breaks Log;
    a_position_is_skipped breaks Log;
    a_revision_is_given_twice breaks Log;
    a_time_goes_back breaks Log unseen;
    one_append_has_two_times breaks Recorded unseen;
    an_acknowledged_append_is_lost breaks Recorded;
    an_acknowledged_append_is_cut breaks Recorded;
    an_acknowledged_byte_is_changed breaks Recorded;
    an_acknowledgement_tells_a_wrong_revision breaks Recorded;
    a_stranger_appends breaks Recorded;
    what_was_refused_is_recorded breaks Recorded;
    an_unknown_append_is_half_there breaks Recorded;
    an_append_is_recorded_twice breaks Repeats;
    appends_are_in_the_wrong_order breaks RealTime;
}

fn two_events_swap_positions(history: &mut History, rng: &mut Rng) -> Option<()> {
    let at = rng.usize(..history.log.len().checked_sub(1)?.max(1));
    let next = history.log.get(at + 1)?.position;
    history.log[at + 1].position = std::mem::replace(&mut history.log[at].position, next);
    Some(())
}

fn a_position_is_skipped(history: &mut History, rng: &mut Rng) -> Option<()> {
    let from = rng.usize(..history.log.len().max(1));
    history.log.get(from)?;
    history.log[from..].iter_mut().for_each(|event| event.position = event.position.next());
    Some(())
}

fn a_revision_is_given_twice(history: &mut History, _: &mut Rng) -> Option<()> {
    let event = history.log.iter_mut().rev().find(|event| Some(Revision::FIRST) < event.revision)?;
    event.revision = event.revision.map(|revision| Revision::new(revision.get() - 1));
    Some(())
}

fn a_time_goes_back(history: &mut History, rng: &mut Rng) -> Option<()> {
    let at = rng.usize(1..history.log.len().max(2));
    history.log.get_mut(at)?.recorded_at = Timestamp::from_micros(-1);
    Some(())
}

fn one_append_has_two_times(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (_, last) = pick(history, rng, |it| acknowledged(it).filter(|(first, last)| first < last))?.1;
    let time = &mut history.log[last as usize - 1].recorded_at;
    *time = Timestamp::from_micros(time.as_micros() + 1);
    Some(())
}

fn an_acknowledged_append_is_lost(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (first, last) = pick(history, rng, acknowledged)?.1;
    history.log.drain(first as usize - 1..last as usize);
    renumber(&mut history.log);
    Some(())
}

fn an_acknowledged_append_is_cut(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (_, last) = pick(history, rng, |it| acknowledged(it).filter(|(first, last)| first < last))?.1;
    history.log.remove(last as usize - 1);
    renumber(&mut history.log);
    Some(())
}

fn an_acknowledged_byte_is_changed(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (first, last) = pick(history, rng, acknowledged)?.1;
    let event = &mut history.log[rng.u64(first..=last) as usize - 1].event;
    match rng.bool() {
        true => event.data = "not what was given".into(),
        false => event.metadata = "not what was given".into(),
    }
    Some(())
}

fn an_acknowledgement_tells_a_wrong_revision(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, count) = pick(history, rng, |it| match append_of(it)?.1 {
        Outcome::Appended(appended) if !appended.deduplicated => {
            Some(appended.revisions.len()).filter(|it| 0 < *it)
        }
        Outcome::Appended(_) | Outcome::Conflict(_) | Outcome::Refused | Outcome::Unknown => None,
    })?;
    let What::Append { outcome: Outcome::Appended(appended), .. } = &mut history.operations[at].what else {
        return None;
    };
    let known = &mut appended.revisions[rng.usize(..count)].revision;
    *known = known.next();
    Some(())
}

fn a_stranger_appends(history: &mut History, _: &mut Rng) -> Option<()> {
    let mut stranger = history.log.last()?.clone();
    stranger.event = event(1_000_000, "a");
    history.log.push(stranger);
    renumber(&mut history.log);
    Some(())
}

/// Puts events of an append at the end of the log.
fn put(history: &mut History, at: usize, count: usize) -> Option<()> {
    let events = append_of(&history.operations[at])?.0.events.clone();
    let last = history.log.last()?.clone();
    for event in events.into_iter().take(count) {
        history.log.push(RecordedEvent { event, ..last.clone() });
    }
    renumber(&mut history.log);
    Some(())
}

/// Whether no operation with these events can have written them.
fn is_refused(history: &History, at: usize) -> bool {
    let events = append_of(&history.operations[at]).map(|(append, _)| &append.events);
    let same = history.operations.iter().filter_map(append_of).filter(|(it, _)| Some(&it.events) == events);
    same.into_iter().all(|(_, outcome)| matches!(outcome, Outcome::Conflict(_) | Outcome::Refused))
}

fn what_was_refused_is_recorded(history: &mut History, rng: &mut Rng) -> Option<()> {
    let refused: Vec<usize> =
        (0..history.operations.len()).filter(|&at| append_of(&history.operations[at]).is_some()).collect();
    let refused: Vec<usize> = refused.into_iter().filter(|&at| is_refused(history, at)).collect();
    let at = *refused.get(rng.usize(..refused.len().max(1)))?;
    put(history, at, usize::MAX)
}

fn an_unknown_append_is_half_there(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, count) = pick(history, rng, |operation| {
        let (append, outcome) = append_of(operation)?;
        let is_recorded = history.log.iter().any(|recorded| recorded.event.id == append.events[0].id);
        let is_unknown = matches!(outcome, Outcome::Unknown);
        (!is_recorded && is_unknown && 1 < append.events.len()).then_some(append.events.len())
    })?;
    put(history, at, rng.usize(1..count))
}

fn an_append_is_recorded_twice(history: &mut History, rng: &mut Rng) -> Option<()> {
    let at = pick(history, rng, acknowledged)?.0;
    put(history, at, usize::MAX)
}

/// Two neighbours of which the first was answered before the second was asked; they were told what the log says.
fn appends_are_in_the_wrong_order(history: &mut History, rng: &mut Rng) -> Option<()> {
    let ((earlier, (first, last)), (later, end)) = neighbours(history, rng)?;
    let middle = (last + 1 - first) as usize;
    history.log[first as usize - 1..end as usize].rotate_left(middle);
    renumber(&mut history.log);
    let later_first = first;
    let earlier_first = end + first - last;
    for (at, start) in [(later, later_first), (earlier, earlier_first)] {
        tell(history, at, start)?;
    }
    Some(())
}

type Neighbours = ((usize, (u64, u64)), (usize, u64));

fn neighbours(history: &History, rng: &mut Rng) -> Option<Neighbours> {
    let mut found = Vec::new();
    for (earlier, operation) in history.operations.iter().enumerate() {
        let (Some((first, last)), Some(ended)) = (acknowledged(operation), operation.ended) else { continue };
        for (later, operation) in history.operations.iter().enumerate() {
            if let Some((next, end)) = acknowledged(operation)
                && next == last + 1
                && ended < operation.begun
            {
                found.push(((earlier, (first, last)), (later, end)));
            }
        }
    }
    (!found.is_empty()).then(|| found.swap_remove(rng.usize(..found.len())))
}

/// Makes an acknowledgement say what the log says.
fn tell(history: &mut History, at: usize, first: u64) -> Option<()> {
    let What::Append { append, outcome: Outcome::Appended(appended) } = &mut history.operations[at].what
    else {
        return None;
    };
    let events = &history.log[first as usize - 1..][..append.events.len()];
    (appended.first, appended.last) = (Position::new(first)?, events.last()?.position);
    for known in &mut appended.revisions {
        let its = events.iter().filter(|recorded| recorded.event.stream.as_ref() == Some(&known.stream));
        known.revision = its.filter_map(|recorded| recorded.revision).max()?;
    }
    Some(())
}
