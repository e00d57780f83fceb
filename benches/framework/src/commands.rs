//! One client that withdraws from one account again and again: through the framework, and by hand.
//!
//! By hand means: the event is written out, the condition is the same, and the head is remembered, so that nothing is
//! read. The framework reads the tail of its warm view, folds it, decides, and appends under that condition.

use std::path::Path;

use anyhow::{Context as _, Result};
use bench_common::clock::Stopwatch;
use bench_common::number::{median, shown};
use bench_common::results::Results;
use factlog::core::{Append, AppendCondition, Event as RawEvent, EventType, Query, QueryItem};
use factlog::engine::Settings;
use factlog::{App, Context, Decide, Engine, Event, EventStore, Events, Position, Tags, View, events, tags};
use serde::{Deserialize, Serialize};

use crate::{progress, row};

/// Appends of each kind in a round, in turns of ten.
const APPENDS: usize = 1_000;

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.withdrawn", tags(account = account))]
struct Withdrawn {
    account: u64,
    amount: u64,
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    withdrawn: u64,
}

impl View for Account {
    type Id = u64;
    type Event = Withdrawn;
    const NAME: &'static str = "account";
    fn tags(account: &u64) -> factlog::Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &Withdrawn) {
        self.withdrawn += event.amount;
    }
}

struct Withdraw {
    account: u64,
}

impl Decide for Withdraw {
    type Model = Account;
    type Event = Withdrawn;
    type Error = std::convert::Infallible;
    fn boundary(&self) -> u64 {
        self.account
    }
    fn decide(&self, _: &Account, _: &Context) -> Result<Events<Withdrawn>, Self::Error> {
        Ok(events![Withdrawn { account: self.account, amount: 1 }])
    }
}

pub(crate) fn run(dir: &Path, rounds: usize, results: &mut Results) -> Result<()> {
    let engine = Engine::open(dir, Settings::default()).context("the store could not be opened")?;
    let app = App::new(engine);
    let (mut commands, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms up and is thrown away.
    for round in 0..=rounds {
        progress(&format!("commands, round {round} of {rounds}"));
        let (mut command, mut append) = (Vec::new(), Vec::new());
        for _ in 0..APPENDS / 10 {
            for _ in 0..10 {
                let watch = Stopwatch::start();
                pollster::block_on(app.execute(Withdraw { account: 1 }).into_future())?;
                command.push(watch.elapsed().as_secs_f64() * 1e6);
            }
            let mut head = pollster::block_on(app.store().head())?.position;
            for _ in 0..10 {
                let watch = Stopwatch::start();
                head = by_hand(&app, head)?;
                append.push(watch.elapsed().as_secs_f64() * 1e6);
            }
        }
        if round > 0 {
            commands.push(median(&command));
            bare.push(median(&append));
            ratios.push(median(&command) / median(&append));
        }
    }
    let (value, limit, ratio) = (median(&commands), median(&bare), median(&ratios));
    let limit = format!("a bare conditional append, {} µs", shown(limit));
    let what = "1 client, a command on a warm view";
    results.rows.push(row(what, value, "µs", limit, ratio, "at most 1.3 times", ratio <= 1.3));
    Ok(())
}

/// The append that the command comes to, without the framework.
fn by_hand(app: &App, head: Option<Position>) -> Result<Option<Position>> {
    let event_type = EventType::new("account.withdrawn")?;
    let tags = tags![account = 2]?;
    let event = RawEvent::new(event_type.clone(), r#"{"account":2,"amount":1}"#).tagged(tags.clone());
    let query = Query::any_of([QueryItem { types: vec![event_type], tags, stream: None }])?;
    let append = Append::new([event]).when(AppendCondition::none_match(query, head));
    Ok(Some(pollster::block_on(app.store().append(append))?.last))
}
