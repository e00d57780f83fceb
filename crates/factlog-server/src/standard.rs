//! What tools expect of every gRPC server: `grpc.health.v1` always, reflection where it is asked for.
//!
//! * A service is `SERVING` until the server stops; then those who watch are told `NOT_SERVING`, and their streams end.
//! * Reflection tells what `crates/factlog-proto/proto` says, without its comments, to whoever may call: it is for development.

use std::pin::Pin;

use factlog_core::{Error, Result};
use factlog_proto::DESCRIPTORS;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{FILE_DESCRIPTOR_SET, HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::server::Builder;

use crate::stopped;

/// The services whose health is told; the empty name is the whole server.
const SERVICES: [&str; 4] =
    ["", "factlog.v1.EventStoreService", "factlog.v1.AdministrationService", "factlog.v1.AccessService"];

/// These services beside those of the store.
///
/// # Errors
/// `Invalid` where the descriptions in this binary are damaged.
pub(crate) fn beside(grpc: Routes, stopping: watch::Receiver<bool>, reflect: bool) -> Result<Routes> {
    let grpc = grpc.add_service(HealthServer::new(Watched { stopping }));
    if !reflect {
        return Ok(grpc);
    }
    let damaged = |error| Error::invalid("the server's own description cannot be read").because(error);
    let descriptions = || {
        let builder = Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
        builder.register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
    };
    // Tools of before 2023 ask by the name of the alpha.
    let older = descriptions().build_v1alpha().map_err(damaged)?;
    Ok(grpc.add_service(descriptions().build_v1().map_err(damaged)?).add_service(older))
}

/// Health, which ends when the server stops.
#[derive(Debug)]
struct Watched {
    stopping: watch::Receiver<bool>,
}

fn told(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

impl Watched {
    fn now(&self) -> HealthCheckResponse {
        told(if *self.stopping.borrow() { ServingStatus::NotServing } else { ServingStatus::Serving })
    }
}

#[tonic::async_trait]
impl Health for Watched {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        if !SERVICES.contains(&name.as_str()) {
            return Err(Status::not_found(format!("there is no service {name:?} here")));
        }
        Ok(Response::new(self.now()))
    }

    /// A service that is not here may come with a newer server, so that whoever watches it is not turned away.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = SERVICES.contains(&request.into_inner().service.as_str());
        let first = if known { self.now() } else { told(ServingStatus::ServiceUnknown) };
        let stopping = self.stopping.clone();
        let last = stream::once(async move {
            stopped(stopping).await;
            told(if known { ServingStatus::NotServing } else { ServingStatus::ServiceUnknown })
        });
        Ok(Response::new(Box::pin(stream::once(async move { first }).chain(last).map(Ok))))
    }
}
