//! Health and reflection, as tools of gRPC ask for them.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::MemoryStore;
use factlog_server::Server;
use futures_util::stream;
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::served::runtime;

/// Runs a test against a server; what it gives back is kept until the server has stopped.
fn served<T>(server: Server, test: impl AsyncFnOnce(Channel) -> T, after: impl AsyncFnOnce(T)) {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let at = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
        let channel = Channel::from_shared(at).expect("a URL").connect().await.expect("connect");
        let kept = test(channel).await;
        stop.send(()).expect("it runs");
        // Well below the ten seconds that a stream which does not end would take.
        let after = async {
            after(kept).await;
            serving.await.expect("no panic").expect("in order");
        };
        tokio::time::timeout(Duration::from_secs(9), after).await.expect("nothing holds the server up");
    });
}

fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn status(answer: Option<HealthCheckResponse>) -> Option<ServingStatus> {
    answer.map(|answer| answer.status())
}

/// Would fail if a load balancer sent calls to a server that stops, or if those who watch kept it from stopping.
#[test]
fn health_is_serving_until_the_server_stops() {
    let server = Server::administered(Arc::new(MemoryStore::new()));
    let test = async |channel| {
        let mut health = HealthClient::new(channel);
        for service in ["", "factlog.v1.EventStoreService", "factlog.v1.AdministrationService"] {
            let answer = health.check(ask(service)).await.expect("known").into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
        }
        let unknown = health.check(ask("factlog.v9.Nothing")).await.expect_err("unknown");
        assert_eq!(unknown.code(), Code::NotFound);
        let mut watched = health.watch(ask("")).await.expect("a watch").into_inner();
        let first = watched.message().await.expect("well");
        assert_eq!(status(first), Some(ServingStatus::Serving));
        let mut strange = health.watch(ask("factlog.v9.Nothing")).await.expect("a watch").into_inner();
        let first = strange.message().await.expect("well");
        assert_eq!(status(first), Some(ServingStatus::ServiceUnknown));
        (watched, strange)
    };
    served(server, test, async |(mut watched, mut strange)| {
        assert_eq!(status(watched.message().await.expect("well")), Some(ServingStatus::NotServing));
        assert_eq!(status(watched.message().await.expect("well")), None, "it goes on after its end");
        assert_eq!(status(strange.message().await.expect("well")), Some(ServingStatus::ServiceUnknown));
        assert_eq!(status(strange.message().await.expect("well")), None, "it goes on after its end");
    });
}

async fn reflected(channel: Channel, request: MessageRequest) -> Result<ServerReflectionResponse, Code> {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client = ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(stream::iter([request])).await;
    let answer = answers.map_err(|status| status.code())?.into_inner().message().await;
    Ok(answer.map_err(|status| status.code())?.expect("an answer"))
}

/// Would fail if a server described itself unasked.
#[test]
fn reflection_is_off_unless_asked_for() {
    let server = Server::administered(Arc::new(MemoryStore::new()));
    let test = async |channel| {
        let refused = reflected(channel, MessageRequest::ListServices(String::new())).await;
        assert_eq!(refused.expect_err("nobody asked for it"), Code::Unimplemented);
    };
    served(server, test, async |()| {});
}

/// Would fail if a tool like grpcurl could not call the services by what the server says of them.
#[test]
fn reflection_describes_every_service_and_what_it_imports() {
    let server = Server::administered(Arc::new(MemoryStore::new())).reflect(true);
    let test = async |channel: Channel| {
        let listed = reflected(channel.clone(), MessageRequest::ListServices(String::new())).await;
        let Some(MessageResponse::ListServicesResponse(list)) = listed.expect("it is on").message_response
        else {
            panic!("no list")
        };
        let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        for name in
            ["factlog.v1.EventStoreService", "factlog.v1.AdministrationService", "grpc.health.v1.Health"]
        {
            assert!(names.iter().any(|other| other == name), "{name} is not in {names:?}");
        }
        for symbol in
            ["factlog.v1.EventStoreService.Append", "factlog.v1.SubscribeRequest", "google.protobuf.Empty"]
        {
            let found =
                reflected(channel.clone(), MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
            let found = found.expect("it is on").message_response;
            assert!(matches!(found, Some(MessageResponse::FileDescriptorResponse(_))), "{symbol}: {found:?}");
        }
    };
    served(server, test, async |()| {});
}
