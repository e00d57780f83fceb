//! The shop as a running whole: the app, the process, the read models; customers and carriers; and the books at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use factlog::engine::Settings;
use factlog::process::Processes;
use factlog::projection::Projection;
use factlog::{App, Clock, Engine, ExecuteError, OnTimeout, ReadModel};

use crate::fulfilment::Fulfilment;
use crate::read_models::{Orders, Shelf, Standing, Takings};
use crate::rules::{Act, Do, Order, Place, Refusal, Restock};
use crate::{Placed, Restocked};

/// What there is to buy, with its price in cents. Nobody can send a piano.
pub const ARTICLES: [(&str, u64); 4] =
    [("book", 1_900), ("lamp", 4_500), ("chair", 12_000), ("piano", 480_000)];
/// How long anything may take that only has to be waited for.
const SOON: Duration = Duration::from_secs(60);

/// Everything that runs.
#[derive(Debug)]
pub struct Shop {
    /// Commands and questions.
    pub app: App,
    /// What follows from what.
    pub fulfilment: Processes,
    /// Where every order stands.
    pub orders: ReadModel<Orders>,
    /// What is left.
    pub shelf: ReadModel<Shelf>,
}

impl Shop {
    /// Opens the log and the read models in a directory, and goes on where the last process stopped, or was stopped.
    ///
    /// # Errors
    /// What cannot be opened, and why.
    pub async fn open(directory: &Path, clock: Arc<dyn Clock>, fulfilment: Fulfilment) -> Result<Self> {
        let store = Engine::open_with(directory.join("log"), Settings::default(), clock.clone())
            .with_context(|| format!("the log in {} cannot be opened", directory.display()))?;
        let app = App::builder(store).clock(clock).build();
        Ok(Self {
            fulfilment: app.process(fulfilment).start().await?,
            orders: app.project(Orders).sqlite(directory.join("orders.sqlite")).start()?,
            shelf: app.project(Shelf).sqlite(directory.join("shelf.sqlite")).start()?,
            app,
        })
    }

    /// Puts so many of everything on the shelf, once for ever however often it is told under this name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn restock(&self, pieces: u32, delivery: &str) -> Result<()> {
        for (article, _) in ARTICLES {
            let restock = Restock(Restocked { article: article.to_owned(), pieces });
            self.app.execute(restock).key(format!("delivery:{delivery}:{article}")).await?;
        }
        Ok(())
    }

    /// One customer: orders, and pays as soon as the pieces are put aside, unless the number is divisible by four.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn customer(&self, order: u64) -> Result<()> {
        let (article, cents) = ARTICLES[usize::try_from(order % 7).unwrap_or(0).min(ARTICLES.len() - 1) % 4];
        let pieces = u32::try_from(order % 3)? + 1;
        let placed = Placed { order, article: article.to_owned(), pieces, cents: cents * u64::from(pieces) };
        let placed = self.app.execute(Place(placed)).key(format!("place:{order}")).await?;
        if order.is_multiple_of(4) {
            return Ok(());
        }
        self.fulfilment.at_least(placed.position).await?;
        for _ in 0..1_000 {
            match self.act(order, article, Act::Pay).await {
                Err(ExecuteError::Rejected(Refusal::Order(_, "has nothing put aside yet"))) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                // Paid, sold out meanwhile, or given up: all is well.
                Ok(_) | Err(ExecuteError::Rejected(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The carrier brings everything that is on its way.
    ///
    /// # Errors
    /// Where the store or a read model fails.
    pub async fn carrier(&self) -> Result<()> {
        self.catch_up(&self.orders).await?;
        for (order, _) in
            self.orders.all().await?.into_iter().filter(|(_, standing)| *standing == Standing::Shipped)
        {
            match self.act(order, "", Act::Deliver).await {
                Ok(_) | Err(ExecuteError::Rejected(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn act(&self, order: u64, article: &str, act: Act) -> Result<(), ExecuteError<Refusal>> {
        let key = format!("{act:?}:{order}");
        self.app.execute(Do { order, article: article.to_owned(), act }).key(key).await.map(drop)
    }

    /// Waits until a read model has everything that is recorded by now.
    ///
    /// # Errors
    /// Why it has not.
    pub async fn catch_up<P: Projection>(&self, model: &ReadModel<P>) -> Result<()> {
        let head = self.app.store().head().await?.position;
        model.at_least(head, SOON, OnTimeout::Error).await?;
        Ok(())
    }

    /// Holds everything against everything: each order against its rules, each read model against a fresh fold, money and
    /// stock against the orders. Answers how many orders stand where.
    ///
    /// # Errors
    /// What does not agree.
    pub async fn audit(&self) -> Result<BTreeMap<Standing, u64>> {
        self.catch_up(&self.orders).await?;
        self.catch_up(&self.shelf).await?;
        let (orders, shelf) = (self.orders.all().await?, self.shelf.all().await?);
        ensure!(orders == self.fresh(Orders).await?, "the orders differ from a fresh fold");
        ensure!(shelf == self.fresh(Shelf).await?, "the shelf differs from a fresh fold");
        let (mut standings, mut reserved, mut paid) = (BTreeMap::new(), 0, 0);
        for (number, standing) in &orders {
            let order = self.app.load::<Order>(number).await?.state;
            let undone = order.cancelled && order.reserved == 0 && order.paid == 0;
            ensure!(undone || !order.cancelled, "order {number} was called off and not undone: {order:?}");
            ensure!(!(order.cancelled && order.shipped), "order {number} was called off and sent: {order:?}");
            reserved += i64::from(order.reserved);
            paid += order.paid.cast_signed();
            *standings.entry(*standing).or_default() += 1;
        }
        let restocked: i64 = shelf.iter().map(|(_, left)| *left).sum::<i64>() + reserved;
        let delivered = self.fresh(Restocks).await?.iter().map(|(_, pieces)| *pieces).sum::<i64>();
        ensure!(
            restocked == delivered,
            "{restocked} pieces are on the shelf or put aside, {delivered} came in"
        );
        let takings: i64 = self.fresh(Takings::<2>).await?.iter().map(|(_, day)| day.cents).sum();
        ensure!(takings == paid, "{takings} cents came in, the orders say {paid}");
        Ok(standings)
    }

    /// A read model built anew, from the first event to the present one.
    async fn fresh<P: Projection>(&self, projection: P) -> Result<Vec<(P::Key, P::Document)>> {
        let model = self.app.project(projection).in_memory().start()?;
        self.catch_up(&model).await?;
        let all = model.all().await?;
        model.stop().await?;
        Ok(all)
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// What had failed before.
    pub async fn close(self) -> Result<()> {
        self.fulfilment.stop().await?;
        self.orders.stop().await?;
        self.shelf.stop().await?;
        Ok(self.app.store().close().await?)
    }
}

/// What came in, by article.
struct Restocks;

impl Projection for Restocks {
    type Event = Restocked;
    type Key = String;
    type Document = i64;
    const NAME: &'static str = "restocks";
    fn keys(&self, event: &factlog::Recorded<Restocked>) -> Vec<String> {
        vec![event.event.article.clone()]
    }
    fn apply(&self, _: &String, before: Option<i64>, event: &factlog::Recorded<Restocked>) -> Option<i64> {
        Some(before.unwrap_or(0) + i64::from(event.event.pieces))
    }
}
