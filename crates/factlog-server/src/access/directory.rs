//! [`Access`]: the keys and grants of a store, kept in the store itself.
//!
//! * What was changed is appended under the revision that was seen, and folded before it is answered.
//! * Whoever holds a [`Caller`](super::caller::Caller) asks for its grants anew each time, or is told of a change.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use factlog_core::access::{AccessControl, Grants, MintedKey, PrincipalName};
use factlog_core::{
    Append, AppendCondition, AppendError, Clock, Delivery, Error, EventStore, ExpectedRevision, Query,
    ReadOptions, Result, StartFrom, StreamId, SystemClock, Timestamp,
};
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use super::changes::{created, set};
use super::facts::{Fact, STREAM, State};
use super::local::Asked;
use super::secret::Key;
use super::tokens::Tokens;

/// The principal of a store's first key.
pub const FIRST_PRINCIPAL: &str = "admin";
/// How long what others record may take to be seen, besides reading it.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// How often a change is tried while others change the same.
const ATTEMPTS: usize = 16;

/// The keys and grants of a store, as the facts in its stream `$server-access` say.
///
/// ```
/// use std::sync::Arc;
/// use factlog_core::MemoryStore;
/// use factlog_server::Access;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> factlog_core::Result<()> {
/// let access = Access::open(Arc::new(MemoryStore::new())).await?;
/// let first = access.first_key().await?.expect("a new store has no key");
/// assert!(first.secret.starts_with("factlog_"));
/// assert!(access.first_key().await?.is_none(), "it is made once");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Access {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    state: watch::Sender<Arc<State>>,
    /// Held by whoever reads on, so that the state never goes back.
    reading: Mutex<()>,
    pub(super) tokens: OnceLock<Tokens>,
}

impl Access {
    /// Reads what the store says of keys and grants.
    ///
    /// # Errors
    /// `Corrupt` for a fact of access that this version cannot read; the store's.
    pub async fn open(store: Arc<dyn EventStore>) -> Result<Arc<Self>> {
        Self::open_with(store, Arc::new(SystemClock)).await
    }

    /// The same, with another clock to tell when keys expire.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub async fn open_with(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let (state, reading, tokens) = (watch::Sender::default(), Mutex::default(), OnceLock::new());
        let access = Self { store, clock, state, reading, tokens };
        access.refresh().await?;
        Ok(Arc::new(access))
    }

    /// The key of a store that never had one, for the principal `admin`, who may do everything. `None` if it has.
    ///
    /// # Errors
    /// The store's.
    pub async fn first_key(&self) -> Result<Option<MintedKey>> {
        let (key, secret) = Key::mint()?;
        let made = self.begin(&key).await?;
        made.then(|| self.minted(&key.id, secret)).transpose()
    }

    /// The same with a key that was made before, such as by `factlog auth keys generate`. Whether the store had none.
    ///
    /// # Errors
    /// `Invalid` for what is no key; the store's.
    pub async fn first_key_is(&self, secret: &str) -> Result<bool> {
        let key = Key::parse(secret).ok_or_else(|| {
            Error::invalid(
                "that is no key; `factlog auth keys generate` makes one, or name a file that is not there",
            )
        })?;
        self.begin(&key).await
    }

    async fn begin(&self, key: &Key) -> Result<bool> {
        let principal = PrincipalName::new(FIRST_PRINCIPAL)?;
        let change = |state: &State| {
            if state.keys().next().is_some() {
                return Ok(Vec::new());
            }
            let by = "the first start".to_owned();
            Ok(vec![set(&principal, &Grants::everything(), &by), created(key, &principal, None, &by)])
        };
        self.change(change).await
    }

    /// The text of a new key that no store knows yet.
    ///
    /// # Errors
    /// `Unavailable` where the operating system gives no random bytes.
    pub fn generate_key() -> Result<String> {
        Key::mint().map(|(_, secret)| secret)
    }

    /// Whether there ever was a key.
    pub fn has_keys(&self) -> bool {
        self.state().keys().next().is_some()
    }

    /// Keeping them as the owner of the store's files, who needs no key.
    pub fn as_owner(self: Arc<Self>) -> Arc<dyn AccessControl> {
        Arc::new(Asked { access: self, caller: None })
    }

    /// Follows what others record of keys and grants until the store fails.
    pub(crate) async fn follow(&self) -> Error {
        let from = StartFrom::from(self.state().position);
        let stream = match StreamId::new(STREAM) {
            Ok(stream) => stream,
            Err(error) => return error,
        };
        let mut facts = self.store.subscribe(Query::stream(stream), from);
        loop {
            match facts.next().await {
                // Every commit brings one, and costs the writer a wakeup where somebody waits for it.
                Some(Ok(Delivery::CaughtUp(_))) => sleep(FOLLOW_EVERY).await,
                Some(Ok(Delivery::Event(_))) => {
                    if let Err(error) = self.refresh().await {
                        return error;
                    }
                }
                Some(Err(error)) => return error,
                None => return Error::closed("the store ended a subscription without a reason"),
            }
        }
    }

    /// Reads on from where the state is.
    pub(super) async fn refresh(&self) -> Result<()> {
        let _reading = self.reading.lock().await;
        let mut state = State::clone(&self.state());
        let options = ReadOptions::default().after(state.position);
        let mut facts = self.store.read(Query::stream(StreamId::new(STREAM)?), options);
        let mut changed = false;
        while let Some(fact) = facts.next().await {
            state.apply(&fact?)?;
            changed = true;
        }
        if changed {
            self.state.send_replace(Arc::new(state));
        }
        Ok(())
    }

    /// Appends what follows from the state, and folds it; whether there was anything.
    pub(super) async fn change(&self, facts: impl Fn(&State) -> Result<Vec<Fact>>) -> Result<bool> {
        let stream = StreamId::new(STREAM)?;
        for _ in 0..ATTEMPTS {
            let state = self.state();
            let events = facts(&state)?.iter().map(Fact::event).collect::<Result<Vec<_>>>()?;
            if events.is_empty() {
                return Ok(false);
            }
            let expected = state.revision.map_or(ExpectedRevision::NoStream, ExpectedRevision::At);
            let append = Append::new(events).when(AppendCondition::revision(stream.clone(), expected));
            let appended = self.store.append(append).await;
            self.refresh().await?;
            match appended {
                Ok(_) => return Ok(true),
                Err(AppendError::Conflict(_)) => {}
                Err(AppendError::Failed(error)) => return Err(error),
            }
        }
        Err(Error::unavailable(
            "others change keys and grants at the same time; nothing was changed, try again",
        ))
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    pub(super) fn changes(&self) -> watch::Receiver<Arc<State>> {
        self.state.subscribe()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn minted(&self, id: &str, secret: String) -> Result<MintedKey> {
        let state = self.state();
        let kept =
            state.key(id).ok_or_else(|| Error::unavailable("the key just made is not there; try again"))?;
        Ok(MintedKey { info: kept.info.clone(), secret })
    }
}
