//! Tokens of an issuer (JSON Web Tokens, RFC 7519): whom they speak of, and the keys that they are checked with.
//!
//! * A token is taken if a key that its issuer publishes has signed it, with an algorithm that the operator allows, and all its
//!   claims hold (`rules`). What it says of keys and algorithms only chooses among those.
//! * Keys are fetched by one task ([`Tokens::keep`]). Whoever shows a key id that is not known can make it fetch, once a minute at
//!   most. While the issuer does not answer, the keys that are known go on for [`KEYS_LAST`].
//! * A principal of a token is `jwt:NAME`, a role `role:NAME`. No key can be made for such a name.
//! * Why a token is not good is for the audit log; whoever shows it is told only that it is not.

mod fetch;
mod keys;
mod rules;
mod settings;
mod source;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, Result, Timestamp};
use jsonwebtoken::Algorithm;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::directory::Access;
use keys::{Claimed, Keys};
use rules::Rules;
pub(super) use rules::{PRINCIPAL, ROLE, Shown};
pub use settings::{TokenKeys, TokenSettings};
use source::Source;

/// How long keys are used after they were last fetched.
const KEYS_LAST: Duration = Duration::from_secs(24 * 3600);
/// How often they are fetched where nobody asks for one that is not there.
const REFRESH: Duration = Duration::from_secs(300);
/// The least time between two fetches, whoever asks.
const AT_MOST_EVERY: Duration = Duration::from_secs(60);
/// After one that failed; nobody can ask for it sooner.
const RETRY: Duration = Duration::from_secs(10);
/// How long a request waits for a fetch that is under way: two documents.
const PATIENCE: Duration = fetch::TIME.saturating_mul(2).saturating_add(Duration::from_secs(1));

/// Whose tokens are taken, and the keys of now.
#[derive(Debug)]
pub(super) struct Tokens {
    rules: Rules,
    allowed: Vec<Algorithm>,
    source: Source,
    known: watch::Sender<Known>,
    wanted: Notify,
}

#[derive(Clone, Debug, Default)]
struct Known {
    keys: Arc<Keys>,
    /// `None` where there never were any.
    fetched_at: Option<Timestamp>,
    phase: Phase,
}

/// What the task that fetches does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It fetches, or is about to.
    #[default]
    Fetching,
    /// It has done so a moment ago.
    Resting,
    /// It waits to be asked.
    Ready,
}

impl Access {
    /// Takes tokens of an issuer too, from the moment that a server runs with this: it fetches the issuer's keys.
    ///
    /// # Errors
    /// `Invalid` for settings that are not in order, and where there is an issuer already.
    pub fn take_tokens(&self, settings: &TokenSettings) -> Result<()> {
        self.tokens
            .set(Tokens::new(settings)?)
            .map_err(|_| Error::invalid("there is an issuer of tokens already"))
    }

    /// Keeps the keys of the issuer of tokens, if there is one: tells of every fetch, and of trouble with them.
    pub(crate) async fn keep_tokens(&self, fetched: impl Fn(bool), report: impl Fn(&Error)) -> Infallible {
        match self.tokens.get() {
            Some(tokens) => tokens.keep(|| self.now(), fetched, report).await,
            None => std::future::pending().await,
        }
    }
}

impl Tokens {
    /// # Errors
    /// `Invalid` for settings that are not in order.
    fn new(settings: &TokenSettings) -> Result<Self> {
        let (allowed, source) = (settings.check()?, Source::new(settings)?);
        if let TokenKeys::File(path) = &settings.keys {
            // A provider may be back in a moment; a file that is wrong is its owner's to correct.
            let keys = source::read(path).and_then(|set| Keys::parse(&set, &allowed));
            keys.map_err(|why| Error::invalid(format!("no keys of tokens in {}: {why}", path.display())))?;
        }
        let (rules, known) = (Rules::new(settings), watch::Sender::default());
        Ok(Self { rules, allowed, source, known, wanted: Notify::new() })
    }

    /// Whether a credential has the form of a token: no key of ours has a dot.
    pub(super) fn is_one(text: &str) -> bool {
        text.contains('.')
    }

    /// Whom a token speaks of.
    ///
    /// # Errors
    /// Why it is not good, for the audit log.
    pub(super) async fn check(
        &self,
        token: &str,
        now: impl Fn() -> Timestamp,
    ) -> std::result::Result<Shown, &'static str> {
        let claimed = Claimed::read(token, &self.allowed)?;
        if !self.usable(now())?.knows(&claimed) {
            self.ask().await;
        }
        // The time of now: a fetch may have taken a while.
        let now = now();
        self.usable(now)?.check(token, &claimed, &self.rules, now)
    }

    /// The keys, unless they are too old to vouch for anybody. None at all is like a key that is not known.
    fn usable(&self, now: Timestamp) -> std::result::Result<Arc<Keys>, &'static str> {
        let known = self.known.borrow();
        let age = known.fetched_at.map(|at| now.as_micros().saturating_sub(at.as_micros()));
        match age.is_some_and(|age| KEYS_LAST.as_micros() < age.unsigned_abs().into()) {
            true => Err("the keys of the issuer could not be fetched for too long"),
            false => Ok(known.keys.clone()),
        }
    }

    /// Waits for keys that are being fetched, or has them fetched if that has not just been done.
    async fn ask(&self) {
        let mut known = self.known.subscribe();
        match known.borrow_and_update().phase {
            Phase::Fetching => {}
            Phase::Resting => return self.wanted.notify_one(),
            Phase::Ready => self.wanted.notify_one(),
        }
        // Over when it rests again; whoever waits in vain is refused by what is known.
        let _ = timeout(PATIENCE, known.wait_for(|known| known.phase == Phase::Resting)).await;
    }

    /// Fetches keys, now and then and when one is asked for. Tells of the first failure in a row.
    async fn keep(
        &self,
        now: impl Fn() -> Timestamp,
        fetched: impl Fn(bool),
        report: impl Fn(&Error),
    ) -> Infallible {
        let mut told = false;
        loop {
            self.known.send_modify(|known| known.phase = Phase::Fetching);
            let keys = self.source.fetch().await.and_then(|set| Keys::parse(&set, &self.allowed));
            fetched(keys.is_ok());
            let failed = keys.as_ref().err().map(|why| self.failed(why));
            self.known.send_modify(|known| {
                known.phase = Phase::Resting;
                if let Ok(keys) = keys {
                    (known.keys, known.fetched_at) = (Arc::new(keys), Some(now()));
                }
            });
            if let Some(error) = failed {
                if !std::mem::replace(&mut told, true) {
                    report(&error);
                }
                sleep(RETRY).await;
                continue;
            }
            told = false;
            sleep(AT_MOST_EVERY).await;
            self.known.send_modify(|known| known.phase = Phase::Ready);
            // A failure is that nobody asked for long.
            let _ = timeout(REFRESH - AT_MOST_EVERY, self.wanted.notified()).await;
        }
    }

    fn failed(&self, why: &str) -> Error {
        let known = match self.known.borrow().fetched_at {
            Some(at) => format!("those of {at} are used for {} h", KEYS_LAST.as_secs() / 3600),
            None => "until there are any, every token is refused".to_owned(),
        };
        Error::unavailable(format!(
            "no keys from {}: {why}; {known}, and it is tried again",
            self.source.named()
        ))
    }
}
