//! What a worker drives of an SQL projection.

use std::sync::Arc;

use factlog_core::Result;
use rusqlite::Transaction;

use super::{SqlProjection, Tables};
use crate::Recorded;
use crate::projection::sink::{Committed, Rows, SERVING};
use crate::projection::sqlite::SqliteSink;
use crate::projection::target::{Chunk, Control, Emits, Failure, Outcome, Pair, Target, guarded};
use crate::sqlite::failed;

pub(super) struct Sql<P> {
    pub(super) projection: P,
    pub(super) sink: Arc<SqliteSink>,
}

impl<P: SqlProjection> Sql<P> {
    fn make_tables(transaction: &Transaction<'_>, generation: u64) -> rusqlite::Result<()> {
        let tables = Tables { generation };
        P::TABLES.iter().try_for_each(|(table, columns)| {
            let name = tables.name(table);
            transaction.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {name} ({columns})"))
        })
    }

    /// What the rows mean for tables and views.
    fn follow(transaction: &Transaction<'_>, control: &Control) -> rusqlite::Result<()> {
        if let Some(generation) = control.dropped {
            let tables = Tables { generation };
            for (table, _) in P::TABLES {
                transaction.execute_batch(&format!("DROP TABLE IF EXISTS {}", tables.name(table)))?;
            }
        }
        let serving = control.rows.iter().find(|(name, _)| name == SERVING);
        let Some(generation) = serving.and_then(|(_, text)| text.as_ref()?.parse().ok()) else {
            return Ok(());
        };
        Self::make_tables(transaction, generation)?;
        for (table, _) in P::TABLES {
            let name = Tables { generation }.name(table);
            transaction.execute_batch(&format!(
                "DROP VIEW IF EXISTS {table}; CREATE VIEW {table} AS SELECT * FROM {name}"
            ))?;
        }
        Ok(())
    }

    fn finish(&self, transaction: &Transaction<'_>, control: &Control) -> Result<Committed> {
        if !self.sink.expected(transaction, &control.expected)? {
            return Ok(Committed::Refused);
        }
        Self::follow(transaction, control).map_err(failed("prepare tables in", self.sink.path()))?;
        self.sink.write_rows(transaction, &control.rows)?;
        Ok(Committed::Written)
    }

    /// Applies events in order; one that fails is undone, with all facts of it for the key, and nothing behind it of its key is applied.
    fn run(
        &self,
        transaction: &Transaction<'_>,
        generation: u64,
        chunks: &[Chunk<P::Event, String>],
    ) -> rusqlite::Result<Outcome<String>> {
        let tables = Tables { generation };
        let mut outcome = Outcome::<String>::default();
        for chunk in chunks {
            let mut pairs: Vec<_> = chunk.shards.iter().flatten().collect();
            let position = |pair: &Pair<String>| chunk.events[pair.event as usize].position;
            pairs.sort_by(|left, right| {
                let order = position(left).cmp(&position(right));
                order.then_with(|| left.key.cmp(&right.key)).then(left.event.cmp(&right.event))
            });
            let same = |left: &&Pair<String>, right: &&Pair<String>| {
                position(left) == position(right) && left.key == right.key
            };
            for facts in pairs.chunk_by(same) {
                let (key, position) = (&facts[0].key, position(facts[0]));
                let stands = outcome.failures.iter_mut().find(|failure| failure.key == *key);
                if let Some(failure) = stands {
                    failure.positions.push(position);
                    continue;
                }
                transaction.execute_batch("SAVEPOINT factlog_event")?;
                let mut events = facts.iter().map(|pair| &chunk.events[pair.event as usize]);
                match guarded(|| {
                    events.try_for_each(|event| self.projection.apply(transaction, &tables, event))
                }) {
                    Ok(()) => transaction.execute_batch("RELEASE factlog_event")?,
                    Err(error) => {
                        transaction.execute_batch("ROLLBACK TO factlog_event; RELEASE factlog_event")?;
                        let positions = vec![position];
                        outcome.failures.push(Failure { key: key.clone(), error, positions });
                    }
                }
            }
        }
        Ok(outcome)
    }
}

impl<P: SqlProjection> Target for Sql<P> {
    type Event = P::Event;
    type Key = String;
    type Folded = Vec<Chunk<P::Event, String>>;
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;

    fn keys(&self, event: &Recorded<P::Event>) -> Vec<String> {
        vec![self.projection.key(event)]
    }

    fn fold(
        &self,
        _: u64,
        chunks: Vec<Chunk<P::Event, String>>,
        _: &Emits<'_>,
        folded: &mut Self::Folded,
    ) -> Result<Outcome<String>> {
        // They are applied within the transaction.
        folded.extend(chunks);
        Ok(Outcome::default())
    }

    fn size(folded: &Self::Folded) -> usize {
        folded.iter().map(|chunk| chunk.events.len()).sum()
    }

    fn commit(
        &self,
        generation: u64,
        folded: Self::Folded,
        _: &Emits<'_>,
        rows: &mut dyn FnMut(Outcome<String>) -> Control,
    ) -> Result<Committed> {
        let work = |transaction: &Transaction<'_>| {
            let failed = || failed("write the tables in", self.sink.path());
            Self::make_tables(transaction, generation).map_err(failed())?;
            let outcome = self.run(transaction, generation, &folded).map_err(failed())?;
            self.finish(transaction, &rows(outcome))
        };
        self.sink.transaction(work)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.read_rows(prefix, limit)
    }

    fn write(&self, control: Control) -> Result<Committed> {
        self.sink.transaction(|transaction| self.finish(transaction, &control))
    }
}
