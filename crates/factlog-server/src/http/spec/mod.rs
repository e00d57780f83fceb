//! The OpenAPI document: what every route takes and answers, made from the routes themselves.
//!
//! * [`Table`] is the only way to a route, and describes what it serves: no route can be left out.
//! * Bounds come from `factlog_core::limits`, refusals from the table of errors.
//! * `docs/openapi.json` is a copy that is compared by a test, and written anew by it with `FACTLOG_UPDATE=1`.

pub(crate) mod bodies;
pub(crate) mod names;
pub(crate) mod params;
pub(crate) mod refusals;

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, SecurityRequirement, Server, Tag,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::Api;
use super::append::json_type;

/// The name of the way to show a key.
const KEY: &str = "key";

const ABOUT: &str = "An event store over HTTP and JSON: append, read and follow. docs/http.md tells it in words. Every refusal is a \
    problem of RFC 9457 with a stable code; `outcome` says whether it is certain that nothing was written.";

/// Routes with their descriptions.
pub(crate) struct Table(Router<Api>, OpenApi);

impl Table {
    pub(super) fn new() -> Self {
        Self(Router::new(), about())
    }

    /// Adds a path: handlers and what `utoipa::path` says about them, as `routes!` collects them.
    pub(super) fn with(self, path: UtoipaMethodRouter<Api>) -> Self {
        let (router, document) = OpenApiRouter::with_openapi(self.1).routes(path).split_for_parts();
        Self(self.0.merge(router), document)
    }

    pub(super) fn router(self) -> Router<Api> {
        self.0
    }

    fn document(self) -> OpenApi {
        self.1
    }
}

/// The document without its routes.
fn about() -> OpenApi {
    let info = InfoBuilder::new()
        .title("factlog")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key: `Authorization: Bearer KEY`"))
        .build();
    let mut components = ComponentsBuilder::new()
        .schema_from::<refusals::Problem>()
        .security_scheme(KEY, SecurityScheme::Http(bearer))
        .build();
    components.responses = refusals::responses();
    let tag = |(name, about): (&str, &str)| {
        let mut tag = Tag::new(name);
        tag.description = Some(about.to_owned());
        tag
    };
    let tags = [
        ("append", "Facts go in, all of a request or none"),
        ("read", "Pages, each from one snapshot"),
        ("follow", "Events as they come"),
        ("access", "Keys, and what principals may do"),
        ("about", "What there is, and whether the server is well"),
    ];
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>(KEY, [])]))
        .tags(Some(tags.map(tag)))
        .components(Some(components))
        .build()
}

/// The document as text, the same bytes every time.
pub(crate) fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let text = super::table().document().to_pretty_json();
        text.expect("a document of strings and numbers can be written") + "\n"
    });
    &TEXT
}

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "openapi", tag = "about", responses(
    (status = 200, description = "An OpenAPI 3.1 document", body = Object, content_type = "application/json"),
    refusals::Asked,
))]
pub(crate) async fn openapi() -> Response {
    (json_type(), text()).into_response()
}
