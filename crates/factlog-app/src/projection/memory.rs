//! A read model in memory: an ordered map behind a lock, changed one batch at a time.

use std::collections::BTreeMap;

use factlog_core::Result;
use parking_lot::RwLock;

use super::Projection;
use super::sink::{Changes, Checkpoint, Resumed, Sink};

pub(crate) struct MemorySink<P: Projection> {
    sets: RwLock<Sets<P>>,
}

struct Sets<P: Projection> {
    /// What readers see.
    visible: BTreeMap<P::Key, P::Document>,
    /// What a rebuild writes.
    building: Option<BTreeMap<P::Key, P::Document>>,
}

impl<P: Projection> Default for MemorySink<P> {
    fn default() -> Self {
        Self { sets: RwLock::new(Sets { visible: BTreeMap::new(), building: None }) }
    }
}

impl<P: Projection> Sets<P> {
    fn written(&mut self) -> &mut BTreeMap<P::Key, P::Document> {
        self.building.as_mut().unwrap_or(&mut self.visible)
    }
}

impl<P: Projection> Sink<P> for MemorySink<P> {
    fn resume(&self) -> Result<Resumed> {
        Ok(Resumed::default())
    }

    fn document(&self, key: &P::Key) -> Result<Option<P::Document>> {
        let sets = self.sets.read();
        Ok(sets.building.as_ref().unwrap_or(&sets.visible).get(key).cloned())
    }

    fn commit(&self, changes: Changes<P>, _: Checkpoint) -> Result<()> {
        let mut sets = self.sets.write();
        let written = sets.written();
        for (key, document) in changes {
            match document {
                Some(document) => written.insert(key, document),
                None => written.remove(&key),
            };
        }
        Ok(())
    }

    fn begin_rebuild(&self) -> Result<()> {
        self.sets.write().building = Some(BTreeMap::new());
        Ok(())
    }

    fn finish_rebuild(&self) -> Result<()> {
        let mut sets = self.sets.write();
        if let Some(built) = sets.building.take() {
            sets.visible = built;
        }
        Ok(())
    }

    fn give_up_rebuild(&self) {
        self.sets.write().building = None;
    }

    fn get(&self, key: &P::Key) -> Result<Option<P::Document>> {
        Ok(self.sets.read().visible.get(key).cloned())
    }

    fn scan(&self, wanted: &dyn Fn(&P::Key) -> bool) -> Result<Vec<(P::Key, P::Document)>> {
        let sets = self.sets.read();
        let documents = sets.visible.iter().filter(|(key, _)| wanted(key));
        Ok(documents.map(|(key, document)| (key.clone(), document.clone())).collect())
    }
}
