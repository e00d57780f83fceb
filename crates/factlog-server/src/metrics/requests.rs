//! Requests by method and code, in labels of which there is a bounded number whatever is asked for.

use std::fmt;

use axum::extract::MatchedPath;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

/// What a request asked for: never its own path, which may name a stream.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    /// A method of a service, such as `factlog.v1.EventStoreService/Append`.
    Grpc(&'static str),
    /// A verb and a route's template.
    Http(&'static str, Option<MatchedPath>),
}

/// What nobody serves.
pub(crate) const UNKNOWN: &str = "unknown";

impl Method {
    /// The template of the route, or the method of the service.
    pub(crate) fn template(&self) -> &str {
        match self {
            Self::Grpc(method) => method,
            Self::Http(_, route) => route.as_ref().map_or(UNKNOWN, MatchedPath::as_str),
        }
    }

    /// The verb over HTTP; gRPC has none of its own.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Grpc(_) => "",
            Self::Http(verb, _) => verb,
        }
    }

    pub(crate) fn protocol(&self) -> &'static str {
        match self {
            Self::Grpc(_) => "grpc",
            Self::Http(..) => "http",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grpc(method) => f.write_str(method),
            Self::Http(verb, _) => write!(f, "{verb} {}", self.template()),
        }
    }
}

impl PartialEq for Method {
    fn eq(&self, other: &Self) -> bool {
        (self.protocol(), self.verb(), self.template()) == (other.protocol(), other.verb(), other.template())
    }
}

impl Eq for Method {}

impl Hash for Method {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.protocol(), self.verb(), self.template()).hash(state);
    }
}

impl EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        write!(encoder, "{self}")
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    /// With a status of HTTP.
    Http(u16),
    /// With a status of gRPC.
    Grpc(u8),
    /// The caller went away before its end.
    Cancelled,
}

/// The names of the codes of gRPC, by their numbers.
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => status.fmt(f),
            Self::Grpc(code) => f.write_str(GRPC.get(usize::from(*code)).copied().unwrap_or("UNKNOWN")),
            Self::Cancelled => f.write_str("CANCELLED"),
        }
    }
}

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        write!(encoder, "{self}")
    }
}

/// The labels of one kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Labels {
    pub(crate) protocol: &'static str,
    pub(crate) method: Method,
    pub(crate) code: Code,
}
