//! Spans on their way to a collector: one that listens here, over a real socket.

use std::sync::mpsc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::harness::Home;
use crate::logs::{CANARY, Logged};

/// Hands on the spans it is sent.
struct Collector(mpsc::Sender<Span>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes =
            request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            self.0.send(span).map_err(|_| Status::unavailable("nobody looks any more"))?;
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attribute(span: &Span, name: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    found.value.as_ref()?.value.clone()
}

fn text(value: &str) -> Option<Value> {
    Some(Value::StringValue(value.to_owned()))
}

/// Would fail if spans did not arrive, or arrived without what they are about or whose children they are,
/// or with what callers keep secret.
#[test]
fn a_collector_gets_the_span_of_a_request_below_its_callers() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (sender, spans) = mpsc::channel();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("bind");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let service = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    runtime.spawn(service.serve_with_incoming(TcpIncoming::from(listener)));

    let home = Home::new();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let server = Logged::start(&home, &["--log", "off"], &variables);
    let traced = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let secret = format!("authorization: Bearer {CANARY}");
    let headers = ["content-type: application/json", traced, &secret];
    let path = format!("POST /v1/streams/person-{CANARY}/events");
    let answer = server.http(&path, &headers, &format!("{{\"type\":\"t\",\"data\":\"{CANARY}\"}}"));
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.stop();

    let mut seen = Vec::new();
    while let Ok(span) = spans.recv_timeout(Duration::from_secs(20)) {
        seen.push(span);
        if seen.len() == 2 {
            break;
        }
    }
    let named = |name: &str| {
        seen.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} in {seen:?}"))
    };
    assert!(!format!("{seen:?}").contains(CANARY), "{seen:?}");
    let (request, append) = (named("POST /v1/streams/{id}/events"), named("append"));
    assert_eq!(request.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(request.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(attribute(request, "http.route"), text("/v1/streams/{id}/events"));
    assert_eq!(attribute(request, "http.response.status_code"), Some(Value::IntValue(201)));
    assert_eq!(append.parent_span_id, request.span_id);
    assert_eq!(attribute(append, "db.collection.name"), text("person"), "the category and not the stream");
    assert_eq!(attribute(append, "db.operation.batch.size"), Some(Value::IntValue(1)));
}
