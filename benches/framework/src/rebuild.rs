//! A document for each loan, folded in memory from every event of a log, beside a scan of that log.
//!
//! The log is made to the measure of the loan applications of the BPI Challenge 2012: twenty events a loan, of 36 kinds,
//! with the loans interleaved as they were.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bench_common::clock::{Stopwatch, per_second};
use bench_common::number::{median, shown};
use bench_common::results::Results;
use factlog::core::{Append, Event as RawEvent, Query, ReadOptions};
use factlog::engine::Settings;
use factlog::{App, Engine, Event, EventStore, OnTimeout, Position, Projection, Recorded, tags};
use serde::{Deserialize, Serialize};

use crate::{progress, row};

/// Loans that are worked on at the same time.
const OPEN: u64 = 600;
/// Events of one loan.
const STEPS: u64 = 20;

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "loan.step", tags(loan = loan))]
struct Step {
    loan: u64,
    activity: String,
    resource: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Loan {
    steps: u64,
    begun: i64,
    ended: i64,
    decision: Option<String>,
}

struct Loans;

impl Projection for Loans {
    type Event = Step;
    type Key = u64;
    type Document = Loan;
    const NAME: &'static str = "loans";
    fn keys(&self, event: &Recorded<Step>) -> Vec<u64> {
        vec![event.event.loan]
    }
    fn apply(&self, _: &u64, loan: Option<Loan>, event: &Recorded<Step>) -> Option<Loan> {
        let now = event.recorded_at.as_micros();
        let mut loan = loan.unwrap_or(Loan { begun: now, ..Loan::default() });
        loan.steps += 1;
        loan.ended = now;
        if event.event.activity.starts_with("A_") {
            loan.decision = Some(event.event.activity.clone());
        }
        Some(loan)
    }
}

pub(crate) fn run(dir: &Path, events: u64, rounds: usize, results: &mut Results) -> Result<()> {
    let engine = Engine::open(dir, Settings::default()).context("the store could not be opened")?;
    let app = App::new(engine);
    progress(&format!("a log of {} events", shown(events as f64)));
    fill(&app, events)?;
    results.fact("events of the log that is rebuilt from", shown(events as f64));
    let mut rates = Rates::default();
    for round in 0..=rounds {
        progress(&format!("rebuilding, round {round} of {rounds}"));
        let scanned = scan(&app, events)?;
        let built = built(&app, Loans, events, |loans| {
            let steps: u64 = loans.iter().map(|(_, loan)| loan.steps).sum();
            ensure!(steps == events, "every event is folded once");
            Ok(())
        })?;
        if round > 0 {
            rates.add(scanned, built);
        }
    }
    let ratio = median(&rates.ratios);
    let limit = format!("a scan of the engine, {} events/s", shown(median(&rates.scanned)));
    let what = "a read model in memory, from the first event";
    results.rows.push(row(what, median(&rates.built), "events/s", limit, ratio, "at least half", 0.5 <= ratio));
    Ok(())
}

fn fill(app: &App, events: u64) -> Result<()> {
    let mut batch = Vec::new();
    for n in 0..events {
        let (block, within) = (n / (OPEN * STEPS), n % (OPEN * STEPS));
        let loan = 173_688 + block * OPEN + within % OPEN;
        let activity = format!("{}_STEP{:02}.COMPLETE", ["A", "O", "W"][(within / OPEN % 3) as usize], within / OPEN);
        let data = format!(r#"{{"loan":{loan},"activity":"{activity}","resource":"{}"}}"#, 10_000 + n % 70);
        batch.push(RawEvent::new("loan.step".parse()?, data).tagged(tags![loan = loan]?));
        if batch.len() == 1_000 || n + 1 == events {
            pollster::block_on(app.store().append(Append::new(std::mem::take(&mut batch))))?;
        }
    }
    Ok(())
}

/// Events a second that the engine reads.
pub(crate) fn scan(app: &App, events: u64) -> Result<f64> {
    let watch = Stopwatch::start();
    let mut found = app.store().read(Query::All, ReadOptions::default());
    let mut read = 0;
    while let Some(event) = pollster::block_on(found.next()) {
        event?;
        read += 1;
    }
    ensure!(read == events, "{read} events were read, {events} are there");
    Ok(per_second(read, watch.elapsed()))
}

/// Events a second that are passed until a read model has been built from the first one; `check` sees what it holds.
pub(crate) fn built<P: Projection>(
    app: &App,
    projection: P,
    events: u64,
    check: impl FnOnce(Vec<(P::Key, P::Document)>) -> Result<()>,
) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let watch = Stopwatch::start();
    let model = app.project(projection).in_memory().start()?;
    let timeout = Duration::from_secs(600);
    runtime.block_on(model.at_least(Position::new(events), timeout, OnTimeout::Error))?;
    let took = watch.elapsed();
    check(runtime.block_on(model.all())?)?;
    runtime.block_on(model.stop())?;
    Ok(per_second(events, took))
}

/// What was measured in turns.
#[derive(Default)]
pub(crate) struct Rates {
    pub(crate) scanned: Vec<f64>,
    pub(crate) built: Vec<f64>,
    pub(crate) ratios: Vec<f64>,
}

impl Rates {
    pub(crate) fn add(&mut self, scanned: f64, built: f64) {
        self.scanned.push(scanned);
        self.built.push(built);
        self.ratios.push(built / scanned);
    }
}
