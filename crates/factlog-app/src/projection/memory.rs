//! A sink in memory: ordered maps behind a lock, changed one commit at a time.

use std::collections::BTreeMap;
use std::fmt;

use factlog_core::Result;
use parking_lot::RwLock;

use super::sink::{Commit, Committed, Generation, Rows, SERVING, TransactionalSink};

/// Read models in memory, gone with the process.
///
/// ```
/// # extern crate factlog_app as factlog;
/// use factlog::projection::{Generation, MemorySink, TransactionalSink};
/// let sink = MemorySink::<u64, String>::default();
/// assert_eq!(sink.document(Generation::Serving, &1)?, None);
/// # Ok::<(), factlog::Error>(())
/// ```
pub struct MemorySink<K, D> {
    kept: RwLock<Kept<K, D>>,
}

struct Kept<K, D> {
    generations: BTreeMap<u64, BTreeMap<K, D>>,
    rows: Rows,
}

impl<K, D> Default for MemorySink<K, D> {
    fn default() -> Self {
        Self { kept: RwLock::new(Kept { generations: BTreeMap::new(), rows: Rows::new() }) }
    }
}

impl<K, D> fmt::Debug for MemorySink<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySink").finish_non_exhaustive()
    }
}

impl<K: Ord, D> Kept<K, D> {
    fn documents(&self, of: Generation) -> Option<&BTreeMap<K, D>> {
        let number = match of {
            Generation::Number(number) => number,
            Generation::Serving => self.rows.get(SERVING)?.parse().ok()?,
        };
        self.generations.get(&number)
    }
}

impl<K, D> TransactionalSink<K, D> for MemorySink<K, D>
where
    K: Ord + Clone + Send + Sync + 'static,
    D: Clone + Send + Sync + 'static,
{
    fn document(&self, of: Generation, key: &K) -> Result<Option<D>> {
        Ok(self.kept.read().documents(of).and_then(|documents| documents.get(key).cloned()))
    }

    fn scan(&self, of: Generation, wanted: &dyn Fn(&K) -> bool) -> Result<Vec<(K, D)>> {
        let kept = self.kept.read();
        let documents = kept.documents(of).into_iter().flatten().filter(|(key, _)| wanted(key));
        Ok(documents.map(|(key, document)| (key.clone(), document.clone())).collect())
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        let kept = self.kept.read();
        let rows = kept.rows.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(rows.take(limit).map(|(name, text)| (name.clone(), text.clone())).collect())
    }

    fn commit(&self, commit: Commit<K, D>) -> Result<Committed> {
        let mut kept = self.kept.write();
        if commit.expected.iter().any(|(name, text)| kept.rows.get(name) != text.as_ref()) {
            return Ok(Committed::Refused);
        }
        if let Some(dropped) = commit.dropped {
            kept.generations.remove(&dropped);
        }
        if !commit.documents.is_empty() {
            let documents = kept.generations.entry(commit.generation).or_default();
            for (key, document) in commit.documents {
                match document {
                    Some(document) => documents.insert(key, document),
                    None => documents.remove(&key),
                };
            }
        }
        for (name, text) in commit.rows {
            match text {
                Some(text) => kept.rows.insert(name, text),
                None => kept.rows.remove(&name),
            };
        }
        Ok(Committed::Written)
    }
}
