//! Forgotten tags: an event of a view's set that the view would never see.

use crate::view::{has, key_of};
use crate::{EventSet, View};

/// Every event of the view's set has all the tags that the view asks for, so that none is left out in silence.
///
/// A set may be shared with views about other things; then an event may rightly be none of this one's, and this test is
/// not for it.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// factlog::sees_every_event::<Counter>(&1);
/// # Ok(()) }
/// ```
///
/// # Panics
/// Where an event has not, with what to write; and where the view's tags are out of bounds.
#[track_caller]
pub fn sees_every_event<V: View>(id: &V::Id) {
    let tags = match V::tags(id) {
        Ok(tags) => tags,
        Err(error) => panic!("the view's tags are out of bounds: {error}"),
    };
    let mut forgotten = Vec::new();
    for (name, keys) in V::Event::TAG_KEYS {
        for tag in tags.iter().filter(|tag| !has(keys, tag)) {
            let key = key_of(tag);
            forgotten.push(format!(
                "{name} has no tag `{key}`, so view {} never sees it: write `#[event(..., tags({key} = field))]` on its \
                 struct, or take it out of the set",
                V::NAME
            ));
        }
    }
    assert!(forgotten.is_empty(), "{}", forgotten.join("\n"));
}
