//! [`Service`]: the names under which commands and queries of an app are called.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use factlog_app::projection::Operations;
use factlog_app::{App, BoxFuture, Decide};
use factlog_server::{Answer, Call, Offer, OfferKind, Problem, Program};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Refused;
use crate::answers::{answered, execute, reached};
use crate::decode::{from_json, from_query};

/// How long a query waits for its read models, unless told otherwise.
const WAIT: Duration = Duration::from_secs(5);

/// Commands and queries of an app, by name: to be given to [`Server::mount`](factlog_server::Server::mount).
///
/// A name that is none, or is there twice, is refused when the server begins.
pub struct Service {
    name: String,
    parts: Parts,
    offers: Vec<Offer>,
    runs: BTreeMap<String, Run>,
}

/// What all names share.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) app: App,
    pub(crate) wait: Duration,
    rule: Arc<RuleOf>,
}

/// The name of the rule that refused.
type RuleOf = dyn Fn(&(dyn Error + 'static)) -> Option<&'static str> + Send + Sync;
/// What one name does.
type Run = Arc<dyn Fn(Parts, Call) -> BoxFuture<'static, Result<Answer, Refused>> + Send + Sync>;

impl Parts {
    /// What a rule refuses, with its name where it has one.
    pub(crate) fn rejected<E: Error + 'static>(&self, rule: &E) -> Refused {
        let refused = Refused::rejected(rule.to_string());
        match (self.rule)(rule) {
            Some(name) => refused.with("rule", name),
            None => refused,
        }
    }
}

impl Service {
    /// A service of this name (1 to 64 small letters, digits, `-` and `_`), under `/app/` and the name.
    pub fn new(name: impl Into<String>, app: App) -> Self {
        let (offers, runs) = (Vec::new(), BTreeMap::new());
        Self { name: name.into(), parts: Parts { app, wait: WAIT, rule: Arc::new(|_| None) }, offers, runs }
    }

    /// How long a query waits until its read models have seen what the caller has: five seconds unless told otherwise.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.parts.wait = wait;
        self
    }

    /// The names of rules, which stand as `rule` in what they refuse: for programs that act on them.
    #[must_use]
    pub fn rule<E: Error + 'static>(mut self, name: fn(&E) -> &'static str) -> Self {
        self.parts.rule = Arc::new(move |error| error.downcast_ref().map(name));
        self
    }

    /// A command that is decoded as it is: `POST` of its JSON.
    #[must_use]
    pub fn command<C: Decide + DeserializeOwned>(self, name: &str) -> Self {
        self.command_from(name, |command: C, _| Ok(command))
    }

    /// A command that is made of what was sent, and of who sent it.
    #[must_use]
    pub fn command_from<B, C>(
        self,
        name: &str,
        make: impl Fn(B, &Call) -> Result<C, Refused> + Send + Sync + 'static,
    ) -> Self
    where
        B: DeserializeOwned,
        C: Decide,
    {
        let run: Run = Arc::new(move |parts, call| {
            let command = from_json(&call.input).map_err(Refused::from).and_then(|body| make(body, &call));
            match command {
                Ok(command) => Box::pin(async move { execute(&parts, command, call).await }),
                Err(refused) => Box::pin(ready(Err(refused))),
            }
        });
        self.offer(name, OfferKind::Command, run)
    }

    /// A query over these read models: `GET` with its parameters. It is answered when all of them have seen what the caller has;
    /// over none, it is one that the app answers from the log. `None` is an answer, too: `null`.
    #[must_use]
    pub fn query<'a, Q, T, F>(
        self,
        name: &str,
        over: impl IntoIterator<Item = &'a Operations>,
        answer: impl Fn(Q, Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        Q: DeserializeOwned + Send,
        T: Serialize,
        F: Future<Output = Result<T, Refused>> + Send,
    {
        let over: Arc<[Operations]> = over.into_iter().cloned().collect();
        let answer = Arc::new(answer);
        let run: Run = Arc::new(move |parts, call| {
            let (over, answer) = (over.clone(), answer.clone());
            Box::pin(async move {
                let asked = from_query(&call.input)?;
                let position = reached(&parts, &over, call.at_least).await?;
                answered(&answer(asked, call).await?, position)
            })
        });
        self.offer(name, OfferKind::Query, run)
    }

    fn offer(mut self, name: &str, kind: OfferKind, run: Run) -> Self {
        self.offers.push(Offer { name: name.to_owned(), kind });
        self.runs.insert(name.to_owned(), run);
        self
    }
}

impl Program for Service {
    fn name(&self) -> &str {
        &self.name
    }

    fn offers(&self) -> Vec<Offer> {
        self.offers.clone()
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, Problem>> {
        let Some(run) = self.runs.get(&call.name) else {
            let nothing = Problem::not_found(format!("{} offers no {}", self.name, call.name));
            return Box::pin(ready(Err(nothing)));
        };
        let answer = run(self.parts.clone(), call);
        Box::pin(async move { answer.await.map_err(Refused::problem) })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("offers", &self.offers)
            .finish_non_exhaustive()
    }
}
