//! SQL projections: tables and checkpoint in one transaction, generations by table.

use factlog::projection::rusqlite::{Connection, Transaction, params};
use factlog::projection::{ApplyError, SqlModel, SqlProjection, Tables};
use factlog::{App, OnTimeout, Recorded};

use crate::SOON;
use crate::bank::{AccountEvent, Record, app_with, deposited, record};

/// Totals by account, times the version; 13 is poison, half-way.
struct Totals<const VERSION: u32>;

impl<const VERSION: u32> SqlProjection for Totals<VERSION> {
    type Event = AccountEvent;
    const NAME: &'static str = "totals";
    const VERSION: u32 = VERSION;
    const TABLES: &'static [(&'static str, &'static str)] =
        &[("totals", "account INTEGER PRIMARY KEY, total INTEGER NOT NULL")];
    fn key(&self, recorded: &Recorded<AccountEvent>) -> String {
        match &recorded.event {
            AccountEvent::Opened(event) => event.account.to_string(),
            AccountEvent::Deposited(event) => event.account.to_string(),
            AccountEvent::Withdrawn(event) => event.account.to_string(),
        }
    }
    fn apply(
        &self,
        transaction: &Transaction<'_>,
        tables: &Tables,
        recorded: &Recorded<AccountEvent>,
    ) -> Result<(), ApplyError> {
        let AccountEvent::Deposited(event) = &recorded.event else { return Ok(()) };
        let add = format!(
            "INSERT INTO {} VALUES (?1, ?2) ON CONFLICT DO UPDATE SET total = total + excluded.total",
            tables.name("totals")
        );
        let amount = event.amount * u64::from(VERSION);
        transaction
            .prepare_cached(&add)?
            .execute(params![event.account.cast_signed(), amount.cast_signed()])?;
        if event.amount == 13 {
            return Err("poison, after it was written".into());
        }
        Ok(())
    }
}

fn totals(model: &SqlModel) -> Vec<(i64, i64)> {
    let select = |connection: &Connection| {
        let mut select = connection.prepare("SELECT account, total FROM totals ORDER BY account")?;
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    model.read(select).unwrap()
}

async fn caught_up(app: &App, model: &SqlModel) {
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
}

/// Traps 12 and 40: tables and checkpoint commit together, and what failed half-way leaves nothing.
#[tokio::test]
async fn an_sql_handler_counts_each_event_once_over_restarts_and_a_failing_one_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.sqlite");
    let app = app_with([]).await;
    for round in 1..=4 {
        let model = app.project_sql(Totals::<1>, &path).start().unwrap();
        app.execute(Record((0..60).map(|n| deposited(n % 3, 1)).collect())).await.unwrap();
        if round % 2 == 0 {
            caught_up(&app, &model).await;
        }
        model.operations().stop().await.unwrap();
    }
    record(&app, [deposited(0, 13), deposited(0, 1), deposited(1, 1)]).await;
    let model = app.project_sql(Totals::<1>, &path).start().unwrap();
    caught_up(&app, &model).await;
    assert_eq!(totals(&model), [(0, 80), (1, 81), (2, 80)]);
    let parked = model.operations().parked().await.unwrap();
    assert_eq!((parked.len(), parked[0].key.as_str(), parked[0].waiting.len()), (1, "\"0\"", 2));
    model.operations().skip(&"0", "a test").await.unwrap();
    for _ in 0..300 {
        if totals(&model)[0] == (0, 81) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(totals(&model), [(0, 81), (1, 81), (2, 80)]);
    assert!(
        model.read(|connection| connection.execute("DELETE FROM totals_g1", [])).is_err(),
        "readers only read"
    );
}

/// Trap 15: tables of the next generation are filled beside the ones readers see.
#[tokio::test]
async fn a_changed_sql_projection_is_built_in_tables_beside_and_the_view_switches_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.sqlite");
    let app = app_with([deposited(1, 5), deposited(2, 7)]).await;
    let blue = app.project_sql(Totals::<1>, &path).start().unwrap();
    caught_up(&app, &blue).await;
    assert_eq!(totals(&blue), [(1, 5), (2, 7)]);
    let green = app.project_sql(Totals::<2>, &path).start().unwrap();
    caught_up(&app, &green).await;
    assert_eq!(totals(&green), [(1, 10), (2, 14)]);
    assert_eq!(totals(&blue), [(1, 10), (2, 14)], "whoever reads sees the switch");
    green.operations().back().await.unwrap();
    assert_eq!(totals(&green), [(1, 5), (2, 7)]);
    green.operations().switch().await.unwrap();
    green.operations().rebuild().await.unwrap();
    assert_eq!(totals(&green), [(1, 10), (2, 14)]);
}

/// Another read model, whose author also thought of "totals".
struct Refunds;

impl SqlProjection for Refunds {
    type Event = AccountEvent;
    const NAME: &'static str = "refunds";
    const TABLES: &'static [(&'static str, &'static str)] =
        &[("Totals", "account INTEGER PRIMARY KEY, total INTEGER NOT NULL")];
    fn key(&self, _: &Recorded<AccountEvent>) -> String {
        String::new()
    }
    fn apply(&self, _: &Transaction<'_>, _: &Tables, _: &Recorded<AccountEvent>) -> Result<(), ApplyError> {
        Ok(())
    }
}

/// A table of somebody else's that is dropped is data that is lost.
#[tokio::test]
async fn a_second_read_model_of_a_file_does_not_get_the_tables_of_the_first_nor_of_anybody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.sqlite");
    let app = app_with([deposited(1, 5), deposited(2, 7)]).await;
    let sales = app.project_sql(Totals::<1>, &path).start().unwrap();
    caught_up(&app, &sales).await;
    let error = app.project_sql(Refunds, &path).start().expect_err("they are the first one's");
    assert!(error.to_string().contains("read model totals"), "{error}");
    assert_eq!(totals(&sales), [(1, 5), (2, 7)]);
    sales.operations().stop().await.unwrap();

    let connection = Connection::open(&path).unwrap();
    connection.execute("DELETE FROM factlog_rows WHERE row LIKE 'table/%'", []).unwrap();
    app.project_sql(Refunds, &path).start().expect_err("whose they are is not known");
    let sales = app.project_sql(Totals::<1>, &path).start().expect("they are its own, from before");
    caught_up(&app, &sales).await;
    assert_eq!(totals(&sales), [(1, 5), (2, 7)]);
}
