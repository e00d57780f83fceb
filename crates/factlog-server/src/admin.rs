//! `factlog.v1.AdministrationService` over a store that offers it.

use std::sync::Arc;

use factlog_core::{Administration, Result, StreamId, TypeInfo};
use factlog_proto::v1;
use factlog_proto::v1::administration_service_server::AdministrationService;
use futures_util::stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::answers::{Batching, Messages, answers, refuse};
use crate::service::unimplemented;

/// Streams of one page.
const PAGE_MAX: usize = 10_000;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    store: Option<Arc<dyn Administration>>,
    stopping: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(store: Option<Arc<dyn Administration>>, stopping: watch::Receiver<bool>) -> Self {
        Self { store, stopping }
    }

    fn store(&self) -> Result<&dyn Administration, Status> {
        self.store.as_deref().ok_or_else(|| unimplemented("its lists and numbers"))
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
        let v1::ListStreamsRequest { prefix, after, limit } = request.into_inner();
        let after = after.map(StreamId::new).transpose().map_err(refuse)?;
        let streams = self.store()?.streams(&prefix, after, PAGE_MAX.min(limit as usize)).await;
        let streams = streams.map_err(refuse)?.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ListStreamsResponse { streams }))
    }

    async fn get_stream(
        &self,
        request: Request<v1::GetStreamRequest>,
    ) -> Result<Response<v1::GetStreamResponse>, Status> {
        let stream = StreamId::new(request.into_inner().stream).map_err(refuse)?;
        let stream = self.store()?.stream(stream).await.map_err(refuse)?.map(Into::into);
        Ok(Response::new(v1::GetStreamResponse { stream }))
    }

    async fn list_types(
        &self,
        _: Request<v1::ListTypesRequest>,
    ) -> Result<Response<Self::ListTypesStream>, Status> {
        let types = self.store()?.types().await.map_err(refuse)?;
        let message = |types: Vec<TypeInfo>| v1::ListTypesResponse {
            types: types.into_iter().map(Into::into).collect(),
        };
        let batching = Batching { size: type_size, message, announce: false };
        let types = stream::iter(types.into_iter().map(Ok));
        Ok(Response::new(answers(types, batching, self.stopping.clone())))
    }

    async fn get_stats(
        &self,
        _: Request<v1::GetStatsRequest>,
    ) -> Result<Response<v1::GetStatsResponse>, Status> {
        let stats = self.store()?.stats().await.map_err(refuse)?;
        Ok(Response::new(v1::GetStatsResponse { stats: Some(stats.into()) }))
    }
}
