//! A sink of read models in a world that stops: its commits are effects, one moment before each and one after it.

use factlog_core::Result;

use super::World;
use crate::projection::{Commit, Committed, Generation, Rows, TransactionalSink};

impl World {
    /// The sink of this life, over one that outlives it: what was committed stays, and when the world stops, nothing is
    /// committed or read any more.
    ///
    /// ```
    #[doc = include_str!("../../docs/counter.txt")]
    /// use factlog::projection::MemorySink;
    /// use factlog::stops::{World, stop_everywhere};
    /// use std::cell::RefCell;
    /// use std::sync::Arc;
    ///
    /// let timeout = std::time::Duration::from_secs(5);
    /// let sink = RefCell::new(Arc::new(MemorySink::<u64, u64>::default()));
    /// let store = || {
    ///     *sink.borrow_mut() = Arc::default();
    ///     MemoryStore::new()
    /// };
    /// let life = async |world: World| {
    ///     let kept = world.sink(sink.borrow().clone());
    ///     let app = App::new(world.store());
    ///     let raised = app.execute(Raise { counter: 7 }).key("raise 7").await?;
    ///     let counters = app.project(Counters).kept_in(kept).start()?;
    ///     counters.at_least(raised.position, timeout, OnTimeout::Error).await?;
    ///     counters.stop().await?;
    ///     Ok(())
    /// };
    /// let moments = stop_everywhere(store, life, async |world: World| {
    ///     let kept = world.sink(sink.borrow().clone());
    ///     let counters = App::new(world.store()).project(Counters).kept_in(kept).start().expect("a read model");
    ///     counters.at_least(Position::new(1), timeout, OnTimeout::Error).await.expect("it catches up");
    ///     assert_eq!(counters.all().await.expect("documents"), [(7, 1)]);
    ///     counters.stop().await.expect("it stops");
    /// }).await;
    /// assert!(4 <= moments);
    /// # Ok(()) }
    /// ```
    pub fn sink<K: 'static, D: 'static>(
        &self,
        sink: impl TransactionalSink<K, D>,
    ) -> impl TransactionalSink<K, D> {
        Mortal { world: self.clone(), sink }
    }
}

/// A sink that is gone when the world stops.
struct Mortal<S> {
    world: World,
    sink: S,
}

impl<K, D, S: TransactionalSink<K, D>> TransactionalSink<K, D> for Mortal<S> {
    fn document(&self, of: Generation, key: &K) -> Result<Option<D>> {
        self.world.check()?;
        self.sink.document(of, key)
    }

    fn scan(&self, of: Generation, wanted: &dyn Fn(&K) -> bool) -> Result<Vec<(K, D)>> {
        self.world.check()?;
        self.sink.scan(of, wanted)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.world.check()?;
        self.sink.rows(prefix, limit)
    }

    fn commit(&self, commit: Commit<K, D>) -> Result<Committed> {
        self.world.effect(|| self.sink.commit(commit))?
    }
}
