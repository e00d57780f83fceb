//! Snapshot equivalence: a fold that is kept and read back anywhere comes to what a full replay comes to.

use std::fmt::Debug;

use super::{Given, difference, offer, slots};
use crate::Model;
use crate::snapshot::Kept;

impl Given {
    /// Wherever a snapshot is taken, the fold goes on from it to the state of a full replay; through the bytes that are
    /// stored, and for every view of the model.
    ///
    /// It finds what a snapshot loses: `#[serde(skip)]`, a default that serde fills in, a map that is written in another
    /// order each time. Of the given events, each one is once the last in the snapshot.
    ///
    /// ```
    #[doc = include_str!("../docs/counter.txt")]
    /// given([Raised { counter: 1 }, Raised { counter: 1 }]).snapshots_equal_replay::<Counter>(&1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// Where they differ, with the event after which the snapshot was taken; where a state is not read back as what was
    /// written, so that no snapshot of it would ever be used; and where no given event is in the model, so that
    /// nothing would be tested.
    #[track_caller]
    pub fn snapshots_equal_replay<M: Model + PartialEq + Debug>(&self, id: &M::Id) {
        let replayed: M = self.view(id);
        let mut snapshots = 0;
        for cut in 1..=self.log.len() {
            let (restored, kept) = self.through_snapshots::<M>(id, cut);
            assert!(
                restored == replayed,
                "a snapshot after event {cut} and the rest come to something else than a full replay; a field that \
                 is not in its serde form?\n{}",
                difference(&[replayed], &[restored])
            );
            snapshots += kept;
        }
        assert!(0 < snapshots, "no given event is in the model, so there is no snapshot to test");
    }

    /// The model, taken through the bytes of snapshots after so many events, and how many there were.
    #[track_caller]
    fn through_snapshots<M: Model>(&self, id: &M::Id, cut: usize) -> (M, usize) {
        let mut folded = slots::<M>(id);
        offer::<M>(&mut folded, &self.log[..cut]);
        let mut restored = slots::<M>(id);
        let mut snapshots = 0;
        for (from, to) in M::each(&mut folded).into_iter().zip(M::each(&mut restored)) {
            if from.progress().last.is_none() {
                continue;
            }
            let Some(kept) = from.keep() else {
                panic!("serde cannot write the state of view {} after event {cut} as JSON", from.name())
            };
            let read = Kept::decode(&kept.encode());
            if !read.is_some_and(|kept| to.restore(&kept)) {
                panic!(
                    "the state of view {} after event {cut} is not read back as what was written, so a snapshot of it is \
                     never used; is there a field that serde leaves out, or a set without an order?",
                    from.name()
                );
            }
            snapshots += 1;
        }
        offer::<M>(&mut restored, &self.log);
        (M::finish(restored), snapshots)
    }
}
