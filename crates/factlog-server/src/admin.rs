//! `factlog.v1.AdministrationService` over a store that offers it.

use std::sync::Arc;

use factlog_core::{Administration, Result, StreamId, TypeInfo};
use factlog_proto::v1;
use factlog_proto::v1::administration_service_server::AdministrationService;
use futures_util::stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::access::Gate;
use crate::answers::{Batching, Messages, answers, refuse};
use crate::listen::Held;
use crate::service::unimplemented;

/// Streams of one page.
const PAGE_MAX: usize = 10_000;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    gate: Gate,
    stopping: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(gate: Gate, stopping: watch::Receiver<bool>) -> Self {
        Self { gate, stopping }
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
        let held = Held::of_answer(request.extensions());
        let types = self.store(&request)?.types().await.map_err(refuse)?;
        let message = |types: Vec<TypeInfo>| v1::ListTypesResponse {
            types: types.into_iter().map(Into::into).collect(),
        };
        let batching = Batching { size: type_size, message, announce: false };
        let types = stream::iter(types.into_iter().map(Ok));
        Ok(answers(types, batching, held, self.stopping.clone()))
    }

    async fn get_stats(
        &self,
        request: Request<v1::GetStatsRequest>,
    ) -> Result<Response<v1::GetStatsResponse>, Status> {
        let stats = self.store(&request)?.stats().await.map_err(refuse)?;
        Ok(Response::new(v1::GetStatsResponse { stats: Some(stats.into()) }))
    }
}
