//! The one way from a request to the store.

use std::sync::Arc;

use factlog_core::access::{AccessControl, Action};
use factlog_core::{Administration, Error, EventStore, Result};
use tonic::codegen::http::Extensions;

use super::audit::Audit;
use super::caller::Caller;
use super::directory::Access;
use super::guarded::Guarded;
use super::local::Asked;
use super::places::Places;
use crate::metrics::Metrics;

/// What is served, behind its guard.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) administration: Option<Arc<dyn Administration>>,
    pub(super) access: Option<Arc<Access>>,
    pub(super) audit: Audit,
    pub(super) places: Arc<Places>,
    pub(super) metrics: Arc<Metrics>,
}

impl Gate {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        administration: Option<Arc<dyn Administration>>,
        access: Option<Arc<Access>>,
        audit: Audit,
        places: Arc<Places>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { store, administration, access, audit, places, metrics }
    }

    /// The store, as whoever sent the request may use it.
    ///
    /// # Errors
    /// `Denied` for a request that has not passed the layer of authentication.
    pub(crate) fn store(&self, of: &Extensions) -> Result<Arc<dyn EventStore>> {
        Ok(Arc::new(self.guarded(of, self.store.clone())?))
    }

    /// Its lists and numbers, where the store offers them.
    ///
    /// # Errors
    /// Those of [`store`](Self::store).
    pub(crate) fn administration(&self, of: &Extensions) -> Result<Option<Arc<dyn Administration>>> {
        let Some(store) = self.administration.clone() else { return Self::caller(of).map(|_| None) };
        Ok(Some(Arc::new(self.guarded(of, store)?)))
    }

    fn guarded<S: ?Sized>(&self, of: &Extensions, store: Arc<S>) -> Result<Guarded<S>> {
        let (caller, audit, places) = (Self::caller(of)?, self.audit.clone(), self.places.clone());
        Ok(Guarded { caller, audit, places, store })
    }

    /// The keys and grants, as whoever sent the request may keep them; `None` without authentication.
    ///
    /// # Errors
    /// Those of [`store`](Self::store).
    pub(crate) fn access(&self, of: &Extensions) -> Result<Option<Arc<dyn AccessControl>>> {
        let caller = Self::caller(of)?;
        let Some(access) = self.access.clone() else { return Ok(None) };
        Ok(Some(Arc::new(Asked { access, caller: Some((caller, self.audit.clone())) })))
    }

    /// Whether whoever sent the request may call this, `service/name`, of a program beside the store.
    ///
    /// # Errors
    /// Those of [`store`](Self::store); `Unauthenticated` where the credential is not good any more.
    pub(crate) fn may_call(of: &Extensions, name: &str) -> Result<bool> {
        Ok(Self::caller(of)?.grants()?.may_call(name))
    }

    /// The same, where not to be allowed is a denial.
    ///
    /// # Errors
    /// Those of [`may_call`](Self::may_call); `Denied` where no grant says so.
    pub(crate) fn call(&self, of: &Extensions, name: &str) -> Result<()> {
        if Self::may_call(of, name)? {
            return Ok(());
        }
        let caller = Self::caller(of)?;
        let principal = caller.principal();
        self.audit.denied(principal, Action::Call, format!("call {name}"));
        Err(Error::denied(format!("{principal} may not call {name}; whoever keeps the grants can allow it")))
    }

    /// Whether callers have to show who they are.
    pub(crate) fn authenticates(&self) -> bool {
        self.access.is_some()
    }

    /// Who sent the request.
    ///
    /// # Errors
    /// Those of [`store`](Self::store).
    pub(crate) fn caller(of: &Extensions) -> Result<Caller> {
        of.get::<Caller>().cloned().ok_or_else(|| Error::denied("the request came past the authentication"))
    }
}
