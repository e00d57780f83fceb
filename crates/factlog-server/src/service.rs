//! `factlog.v1.EventStoreService` over a store: each call is the store's, translated.

use std::sync::Arc;

use factlog_core::{
    Append, Delivery, Error, EventStore, Position, Query, ReadOptions, RecordedEvent, StartFrom, Timestamp,
};
use factlog_proto::v1::event_store_service_server::EventStoreService;
use factlog_proto::{status_of, v1};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::access::Gate;
use crate::answers::{Batching, Messages, answers, refuse};
use crate::fences::Fences;
use crate::large::Large;
use crate::seldom::Seldom;
use crate::session::Session;
use crate::trace::TraceParent;

type Answer<T> = Result<Response<T>, Status>;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    gate: Gate,
    fences: Arc<Fences>,
    stopping: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(gate: Gate, stopping: watch::Receiver<bool>) -> Self {
        Self { gate, fences: Arc::default(), stopping }
    }

    /// The store, as whoever sent this may use it.
    fn store<T>(&self, request: &Request<T>) -> Result<Arc<dyn EventStore>, Status> {
        self.gate.store(request.extensions()).map_err(refuse)
    }
}

fn event_size(event: &RecordedEvent) -> usize {
    event.event.size()
}

/// The bytes of a delivery, besides its frame.
pub(crate) fn delivery_size(delivery: &Delivery) -> usize {
    match delivery {
        Delivery::Event(event) => event_size(event),
        Delivery::CaughtUp(_) => 0,
    }
}

#[tonic::async_trait]
impl EventStoreService for Service {
    type AppendSessionStream = Messages<v1::AppendSessionResponse>;
    type ReadStream = Messages<v1::ReadResponse>;
    type SubscribeStream = Messages<v1::SubscribeResponse>;

    async fn append(&self, request: Request<v1::AppendRequest>) -> Answer<v1::AppendResponse> {
        let store = self.store(&request)?;
        // Its callers give the ids, so that what they send may be a repeat.
        let parent = TraceParent::to_store(request.metadata().as_ref(), false).map_err(refuse)?;
        let mut append = Append::try_from(request.into_inner()).map_err(refuse)?;
        if let Some(parent) = parent {
            parent.put_into(&mut append.events);
        }
        let appended = store.append(append).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(appended.into()))
    }

    async fn append_session(
        &self,
        request: Request<Streaming<v1::AppendSessionRequest>>,
    ) -> Answer<Self::AppendSessionStream> {
        let held = request.extensions().get().cloned();
        let (store, fences) = (self.store(&request)?, self.fences.clone());
        let session = Session::new(store, fences, held, request.into_inner(), self.stopping.clone());
        Ok(Response::new(Box::pin(session)))
    }

    async fn read(&self, request: Request<v1::ReadRequest>) -> Answer<Self::ReadStream> {
        let (store, large) = (self.store(&request)?, Large::of(request.extensions()));
        let (query, options) = <(Query, ReadOptions)>::try_from(request.into_inner()).map_err(refuse)?;
        let mut events = store.read(query, options);
        let mut snapshot = Some(events.head().await.map_err(refuse)?.into());
        let message = move |events: Vec<RecordedEvent>| v1::ReadResponse {
            snapshot: snapshot.take(),
            events: events.into_iter().map(Into::into).collect(),
        };
        let batching = Batching { size: event_size, message, announce: true };
        Ok(answers(events, batching, large, self.stopping.clone()))
    }

    async fn subscribe(&self, request: Request<v1::SubscribeRequest>) -> Answer<Self::SubscribeStream> {
        let (store, large) = (self.store(&request)?, Large::of(request.extensions()));
        let (query, from) = <(Query, StartFrom)>::try_from(request.into_inner()).map_err(refuse)?;
        let message = |deliveries: Vec<Delivery>| v1::SubscribeResponse {
            deliveries: deliveries.into_iter().map(Into::into).collect(),
        };
        let batching = Batching { size: delivery_size, message, announce: false };
        let deliveries = Seldom::new(store.subscribe(query, from));
        Ok(answers(deliveries, batching, large, self.stopping.clone()))
    }

    async fn get_head(&self, request: Request<v1::GetHeadRequest>) -> Answer<v1::GetHeadResponse> {
        let head = self.store(&request)?.head().await.map_err(refuse)?;
        Ok(Response::new(v1::GetHeadResponse { head: Some(head.into()) }))
    }

    async fn get_tracking(
        &self,
        request: Request<v1::GetTrackingRequest>,
    ) -> Answer<v1::GetTrackingResponse> {
        let store = self.store(&request)?;
        let position = store.tracking(&request.into_inner().source).await.map_err(refuse)?;
        Ok(Response::new(v1::GetTrackingResponse { position: position.map(Position::get) }))
    }

    async fn get_position_at(
        &self,
        request: Request<v1::GetPositionAtRequest>,
    ) -> Answer<v1::GetPositionAtResponse> {
        let store = self.store(&request)?;
        let time = Timestamp::from_micros(request.into_inner().time_micros);
        let position = store.position_at(time).await.map_err(refuse)?;
        Ok(Response::new(v1::GetPositionAtResponse { position: position.map(Position::get) }))
    }
}

/// What a call of a service answers that this server's store does not offer.
pub(crate) fn unimplemented(what: &str) -> Status {
    refuse(Error::invalid(format!("the store behind this server does not offer {what}")))
}
