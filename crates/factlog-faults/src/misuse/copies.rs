//! Directories that were copied as they were, which is no backup and often taken for one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use factlog_core::{Append, Event, EventStore, EventType, Position, Query, ReadOptions, RecordedEvent};
use factlog_engine::{Engine, Extent, Settings, verify};

use super::scene::{Scene, copy, start};
use crate::look::read_all;

const COPIES: usize = 20;

pub(super) fn copied_while_writing() -> Result<String> {
    let mut scene = Scene::new()?;
    let worker = scene.worker();
    let mut life = start(&worker)?;
    scene.hear(&mut life, 500)?;
    for n in 0..COPIES {
        copy(&scene.store(), &scene.path(&format!("copy-{n}")))?;
        scene.hear(&mut life, 100)?;
    }
    scene.close(life)?;
    let log = scene.judge()?;
    let (mut whole, mut damaged, mut refused) = (0, 0, 0);
    for n in 0..COPIES {
        let copy = scene.path(&format!("copy-{n}"));
        match found(&copy, &log).with_context(|| format!("copy {n}"))? {
            Found::Prefix(count) => {
                goes_on(&copy, count).with_context(|| format!("copy {n}, a prefix"))?;
                whole += 1;
            }
            Found::Damaged { .. } => damaged += 1,
            Found::Refused(_) => refused += 1,
        }
    }
    Ok(format!(
        "of {COPIES} copies of a log that grew to {} events {whole} were prefixes, {damaged} opened and named their \
         damage, {refused} were refused by name",
        log.len()
    ))
}

pub(super) fn copied_when_closed() -> Result<String> {
    let mut scene = Scene::filled(1_000)?;
    let log = scene.judge()?;
    let second = scene.path("second");
    copy(&scene.store(), &second)?;
    ensure!(read_all(&second)? == log, "the copy holds something else");
    goes_on(&second, log.len())?;
    ensure!(scene.judge()? == log, "what was done to the copy shows in the original");
    Ok(format!("{} events", log.len()))
}

/// What somebody finds who opens a directory.
pub(super) enum Found {
    /// The first so many events, with no word of damage.
    Prefix(usize),
    /// It opened and says what is damaged. All that it serves is right, and the rest is refused.
    Damaged { what: String, is_known_at_once: bool },
    /// It did not open.
    Refused(String),
}

/// Opens what may be a store of this log, and reads what it serves.
///
/// # Errors
/// It serves something else, or leaves something out without a word.
pub(super) fn found(dir: &Path, log: &[RecordedEvent]) -> Result<Found> {
    let report = verify(dir, Extent::Full, &mut |_| {});
    let is_well = report.as_ref().is_ok_and(|report| report.damage.is_empty());
    let engine = match Engine::open(dir, Settings::default()) {
        Ok(engine) => engine,
        Err(error) => {
            ensure!(!is_well, "verify finds it well, but it does not open: {error}");
            return Ok(Found::Refused(error.to_string()));
        }
    };
    let head = Position::number(pollster::block_on(engine.head())?.position);
    let takes_events = engine.damage().into_iter().find(|damage| damage.first.is_some());
    let is_known_at_once = takes_events.is_some();
    let mut damage = takes_events.map(|damage| damage.to_string());
    let mut served = 0;
    for n in 1..=head {
        let options = ReadOptions::default().after(Position::new(n - 1)).until(Position::new(n));
        match pollster::block_on(engine.read(Query::All, options).collect()) {
            Ok(read) => {
                ensure!(read.events.len() == 1, "position {n} is left out without a word");
                let there = usize::try_from(n - 1).ok().and_then(|at| log.get(at));
                ensure!(
                    there == read.events.first(),
                    "position {n} holds something else than in the original"
                );
                served += 1;
            }
            Err(error) => {
                damage.get_or_insert(error.to_string());
            }
        }
    }
    if is_known_at_once {
        let refused = pollster::block_on(engine.append(Append::new([probe()?])));
        ensure!(refused.is_err(), "a store that knows of damage ({damage:?}) takes appends");
    }
    pollster::block_on(engine.close())?;
    let whole = damage.is_none() == is_well;
    ensure!(whole, "verify says {report:?}, and reading it says {damage:?}");
    Ok(damage.map_or(Found::Prefix(served), |what| Found::Damaged { what, is_known_at_once }))
}

/// That a store takes an append and keeps it.
pub(super) fn goes_on(dir: &Path, count: usize) -> Result<()> {
    let engine = Engine::open(dir, Settings::default())?;
    let appended = pollster::block_on(engine.append(Append::new([probe()?])))?;
    ensure!(appended.first.get() == count as u64 + 1, "it went on at {}", appended.first);
    pollster::block_on(engine.close())?;
    ensure!(read_all(dir)?.len() == count + 1, "what was appended to it is not there");
    // Nobody needs it any more, and the others need the space.
    fs::remove_dir_all(dir).context("it cannot be removed")
}

fn probe() -> Result<Event> {
    Ok(Event::new(EventType::new("probe.appended")?, "{}"))
}
