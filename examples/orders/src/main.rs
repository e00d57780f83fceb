//! A day in the shop, and two days later: customers order and pay, or do not; parcels go out; what nobody paid for goes
//! back on the shelf; and one read model gets a new shape while orders flow.
//!
//! `cargo run -p orders [ORDERS [DIRECTORY]]`: 400 orders unless said, in a temporary directory unless said.
//! `orders work DIRECTORY FIRST` goes on until it is killed: the tests do that, two hundred times.
#![expect(clippy::print_stdout, reason = "it tells a story on the terminal")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use factlog::{ManualClock, SystemClock};
use orders::fulfilment::Fulfilment;
use orders::read_models::Takings;
use orders::shop::Shop;

/// Customers at the same time.
const CUSTOMERS: u64 = 16;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["work", directory, first] => work(Path::new(directory), first.parse()?).await,
        ["settle", directory] => settle(Path::new(directory)).await,
        _ => {
            let count = words.first().map_or(Ok(400), |word| word.parse());
            let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
            let directory = words.get(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
            story(&directory, count.context("the first word is how many orders")?).await
        }
    }
}

async fn story(directory: &Path, count: u64) -> Result<()> {
    let clock = Arc::new(ManualClock::default());
    let shop = Arc::new(Shop::open(directory, clock.clone(), Fulfilment::default()).await?);
    shop.restock(u32::try_from(count / 2)?, "first").await?;
    let takings = directory.join("takings.sqlite");
    let old = shop.app.project(Takings::<1>).sqlite(&takings).start()?;

    println!("{count} orders, {CUSTOMERS} customers at a time ...");
    serve(&shop, 1, count / 2).await?;
    shop.catch_up(&old).await?;
    old.stop().await?;
    println!("\nthe takings get a new shape, while orders flow on:");
    let new = shop.app.project(Takings::<2>).sqlite(&takings).start()?;
    serve(&shop, count / 2 + 1, count).await?;
    shop.catch_up(&new).await?;
    for (_, day) in new.all().await? {
        println!("  {} cents in {} payments less {} refunds", day.cents, day.payments, day.refunds);
    }
    shop.fulfilment.idle().await?;
    shop.carrier().await?;
    told("at the end of the day", &shop).await?;

    clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    shop.fulfilment.look().await?;
    shop.fulfilment.idle().await?;
    told("two days later, nobody else has paid", &shop).await?;
    new.stop().await?;
    Arc::into_inner(shop).context("nobody else is in the shop any more")?.close().await
}

async fn told(when: &str, shop: &Shop) -> Result<()> {
    println!("\n{when}:");
    for (standing, count) in shop.audit().await? {
        println!("  {:<12}{count:>6}", format!("{standing:?}"));
    }
    for (article, left) in shop.shelf.all().await? {
        println!("  {article:<12}{left:>6} left");
    }
    let status = shop.fulfilment.status();
    println!("  {} orders open, {} deadlines running; the books agree", status.open, status.timers);
    Ok(())
}

/// Customers with these numbers, so many at a time.
async fn serve(shop: &Arc<Shop>, first: u64, last: u64) -> Result<()> {
    let mut customers = tokio::task::JoinSet::new();
    for order in first..=last {
        if CUSTOMERS <= customers.len() as u64
            && let Some(done) = customers.join_next().await
        {
            done??;
        }
        let shop = shop.clone();
        customers.spawn(async move { shop.customer(order).await });
    }
    while let Some(done) = customers.join_next().await {
        done??;
    }
    Ok(())
}

/// A fifth of a second to pay: deadlines pass while it works.
fn hurried() -> Fulfilment {
    Fulfilment { deadline: Duration::from_millis(200) }
}

/// Works until it is killed.
async fn work(directory: &Path, first: u64) -> Result<()> {
    let shop = Arc::new(Shop::open(directory, Arc::new(SystemClock), hurried()).await?);
    println!("open");
    for day in 0.. {
        shop.restock(1_000, &format!("{first}-{day}")).await?;
        let begin = first + day * 64;
        serve(&shop, begin, begin + 63).await?;
        shop.carrier().await?;
        println!("served {}", begin + 63);
    }
    Ok(())
}

/// Lets everything come to its end, and holds the books.
async fn settle(directory: &Path) -> Result<()> {
    let shop = Shop::open(directory, Arc::new(SystemClock), hurried()).await?;
    loop {
        shop.fulfilment.idle().await?;
        shop.carrier().await?;
        shop.fulfilment.idle().await?;
        if shop.fulfilment.status().open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (standing, count) in shop.audit().await? {
        println!("{standing:?} {count}");
    }
    shop.close().await
}
