//! Reads and subscriptions that are open: so many together, and of one principal three quarters of them.
//!
//! Each may hold two batches for as long as its caller likes, so that without a bound the memory of a server had none. Whoever is over
//! it is refused at once.

use std::collections::HashMap;
use std::sync::Arc;

use factlog_core::access::PrincipalName;
use factlog_core::{Error, Result};
use parking_lot::Mutex;

/// So many may be open, and so many are.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// Of each principal that has some.
    of: HashMap<PrincipalName, usize>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    principal: Option<PrincipalName>,
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// A place for this principal, or for anybody.
    ///
    /// # Errors
    /// `Unavailable` where there is none.
    pub(super) fn take(self: &Arc<Self>, principal: Option<&PrincipalName>) -> Result<Place> {
        let mut open = self.open.lock();
        let own = principal.and_then(|name| open.of.get(name)).copied().unwrap_or(0);
        let share = self.most - self.most / 4;
        if self.most <= open.all || (principal.is_some() && share <= own) {
            let (whose, open) =
                if self.most <= open.all { ("", open.all) } else { (" for one principal", own) };
            return Err(Error::unavailable(format!(
                "{open} reads and subscriptions are open, which is all that this server has{whose}; end some, or try \
                 again later"
            )));
        }
        open.all += 1;
        if let Some(principal) = principal {
            *open.of.entry(principal.clone()).or_default() += 1;
        }
        Ok(Place { places: self.clone(), principal: principal.cloned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open.lock();
        open.all -= 1;
        let Some(principal) = &self.principal else { return };
        let left = open.of.get_mut(principal).map_or(0, |own| {
            *own -= 1;
            *own
        });
        if left == 0 {
            open.of.remove(principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if one principal could take all places from the others, if there were more than there may be, or if those that
    /// are given back, and the names of those who had them, were kept.
    #[test]
    fn one_principal_leaves_some_to_the_others() {
        let places = Places::new(8);
        let [ada, bob] = ["ada", "bob"].map(|name| PrincipalName::new(name).expect("a name"));
        for _ in 0..3 {
            let all: Vec<_> = (0..8).filter_map(|_| places.take(Some(&ada)).ok()).collect();
            assert_eq!(all.len(), 6);
            let error = places.take(Some(&ada)).expect_err("three quarters");
            assert!(error.to_string().contains("6 reads and subscriptions are open"), "{error}");
            let others = [places.take(Some(&bob)).expect("a place"), places.take(None).expect("a place")];
            assert!(places.take(None).is_err_and(|error| error.to_string().contains("8 reads")));
            drop((all, others));
            let open = places.open.lock();
            assert_eq!((open.all, open.of.len()), (0, 0));
        }
        let anybody: Vec<_> = (0..9).filter_map(|_| places.take(None).ok()).collect();
        assert_eq!(anybody.len(), 8, "without authentication nobody is somebody");
    }
}
