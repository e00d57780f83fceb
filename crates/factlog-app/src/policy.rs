//! How fresh the facts must be that a command is decided on, or a question answered from.
//!
//! * It changes what is read first, never what is recorded: an append is accepted only if the facts it was decided on
//!   are still all there are, and everything after a lost race is read anew.

use std::time::Duration;

use factlog_core::Timestamp;

/// What may be taken from memory in place of a read. The names are Equinox's.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// use factlog::LoadPolicy;
/// let app = App::new(MemoryStore::new());
/// // Nobody else counts here, so the first attempt need not read: if somebody did, the second does.
/// app.execute(Raise { counter: 1 }).policy(LoadPolicy::AssumeEmpty).await?;
/// app.execute(Raise { counter: 1 }).policy(LoadPolicy::Cached).await?;
/// let counter = app.load::<Counter>(&1).await?;
/// assert_eq!(counter.state, Counter(2));
/// // What was loaded a moment ago is good enough for a page.
/// let again = app.load::<Counter>(&1).policy(LoadPolicy::AllowStale(std::time::Duration::from_secs(1))).await?;
/// assert_eq!((again.state, again.events_folded), (Counter(2), 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadPolicy {
    /// Everything recorded by now: a view in memory is brought up to date by reading its tail.
    #[default]
    RequireLatest,
    /// As it is in memory if it was up to date within this time, by the app's clock; otherwise read.
    AllowStale(Duration),
    /// As it is in memory, however old; read only where it is not there.
    Cached,
    /// Nothing is recorded yet: no read at all. For a command that begins something new; a question is answered from
    /// the empty view.
    AssumeEmpty,
}

impl LoadPolicy {
    /// Whether what was up to date then may be used now.
    pub(crate) fn accepts(self, then: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::RequireLatest => false,
            Self::Cached | Self::AssumeEmpty => true,
            Self::AllowStale(most) => {
                // A clock that was set back says nothing about age.
                let age =
                    now.as_micros().checked_sub(then.as_micros()).and_then(|age| u64::try_from(age).ok());
                age.is_some_and(|age| Duration::from_micros(age) <= most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that jumps must not make an old answer a fresh one.
    #[test]
    fn an_age_that_is_not_known_is_too_old() {
        let at = Timestamp::from_micros;
        let policy = LoadPolicy::AllowStale(Duration::from_secs(1));
        assert!(policy.accepts(at(5), at(5)) && policy.accepts(at(5), at(1_000_005)));
        assert!(!policy.accepts(at(5), at(1_000_006)) && !policy.accepts(at(5), at(4)));
        assert!(!policy.accepts(at(i64::MIN), at(i64::MAX)));
        assert!(
            !LoadPolicy::RequireLatest.accepts(at(5), at(5))
                && LoadPolicy::Cached.accepts(at(0), at(i64::MAX))
        );
    }
}
