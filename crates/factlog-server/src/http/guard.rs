//! Whose request is looked at: without authentication that of a program of this machine, and never that of a page of
//! another web site.
//!
//! * A browser can be led to this port under the name of a foreign site (DNS rebinding): such a request names that site
//!   as its host. Without authentication every request, gRPC as well, therefore must name a loopback address or
//!   `localhost`; with it, such a page has no key to show.
//! * A page of a foreign site can send some requests here without asking: such a request names its origin.
//!   So does one that embeds what is here, by `Sec-Fetch-Site`. Both are refused. No answer carries a CORS header, so that
//!   no page of another origin reads one.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use factlog_core::Error;

use super::problem::Problem;
use crate::answers::refuse;

/// Passes on what comes from this machine.
pub(crate) async fn guard(State(authenticated): State<bool>, request: Request, next: Next) -> Response {
    let host = if authenticated { Ok(()) } else { check_host(request.uri(), request.headers()) };
    let Err(why) = host.and_then(|()| check_origin(request.uri(), request.headers())) else {
        return next.run(request).await;
    };
    if is_grpc(request.headers()) {
        return refuse(Error::denied(why)).into_http::<axum::body::Body>();
    }
    Problem::denied(why).into_response()
}

/// Whether it is a call of gRPC, which understands its own refusals only.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|text| text.starts_with(b"application/grpc"))
}

pub(super) fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
    let mut named = false;
    let in_headers = headers.get_all(header::HOST).iter().map(text);
    let in_target = uri.authority().map(|authority| authority.as_str().to_owned());
    for host in in_headers.chain(in_target) {
        named = true;
        if !host.parse::<Authority>().is_ok_and(|authority| is_loopback(authority.host())) {
            return Err(format!(
                "the request is for the host {host:?}; there is no authentication, so only 127.0.0.1, [::1] and \
                 localhost are answered, lest a web site reaches this store through a browser"
            ));
        }
    }
    if !named {
        return Err("the request names no host; send a Host header with 127.0.0.1 or localhost".to_owned());
    }
    Ok(())
}

/// A page of this server's own may ask, and one of this machine.
pub(super) fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
    let host = headers.get(header::HOST).map(text).or_else(|| uri.authority().map(ToString::to_string));
    for origin in headers.get_all(header::ORIGIN).iter().map(text) {
        let of = origin.parse::<Uri>().ok();
        let of = of.as_ref().and_then(Uri::authority);
        if !of.is_some_and(|of| is_loopback(of.host()) || Some(of.as_str()) == host.as_deref()) {
            return Err(format!(
                "the request comes from a page of {origin:?}; pages of other web sites are not answered"
            ));
        }
    }
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err("the request comes from a page of another site; those are not answered".to_owned());
    }
    Ok(())
}

/// A header for people and for parsers that refuse what is no text.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))])
    }

    /// Would fail if a web site could reach the store through a browser of this machine.
    #[test]
    fn only_names_of_this_machine_are_answered() {
        let target = Uri::from_static("/v1/head");
        for host in ["127.0.0.1", "127.0.0.1:4270", "localhost:4270", "LOCALHOST", "[::1]:4270", "127.8.8.8"]
        {
            assert_eq!(check_host(&target, &with(header::HOST, host)), Ok(()), "{host}");
        }
        let foreign = ["evil.example", "evil.example:4270", "10.0.0.1", "127.0.0.1.evil.example", "", "a b"];
        for host in foreign.into_iter().chain(["127.0.0.1@evil.example", "localhost.evil.example", "0.0.0.0"])
        {
            assert!(check_host(&target, &with(header::HOST, host)).is_err(), "{host}");
        }
        assert!(check_host(&target, &HeaderMap::new()).is_err(), "no host");
        let named = Uri::from_static("http://evil.example/v1/head");
        assert!(check_host(&named, &with(header::HOST, "127.0.0.1")).is_err(), "the target names another");
    }

    #[test]
    fn pages_of_other_sites_are_not_answered() {
        let target = Uri::from_static("http://127.0.0.1:4270/v1/events");
        for origin in ["http://localhost:3000", "http://127.0.0.1:4270"] {
            assert_eq!(check_origin(&target, &with(header::ORIGIN, origin)), Ok(()), "{origin}");
        }
        for origin in ["https://evil.example", "null", "http://localhost.evil.example", ""] {
            assert!(check_origin(&target, &with(header::ORIGIN, origin)).is_err(), "{origin}");
        }
        for (site, passes) in [("cross-site", false), ("same-origin", true), ("none", true)] {
            let name = header::HeaderName::from_static("sec-fetch-site");
            assert_eq!(check_origin(&target, &with(name, site)).is_ok(), passes, "{site}");
        }
    }
}
