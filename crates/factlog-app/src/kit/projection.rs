//! The test kit of read models: events in, documents out, replayed in every way that must make no difference.

use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter, Result as Formatted};

use factlog_core::RecordedEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Given, with_causes};
use crate::{EventSet, Projection, Recorded};

impl Given {
    /// What a read model makes of these facts.
    ///
    /// ```
    #[doc = include_str!("../docs/counter.txt")]
    /// given([Raised { counter: 1 }, Raised { counter: 2 }, Raised { counter: 1 }])
    ///     .project(Counters)
    ///     .then([(1, 2), (2, 1)]);
    /// # Ok(()) }
    /// ```
    pub fn project<P: Projection>(self, projection: P) -> Projected<P> {
        Projected { projection, log: self.log }
    }
}

/// A read model under test.
#[must_use = "nothing is tested until `then`"]
pub struct Projected<P> {
    projection: P,
    log: Vec<RecordedEvent>,
}

type Documents<P> = BTreeMap<<P as Projection>::Key, <P as Projection>::Document>;

impl<P: Projection> Projected<P>
where
    P::Document: PartialEq + Debug,
{
    /// Exactly these documents are there in the end, in any order.
    ///
    /// The facts are replayed twice, in two batches cut after each fact, in batches of one, and for each key alone, as
    /// rebuilds, restarts and workers do; documents and keys go through JSON between batches, as through a file. All
    /// of it has to come to the same.
    ///
    /// # Panics
    /// Where it does not, or comes to something else, with the difference; where a fact cannot be read as one of the
    /// projection's, or not be applied, so that its key would be parked; where a key or a document is not JSON.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = (P::Key, P::Document)>) {
        let all = self.fold([&self.log[..]], None);
        let expected: Documents<P> = expected.into_iter().collect();
        compare("the read model is something else", &expected, &all);
        let again = self.fold([&self.log[..]], None);
        compare(
            "replayed twice, the facts come to something else; `keys` and `apply` must be pure",
            &all,
            &again,
        );
        for cut in 1..self.log.len() {
            let (before, after) = self.log.split_at(cut);
            let batches = self.fold([before, after], None);
            let why = format!(
                "stopped after fact {cut} and started again, it comes to something else; is all of a document in its \
                 serde form?"
            );
            compare(&why, &all, &batches);
        }
        compare(
            "one fact at a time, they come to something else",
            &all,
            &self.fold(self.log.chunks(1), None),
        );
        for key in all.keys() {
            let alone = self.fold([&self.log[..]], Some(key));
            let expected = all.get_key_value(key).map(|(key, document)| (key.clone(), document.clone()));
            let why = "a key alone comes to something else; keys are folded apart from each other";
            compare(why, &expected.into_iter().collect(), &alone);
        }
    }

    /// No document is there in the end.
    ///
    /// # Panics
    /// As [`then`](Self::then).
    #[track_caller]
    pub fn then_nothing(self) {
        self.then([]);
    }

    /// The documents after these batches; of one key only, if so.
    #[track_caller]
    fn fold<'a>(
        &self,
        batches: impl IntoIterator<Item = &'a [RecordedEvent]>,
        only: Option<&P::Key>,
    ) -> Documents<P> {
        let mut documents = Documents::<P>::new();
        for batch in batches {
            for raw in batch.iter().filter(|raw| P::Event::NAMES.contains(&raw.event.event_type.as_str())) {
                let facts = match Recorded::<P::Event>::facts(raw) {
                    Ok(facts) => facts,
                    Err(error) => panic!("a given event cannot be read: {}", with_causes(&error)),
                };
                for fact in facts {
                    self.apply(&mut documents, &fact, only);
                }
            }
            documents = documents.iter().map(|(key, document)| (stored(key), stored(document))).collect();
        }
        documents
    }

    #[track_caller]
    fn apply(&self, documents: &mut Documents<P>, fact: &Recorded<P::Event>, only: Option<&P::Key>) {
        let mut keys = self.projection.keys(fact);
        keys.sort_unstable();
        keys.dedup();
        for key in keys.into_iter().filter(|key| only.is_none_or(|only| only == key)) {
            let before = documents.remove(&key);
            match self.projection.try_apply(&key, before, fact) {
                Ok(Some(after)) => drop(documents.insert(key, after)),
                Ok(None) => {}
                Err(error) => {
                    panic!("the fact at position {} cannot be applied to {key:?}: {error}", fact.position)
                }
            }
        }
    }
}

impl<P: Projection> Debug for Projected<P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Formatted {
        f.debug_struct("Projected").field("name", &P::NAME).finish_non_exhaustive()
    }
}

/// As it is read back from a file.
#[track_caller]
fn stored<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => panic!("a key or a document cannot be written as JSON: {error}"),
    };
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => panic!("a key or a document was written as {text} and cannot be read back: {error}"),
    }
}

#[track_caller]
fn compare<K: Debug + PartialEq, D: Debug + PartialEq>(
    why: &str,
    expected: &BTreeMap<K, D>,
    found: &BTreeMap<K, D>,
) {
    if expected != found {
        let list =
            |documents: &BTreeMap<K, D>| documents.iter().map(|pair| format!("{pair:?}")).collect::<Vec<_>>();
        let lines = super::difference(&list(expected), &list(found));
        panic!("{why}\n{lines}");
    }
}
