//! An import that is cut off anywhere and repeated must leave what one whole import leaves.

use std::collections::BTreeMap;
use std::io::{self, Read};

use factlog::{App, EventStore as _, MemoryStore, Tags};
use proptest::prelude::*;

use crate::domain::{AccountId, BankEvent, Money};
use crate::statements::rows;

const SAMPLE: &str = include_str!("../../data/sample.csv");
const LIMIT: Money = Money::from_minor(10_000);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

async fn import(app: &App, file: impl Read, limit: Money) -> anyhow::Result<super::Imported> {
    super::import(app, rows(file)?, limit).await
}

/// The facts of each account in their order. Between accounts the order is free.
async fn facts(app: &App) -> BTreeMap<AccountId, Vec<BankEvent>> {
    let mut accounts: BTreeMap<AccountId, Vec<BankEvent>> = BTreeMap::new();
    for fact in app.history::<BankEvent>(Tags::NONE).await.unwrap() {
        accounts.entry(fact.event.account().clone()).or_default().push(fact.event);
    }
    accounts
}

/// A file that cannot be read any more after some bytes.
struct CutOff<'a>(&'a [u8]);

impl Read for CutOff<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the cable was pulled")),
            read => Ok(read),
        }
    }
}

#[test]
fn the_rows_of_an_account_keep_their_order_among_sixty_four_lanes() {
    let app = App::new(MemoryStore::new());
    let facts = block_on(async {
        import(&app, SAMPLE.as_bytes(), LIMIT).await.unwrap();
        facts(&app).await
    });
    for (account, facts) in facts {
        let booked = facts.iter().filter_map(|fact| fact.booking()?.transaction_id.clone());
        let rows = SAMPLE.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let in_file = rows.filter(|row| row[1] == account.as_str()).map(|row| row[0].to_owned());
        assert_eq!(booked.collect::<Vec<_>>(), in_file.collect::<Vec<_>>(), "account {account}");
    }
}

#[test]
fn a_store_that_fails_ends_the_import_and_says_why() {
    let app = App::new(MemoryStore::new());
    let error = block_on(async {
        app.store().close().await.unwrap();
        import(&app, SAMPLE.as_bytes(), LIMIT).await.unwrap_err()
    });
    assert!(format!("{error:#}").contains("the store is closed"), "{error:#}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_import_cut_off_anywhere_and_repeated_equals_a_whole_one(cut in 0..SAMPLE.len(), again in 0..SAMPLE.len()) {
        let (whole, pieces) = block_on(async {
            let (whole, pieces) = (App::new(MemoryStore::new()), App::new(MemoryStore::new()));
            import(&whole, SAMPLE.as_bytes(), LIMIT).await.unwrap();
            for cut in [cut, again] {
                import(&pieces, CutOff(&SAMPLE.as_bytes()[..cut]), LIMIT).await.unwrap_err();
            }
            let last = import(&pieces, SAMPLE.as_bytes(), LIMIT).await.unwrap();
            assert_eq!(last.accepted + last.refused, last.rows);
            (facts(&whole).await, facts(&pieces).await)
        });
        prop_assert_eq!(whole, pieces);
    }
}
