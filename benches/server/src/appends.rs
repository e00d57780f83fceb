//! 64 clients that append one event a request, in turns with 64 callers of the embedded engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use bench_common::latency::Latency;
use bench_common::number::{median, shown};
use bench_common::raw;
use bench_common::results::Results;
use factlog_core::{EventStore, Position};
use factlog_engine::{Engine, Settings};

use crate::load::{self, To};
use crate::served::Served;
use crate::{Scale, progress, row};

/// Clients at a time.
const CLIENTS: usize = 64;
/// Appends of each in one turn: a second or so.
const APPENDS: u64 = 600;
/// The engine does more in a second.
const OF_ENGINE: u64 = 1_500;

/// One way to append, and what came of its turns.
struct Way {
    name: &'static str,
    to: Vec<To>,
    /// Whose processor time counts; the engine's is this process's.
    server: Option<Arc<Served>>,
    target: bool,
    rates: Vec<f64>,
    latency: Latency,
    server_micros: Vec<f64>,
    own_micros: Vec<f64>,
}

impl Way {
    fn new(name: &'static str, to: Vec<To>, server: Option<&Arc<Served>>) -> Self {
        Self {
            name,
            to,
            server: server.cloned(),
            target: false,
            rates: Vec::new(),
            latency: Latency::default(),
            server_micros: Vec::new(),
            own_micros: Vec::new(),
        }
    }

    async fn turn(&mut self, appends: u64, counts: bool) -> Result<u64> {
        let cpu = self.server.as_ref().map(|server| server.cpu()).transpose()?.unwrap_or_default();
        let measured = load::run(&self.to, appends, None).await?;
        let used = self.server.as_ref().map(|server| server.cpu()).transpose()?.unwrap_or_default() - cpu;
        if counts {
            self.rates.push(measured.per_second());
            self.latency.add(&measured.latency);
            let each = |time: Duration| time.as_secs_f64() * 1e6 / measured.appends as f64;
            self.server_micros.push(each(used));
            self.own_micros.push(each(measured.cpu));
        }
        Ok(measured.appends)
    }
}

pub(crate) async fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    let engine = Arc::new(Engine::open(dir.join("engine"), Settings::default())?);
    let plain = Arc::new(Served::start(&dir.join("plain"), false)?);
    let tls = Arc::new(Served::start(&dir.join("tls"), true)?);
    let bare = Arc::new(Served::start_bare(&dir.join("bare"))?);
    let mut ways = ways(&engine, &plain, &tls)?;
    let mut sockets = Vec::new();
    for _ in 0..CLIENTS {
        sockets.push(To::Socket(bare.socket().await?));
    }
    ways.push(Way::new(
        "64 connections to the engine behind a bare socket, without HTTP or keys",
        sockets,
        Some(&bare),
    ));
    let (mut embedded, mut served) = (0, 0);
    for round in 0..=scale.rounds {
        progress(&format!("appends, round {round} of {}", scale.rounds));
        let count = ways.len();
        for turn in 0..count {
            // Another one begins each round.
            let way = &mut ways[(turn + round) % count];
            let appends = if way.server.is_none() { OF_ENGINE } else { APPENDS };
            let done = way.turn(appends, 0 < round).await?;
            match &way.server {
                None => embedded += done,
                Some(server) if Arc::ptr_eq(server, &plain) => served += done,
                Some(_) => {}
            }
        }
    }
    ensure!(Position::number(engine.head().await?.position) == embedded, "the engine has every append");
    // The facts of the first key are there too.
    let head = Position::number(plain.client()?.head().await?.position);
    ensure!((served..served + 8).contains(&head), "the server has every append: {head} of {served}");
    report(&ways, results);
    engine.close().await?;
    // What the disk did just then: a rate of appends means nothing without it.
    let raw = raw::sync_rates(dir, Duration::from_millis(250))?;
    results.fact(
        "raw: 4 KiB over zeros, RWF_DSYNC",
        format!("{} a second, after the appends", shown(raw.dsync)),
    );
    Ok(())
}

fn ways(engine: &Arc<Engine>, plain: &Arc<Served>, tls: &Arc<Served>) -> Result<Vec<Way>> {
    let store = |store: Arc<dyn EventStore>| To::Store(store);
    let own = |server: &Served| -> Result<Vec<To>> {
        (0..CLIENTS).map(|_| Ok(store(Arc::new(server.client()?)))).collect()
    };
    let embedded = vec![store(engine.clone()); CLIENTS];
    let shared = vec![store(Arc::new(plain.client()?)); CLIENTS];
    let calls: Result<Vec<To>> = (0..CLIENTS).map(|_| Ok(To::Calls(plain.bare()?))).collect();
    let mut ways = vec![
        Way::new("the embedded engine, 64 callers", embedded, None),
        Way::new("64 clients, a connection each", own(plain)?, Some(plain)),
        Way::new("64 callers of one client, one connection", shared, Some(plain)),
        Way::new("64 connections without our client, each append a call", calls?, Some(plain)),
        Way::new("64 clients, a connection each, over TLS", own(tls)?, Some(tls)),
    ];
    ways[1].target = true;
    ways[2].target = true;
    Ok(ways)
}

fn report(ways: &[Way], results: &mut Results) {
    let engine = &ways[0];
    for way in ways {
        let mut line = row(way.name, median(&way.rates), "events/s");
        let (low, high) = way
            .rates
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
        line.note = format!(
            "{} to {}; p50 {} µs, p99 {} µs; processor µs an append: server {}, this process {}",
            shown(low),
            shown(high),
            shown(way.latency.micros(0.5)),
            shown(way.latency.micros(0.99)),
            way.server.as_ref().map_or_else(|| "-".to_owned(), |_| shown(median(&way.server_micros))),
            shown(median(&way.own_micros)),
        );
        if way.server.is_some() {
            let ratios: Vec<f64> =
                way.rates.iter().zip(&engine.rates).map(|(rate, own)| rate / own).collect();
            line.limit = format!("the engine, {} events/s", shown(median(&engine.rates)));
            line.ratio = Some(median(&ratios));
            if way.target {
                line.target = "≥ 0.6 of the engine".to_owned();
                line.met = Some(0.6 <= median(&ratios));
            }
        }
        results.rows.push(line);
    }
}
