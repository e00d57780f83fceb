//! Sinks without transactions: each write carries a number that makes repeating it harmless.
//!
//! * A commit is first written whole, with the checkpoint, to a transactional place for rows; then its documents are
//!   delivered, in order, and struck off. Whatever a crash left is delivered before anything else is read.
//! * So the sink may be behind its checkpoint for a moment, but nothing is lost or applied twice (trap 12).

use std::fmt;
use std::marker::PhantomData;

use factlog_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::rows;
use super::sink::{Commit, Committed, Generation, Rows, SERVING, TransactionalSink};

/// Deliveries struck off together.
const DELIVERIES_MAX: usize = 1_000;
/// How often a commit is tried again that only lost the race for the next number.
const TRIES: u32 = 100;
/// The row that holds the last number given.
const NUMBER: &str = "delivered";

/// A place that takes numbered deliveries. The number is the key: it grows, and a delivery that comes again, or late,
/// has a number that is not above the one it has for the same key, and is to be passed over.
///
/// Give it to [`Project::delivered_to`](super::Project::delivered_to).
///
/// ```
/// # extern crate factlog_app as factlog;
/// use std::{collections::HashMap, sync::Mutex};
/// use factlog::projection::{Delivery, IdempotentSink};
///
/// #[derive(Default)]
/// struct Cache(Mutex<HashMap<(u64, u64), (u64, Option<u64>)>>);
/// impl IdempotentSink<u64, u64> for Cache {
///     fn document(&self, generation: u64, key: &u64) -> factlog::Result<Option<u64>> {
///         Ok(self.0.lock().expect("no panics").get(&(generation, *key)).and_then(|(_, document)| *document))
///     }
///     fn deliver(&self, number: u64, delivery: Delivery<u64, u64>) -> factlog::Result<()> {
///         let mut kept = self.0.lock().expect("no panics");
///         match delivery {
///             Delivery::Document { generation, key, document } => {
///                 let entry = kept.entry((generation, key)).or_default();
///                 if entry.0 < number {
///                     *entry = (number, document);
///                 }
///             }
///             Delivery::Serve { .. } => {}
///             Delivery::Drop { generation } => kept.retain(|(other, _), _| *other != generation),
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait IdempotentSink<K, D>: Send + Sync + 'static {
    /// The document that was delivered last.
    ///
    /// # Errors
    /// `Unavailable` where trying again may help, `Corrupt` where what is kept cannot be read.
    fn document(&self, generation: u64, key: &K) -> Result<Option<D>>;

    /// Takes a delivery, unless its number says that it was taken before.
    ///
    /// # Errors
    /// As [`document`](Self::document); it may have been taken, and comes again.
    fn deliver(&self, number: u64, delivery: Delivery<K, D>) -> Result<()>;
}

/// What an [`IdempotentSink`] is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery<K, D> {
    /// A document as it is from now on.
    Document {
        /// The generation it belongs to.
        generation: u64,
        /// What it is found by.
        key: K,
        /// The document; `None` where it is removed.
        document: Option<D>,
    },
    /// This generation is what readers are to see.
    Serve {
        /// The generation.
        generation: u64,
    },
    /// This generation is not needed any more.
    Drop {
        /// The generation.
        generation: u64,
    },
}

/// A sink made of one that takes deliveries and one that keeps rows.
pub struct Delivered<K, D, S, R> {
    sink: S,
    rows: R,
    documents: PhantomData<fn() -> (K, D)>,
}

impl<K, D, S, R> Delivered<K, D, S, R>
where
    K: Serialize + DeserializeOwned + 'static,
    D: Serialize + DeserializeOwned + 'static,
    S: IdempotentSink<K, D>,
    R: TransactionalSink<K, D>,
{
    /// Both together.
    pub fn new(sink: S, rows: R) -> Self {
        Self { sink, rows, documents: PhantomData }
    }

    /// Delivers what is committed and was not delivered.
    fn drain(&self) -> Result<()> {
        loop {
            let owed = self.rows.rows("deliver/", DELIVERIES_MAX)?;
            if owed.is_empty() {
                return Ok(());
            }
            let mut done = Commit::new(0);
            for (name, text) in owed {
                self.sink.deliver(rows::number(&name)?, rows::read(&name, &text)?)?;
                done.rows.push((name, None));
            }
            // It expects nothing: who strikes off the same has delivered the same.
            let (Committed::Written | Committed::Refused) = self.rows.commit(done)?;
        }
    }

    /// The deliveries of a commit, as rows behind the last number given.
    fn deliveries(commit: &Commit<K, D>, last: u64) -> Vec<(String, Option<String>)>
    where
        K: Clone,
        D: Clone,
    {
        let generation = commit.generation;
        let dropped = commit.dropped.map(|generation| Delivery::Drop { generation });
        let documents = commit.documents.iter().map(|(key, document)| Delivery::Document {
            generation,
            key: key.clone(),
            document: document.clone(),
        });
        let serving = commit.rows.iter().find(|(name, _)| name == SERVING);
        let serve = serving.and_then(|(_, text)| text.as_ref()?.parse().ok());
        let serve = serve.map(|generation| Delivery::Serve { generation });
        let all = dropped.into_iter().chain(documents).chain(serve);
        (last + 1..)
            .zip(all)
            .map(|(number, delivery)| (format!("deliver/{number:020}"), Some(rows::write(&delivery))))
            .collect()
    }
}

impl<K, D, S, R> TransactionalSink<K, D> for Delivered<K, D, S, R>
where
    K: Clone + Serialize + DeserializeOwned + 'static,
    D: Clone + Serialize + DeserializeOwned + 'static,
    S: IdempotentSink<K, D>,
    R: TransactionalSink<K, D>,
{
    fn document(&self, of: Generation, key: &K) -> Result<Option<D>> {
        let generation = match of {
            Generation::Number(number) => number,
            Generation::Serving => match self.rows.rows(SERVING, 1)?.remove(SERVING) {
                None => return Ok(None),
                Some(text) => rows::number(&text)?,
            },
        };
        self.sink.document(generation, key)
    }

    fn scan(&self, _: Generation, _: &dyn Fn(&K) -> bool) -> Result<Vec<(K, D)>> {
        Err(Error::invalid("a sink that takes deliveries is not scanned here; ask it in its own way"))
    }

    /// A worker that begins asks what is served, and must find everything delivered that was committed.
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        if prefix == SERVING {
            self.drain()?;
        }
        self.rows.rows(prefix, limit)
    }

    fn commit(&self, commit: Commit<K, D>) -> Result<Committed> {
        for _ in 0..TRIES {
            let before = self.rows.rows(NUMBER, 1)?.remove(NUMBER);
            let last = before.as_deref().map(rows::number).transpose()?.unwrap_or(0);
            let deliveries = Self::deliveries(&commit, last);
            let mut whole = commit.clone();
            whole.documents.clear();
            whole.dropped = None;
            if !deliveries.is_empty() {
                whole.expected.push((NUMBER.to_owned(), before.clone()));
                whole.rows.push((NUMBER.to_owned(), Some((last + deliveries.len() as u64).to_string())));
                whole.rows.extend(deliveries);
            }
            if self.rows.commit(whole)? == Committed::Written {
                self.drain()?;
                return Ok(Committed::Written);
            }
            if self.rows.rows(NUMBER, 1)?.remove(NUMBER) == before {
                return Ok(Committed::Refused);
            }
        }
        Ok(Committed::Refused)
    }
}

impl<K, D, S, R> fmt::Debug for Delivered<K, D, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered").finish_non_exhaustive()
    }
}
