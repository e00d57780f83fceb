//! PostgreSQL as an event store: a table of events and an index of tags; one function call, one transaction an append.
//!
//! Unconditional appends take no lock: positions come from a sequence, and may become visible out of order. That is
//! less than the others promise, and PostgreSQL at its fastest. Conditional appends take one lock, without which two
//! of them could both succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bench_common::facts::Fact;
use bench_common::footprint;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Statement};

use crate::cluster::Cluster;
use crate::store::{Store, Writer};

const SCHEMA: &str = "
    CREATE TABLE event (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id bytea NOT NULL UNIQUE,
        type text NOT NULL,
        stream text NOT NULL,
        tags text NOT NULL,
        data bytea NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX event_stream ON event (stream, position);
    CREATE TABLE tag (tag text NOT NULL, position bigint NOT NULL, PRIMARY KEY (tag, position));
    CREATE FUNCTION append(ids bytea[], types text[], streams text[], tag_lists text[], datas bytea[],
                           one text, other text, after bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE last bigint;
    BEGIN
        IF after IS NOT NULL THEN
            PERFORM pg_advisory_xact_lock(1);
            IF EXISTS (SELECT 1 FROM tag a JOIN tag b USING (position)
                       WHERE a.tag = one AND b.tag = other AND a.position > after) THEN
                RAISE EXCEPTION 'an event with both tags came after %', after;
            END IF;
        END IF;
        WITH appended AS (
            INSERT INTO event (id, type, stream, tags, data)
            SELECT * FROM unnest(ids, types, streams, tag_lists, datas)
            RETURNING position, tags
        ), tagged AS (
            INSERT INTO tag (tag, position)
            SELECT unnest(string_to_array(tags, ' ')), position FROM appended
        )
        SELECT max(position) INTO last FROM appended;
        RETURN last;
    END $$;
";

/// Databases made so far in this run; each work has its own.
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Postgres {
    cluster: Arc<Cluster>,
    database: String,
    empty_bytes: i64,
}

struct Session {
    client: Client,
    append: Statement,
}

pub(crate) fn open(cluster: &Arc<Cluster>) -> Result<Box<dyn Store>> {
    let database = format!("bench{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {database}"))?;
    let mut client = cluster.connect(&database)?;
    let durable: Vec<String> = ["fsync", "synchronous_commit", "full_page_writes"]
        .iter()
        .map(|name| Ok(client.query_one(&format!("SHOW {name}"), &[])?.get(0)))
        .collect::<Result<_>>()?;
    anyhow::ensure!(
        durable.iter().all(|value| value == "on"),
        "PostgreSQL is not set to be durable: {durable:?}"
    );
    client.batch_execute(SCHEMA)?;
    let empty_bytes = size(&mut client)?;
    Ok(Box::new(Postgres { cluster: cluster.clone(), database, empty_bytes }))
}

fn size(client: &mut Client) -> Result<i64> {
    client.batch_execute("CHECKPOINT")?;
    Ok(client.query_one("SELECT pg_database_size(current_database())", &[])?.get(0))
}

impl Store for Postgres {
    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        let mut client = self.cluster.connect(&self.database)?;
        let append = client.prepare("SELECT append($1, $2, $3, $4, $5, $6, $7, $8)")?;
        let mut session = Session { client, append };
        // A session plans a statement anew the first five times: a pool of connections has that behind it.
        for _ in 0..6 {
            session.call(&[], None)?;
            session.call(&[], Some(0))?;
        }
        Ok(Box::new(session))
    }

    fn scan(&self) -> Result<u64> {
        let mut client = self.cluster.connect(&self.database)?;
        let columns = "SELECT position, id, type, stream, tags, data FROM event ORDER BY position";
        let mut rows = client.query_raw(columns, std::iter::empty::<i64>())?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0);
            let [id, data]: [Vec<u8>; 2] = [row.get(1), row.get(5)];
            let names: [String; 3] = [row.get(2), row.get(3), row.get(4)];
            std::hint::black_box((position, id, names, data));
            count += 1;
        }
        Ok(count)
    }

    fn server_cpu(&self) -> Duration {
        footprint::cpu_of_tree(self.cluster.process())
    }

    /// Tables and indexes without its write-ahead log, which it recycles.
    fn disk_bytes(&self) -> Result<u64> {
        let bytes = size(&mut self.cluster.connect(&self.database)?)?;
        Ok((bytes - self.empty_bytes).cast_unsigned())
    }
}

impl Writer for Session {
    fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64> {
        self.call(&facts, after)?.context("PostgreSQL told no position")
    }
}

impl Session {
    /// Calls the function with as many events as there are.
    fn call(&mut self, facts: &[Fact], after: Option<u64>) -> Result<Option<u64>> {
        let of = |name: fn(&Fact) -> String| facts.iter().map(name).collect::<Vec<String>>();
        let ids: Vec<&[u8]> = facts.iter().map(|fact| fact.id.as_slice()).collect();
        let datas: Vec<&[u8]> = facts.iter().map(|fact| fact.data.as_slice()).collect();
        let [types, streams, tags] = [
            of(|fact| fact.event_type.to_owned()),
            of(|fact| fact.stream.clone()),
            of(|fact| fact.tags.join(" ")),
        ];
        let [one, other] = facts.first().map(|fact| fact.tags.clone()).unwrap_or_default();
        let after = after.map(u64::cast_signed);
        let row = self
            .client
            .query_one(&self.append, &[&ids, &types, &streams, &tags, &datas, &one, &other, &after])
            .context("PostgreSQL refused")?;
        Ok(row.get::<_, Option<i64>>(0).map(i64::cast_unsigned))
    }
}
