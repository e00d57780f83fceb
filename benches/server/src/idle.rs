//! Memory of the server for subscriptions that wait: many on few connections, and each on one of its own.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bench_common::number::shown;
use bench_common::results::Results;
use factlog_client::RemoteStore;
use factlog_core::{Delivery, EventStore, Query, QueryItem, StartFrom, Subscription, Tags};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::served::Served;
use crate::{Scale, progress, row};

/// Subscriptions that are begun at a time.
const AT_A_TIME: usize = 64;
/// Subscriptions of one connection, where they share some.
const SHARED: usize = 100;
/// The most that one may cost.
const TARGET: f64 = 64.0;

pub(crate) async fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    for (what, each) in [("100 on a connection", SHARED), ("each on a connection of its own", 1)] {
        let count = scale.idle / each * each;
        progress(&format!("{} idle subscriptions, {what}", shown(count as f64)));
        let server = Served::start(&dir.join(each.to_string()), false)?;
        // What the first of them costs is not what one costs.
        let _warm = subscribe(&server, AT_A_TIME, each).await?;
        server.rest().await?;
        let before = server.private()?;
        let waiting = subscribe(&server, count, each).await?;
        server.rest().await?;
        let after = server.private()?;
        let name = format!("{} idle subscriptions, {what}", shown(count as f64));
        let mut line = row(&name, (after.saturating_sub(before)) as f64 / count as f64 / 1024.0, "KiB each");
        line.target = "< 64 KiB each".to_owned();
        line.met = Some(line.value < TARGET);
        line.note = format!(
            "private memory of the server {} MiB before, {} MiB after; what the kernel keeps for sockets is not in it",
            shown(before as f64 / 1_048_576.0),
            shown(after as f64 / 1_048_576.0)
        );
        results.rows.push(line);
        drop(waiting);
    }
    Ok(())
}

/// Subscriptions that have caught up, `each` of them on one connection, and their clients.
async fn subscribe(
    server: &Served,
    count: usize,
    each: usize,
) -> Result<Vec<(Arc<RemoteStore>, Subscription)>> {
    let clients: Vec<Arc<RemoteStore>> =
        (0..count.div_ceil(each)).map(|_| Ok(Arc::new(server.client()?))).collect::<Result<_>>()?;
    let one = |number: usize| {
        let client = clients[number / each].clone();
        async move {
            let tags = Tags::new([format!("account:{number}")])?;
            let query = Query::any_of([QueryItem::tagged(tags)])?;
            let mut waiting = client.subscribe(query, StartFrom::Beginning);
            while !matches!(waiting.next().await.context("it never ends")??, Delivery::CaughtUp(_)) {}
            anyhow::Ok((client, waiting))
        }
    };
    stream::iter((0..count).map(one)).buffer_unordered(AT_A_TIME).try_collect().await
}
