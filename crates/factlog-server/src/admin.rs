//! `factlog.v1.AdministrationService` over a store that offers it, and over the projections beside it.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Administration, Error, Result, StreamId, TypeInfo};
use factlog_proto::v1;
use factlog_proto::v1::administration_service_server::AdministrationService;
use futures_util::stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::access::Gate;
use crate::answers::{Batching, Messages, answers, refuse};
use crate::health::Projections;
use crate::large::Large;
use crate::service::unimplemented;

/// Streams of one page.
const PAGE_MAX: usize = 10_000;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    gate: Gate,
    projections: Projections,
    stopping: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(gate: Gate, projections: Projections, stopping: watch::Receiver<bool>) -> Self {
        Self { gate, projections, stopping }
    }

    /// The store, as whoever sent this may use it.
    fn store<T>(&self, request: &Request<T>) -> Result<Arc<dyn Administration>, Status> {
        let store = self.gate.administration(request.extensions()).map_err(refuse)?;
        store.ok_or_else(|| unimplemented("its lists and numbers"))
    }
}

fn type_size(info: &TypeInfo) -> usize {
    info.event_type.as_str().len()
}

#[tonic::async_trait]
impl AdministrationService for Service {
    type ListTypesStream = Messages<v1::ListTypesResponse>;

    async fn list_streams(
        &self,
        request: Request<v1::ListStreamsRequest>,
    ) -> Result<Response<v1::ListStreamsResponse>, Status> {
        let store = self.store(&request)?;
        let v1::ListStreamsRequest { prefix, after, limit } = request.into_inner();
        let after = after.map(StreamId::new).transpose().map_err(refuse)?;
        let streams = store.streams(&prefix, after, PAGE_MAX.min(limit as usize)).await;
        let streams = streams.map_err(refuse)?.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ListStreamsResponse { streams }))
    }

    async fn get_stream(
        &self,
        request: Request<v1::GetStreamRequest>,
    ) -> Result<Response<v1::GetStreamResponse>, Status> {
        let store = self.store(&request)?;
        let stream = StreamId::new(request.into_inner().stream).map_err(refuse)?;
        let stream = store.stream(stream).await.map_err(refuse)?.map(Into::into);
        Ok(Response::new(v1::GetStreamResponse { stream }))
    }

    async fn list_types(
        &self,
        request: Request<v1::ListTypesRequest>,
    ) -> Result<Response<Self::ListTypesStream>, Status> {
        let large = Large::of(request.extensions());
        let types = self.store(&request)?.types().await.map_err(refuse)?;
        let message = |types: Vec<TypeInfo>| v1::ListTypesResponse {
            types: types.into_iter().map(Into::into).collect(),
        };
        let batching = Batching { size: type_size, message, announce: false };
        let types = stream::iter(types.into_iter().map(Ok));
        Ok(answers(types, batching, large, self.stopping.clone()))
    }

    async fn get_stats(
        &self,
        request: Request<v1::GetStatsRequest>,
    ) -> Result<Response<v1::GetStatsResponse>, Status> {
        let stats = self.store(&request)?.stats().await.map_err(refuse)?;
        Ok(Response::new(v1::GetStatsResponse { stats: Some(stats.into()) }))
    }

    async fn list_projections(
        &self,
        request: Request<v1::ListProjectionsRequest>,
    ) -> Result<Response<v1::ListProjectionsResponse>, Status> {
        // Whoever is known may know it, as over HTTP.
        Gate::caller(request.extensions()).map_err(refuse)?;
        let max_lag = request.into_inner().max_lag_micros.map(Duration::from_micros);
        let (max_lag, told) = self.projections.told(max_lag).await;
        let told = told.ok_or_else(|| {
            refuse(Error::unavailable("the program behind this server does not say how its projections are"))
        })?;
        Ok(Response::new(v1::ListProjectionsResponse {
            projections: told.into_iter().map(Into::into).collect(),
            max_lag_micros: u64::try_from(max_lag.as_micros()).unwrap_or(u64::MAX),
        }))
    }
}

#[cfg(test)]
mod tests {
    use factlog_core::{BoxFuture, MemoryStore, SystemClock};
    use tonic::Code;

    use super::*;
    use crate::access::{Audit, Caller, Places};
    use crate::health::{ProjectionHealth, ProjectionsHealth};
    use crate::metrics::Metrics;

    /// A program that never says anything.
    #[derive(Debug)]
    struct Silent;

    impl ProjectionsHealth for Silent {
        fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>> {
            Box::pin(std::future::pending())
        }
    }

    /// Would fail if a program that hangs kept whoever asks waiting, or passed for one without projections; or if a request
    /// that came past the authentication were answered.
    #[tokio::test(start_paused = true)]
    async fn a_program_that_says_nothing_is_not_known_to_have_no_projections() {
        let metrics = Arc::new(Metrics::new("1", None, Arc::new(SystemClock), Arc::default()));
        let gate =
            Gate::new(Arc::new(MemoryStore::new()), None, None, Audit::default(), Places::new(1), metrics);
        let projections = Projections { asked: Some(Arc::new(Silent)), max_lag: Duration::ZERO };
        let service = Service::new(gate, projections, watch::channel(false).1);
        let unknown = service.list_projections(Request::new(v1::ListProjectionsRequest::default())).await;
        assert_eq!(unknown.expect_err("refused").code(), Code::PermissionDenied);
        let mut request = Request::new(v1::ListProjectionsRequest::default());
        request.extensions_mut().insert(Caller::anybody());
        let asked = tokio::time::timeout(Duration::from_secs(6), service.list_projections(request));
        let status = asked.await.expect("in time").expect_err("it is not known");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
}
