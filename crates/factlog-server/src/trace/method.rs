//! What a request asks for, as one of a bounded number of names.

use axum::extract::{MatchedPath, Request};

use crate::http::is_grpc;
use crate::metrics::{Method, UNKNOWN};

/// Every method that this server may serve; a test compares it with the `.proto` files.
pub(super) const METHODS: [&str; 24] = [
    "factlog.v1.AccessService/CreateKey",
    "factlog.v1.AccessService/ListKeys",
    "factlog.v1.AccessService/ListPrincipals",
    "factlog.v1.AccessService/RevokeKey",
    "factlog.v1.AccessService/RotateKey",
    "factlog.v1.AccessService/SetGrants",
    "factlog.v1.AccessService/WhoAmI",
    "factlog.v1.AdministrationService/GetStats",
    "factlog.v1.AdministrationService/GetStream",
    "factlog.v1.AdministrationService/ListProjections",
    "factlog.v1.AdministrationService/ListStreams",
    "factlog.v1.AdministrationService/ListTypes",
    "factlog.v1.EventStoreService/Append",
    "factlog.v1.EventStoreService/AppendSession",
    "factlog.v1.EventStoreService/GetHead",
    "factlog.v1.EventStoreService/GetPositionAt",
    "factlog.v1.EventStoreService/GetTracking",
    "factlog.v1.EventStoreService/Read",
    "factlog.v1.EventStoreService/Subscribe",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl Method {
    /// What this request asks for.
    pub(super) fn of(request: &Request) -> Self {
        let path = request.uri().path();
        let known = path.strip_prefix('/').and_then(|path| METHODS.binary_search(&path).ok());
        if let Some(known) = known {
            return Self::Grpc(METHODS[known]);
        }
        if is_grpc(request.headers()) {
            return Self::Grpc(UNKNOWN);
        }
        let verb = VERBS.iter().find(|verb| **verb == request.method().as_str());
        // The services' own routes end with whatever the caller has asked them for.
        let route = request.extensions().get::<MatchedPath>().filter(|path| !path.as_str().contains("{*"));
        Self::Http(verb.copied().unwrap_or("OTHER"), route.cloned())
    }
}
