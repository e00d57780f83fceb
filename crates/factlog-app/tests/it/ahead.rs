//! A projection that is far behind reads ahead: the same events, whether few or most of the log concern it.

use std::time::Duration;

use factlog::{OnTimeout, Projection, Recorded};

use crate::SOON;
use crate::bank::{AddItem, Balances, ItemAdded, Record, app_with, deposited};

/// Items by cart: few of the log's events concern it.
struct Items;

impl Projection for Items {
    type Event = ItemAdded;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "items";
    fn keys(&self, recorded: &Recorded<ItemAdded>) -> Vec<u64> {
        vec![recorded.event.cart]
    }
    fn apply(&self, _: &u64, items: Option<u64>, _: &Recorded<ItemAdded>) -> Option<u64> {
        Some(items.unwrap_or(0) + 1)
    }
}

/// Traps 13 and 31: reading ahead neither skips nor repeats at the seams, and the checkpoint is the head, not beyond.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_ahead_counts_each_event_once_whether_few_or_most_concern_the_read_model() {
    let directory = tempfile::tempdir().unwrap();
    let app = app_with([]).await;
    for cart in 0..5 {
        app.execute(AddItem { cart }).await.unwrap();
        app.execute(Record((0..5_000).map(|n| deposited(n % 50, 1)).collect())).await.unwrap();
    }
    let head = app.store().head().await.unwrap().position;
    for threads in [1, 3] {
        let path = directory.path().join(format!("{threads}.sqlite"));
        let start = || app.project(Balances).sqlite(&path).threads(threads).start().unwrap();
        let stopped = start();
        tokio::time::sleep(Duration::from_millis(30)).await;
        stopped.stop().await.expect("it stops also in the middle of reading ahead");
        let (most, few) = (start(), app.project(Items).in_memory().start().unwrap());
        most.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        few.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!((most.checkpoint(), few.checkpoint()), (head, head));
        most.rebuild().await.unwrap();
        let balances = most.all().await.unwrap();
        assert!(balances.len() == 50 && balances.iter().all(|(_, balance)| *balance == 500), "{balances:?}");
        assert_eq!(few.all().await.unwrap(), [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
    }
}
