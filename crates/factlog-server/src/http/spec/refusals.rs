//! Refusals in the document: the schema of a problem, and what a status means, all from the table of errors.

use std::borrow::Cow;
use std::collections::BTreeMap;

use factlog_proto::TABLE;
use serde_json::json;
use utoipa::Number;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

/// Where HTTP has a status that says more than that of the table.
const FINER: [(u16, &str); 6] = [
    (404, "There is nothing of this name here."),
    (405, "The path does not take this method; `Allow` says which it takes."),
    (406, "None of the media types of `Accept` is offered."),
    (412, "What `If-Match` or `If-None-Match` asks for does not hold."),
    (413, "The body has more than `max_bytes`: 96 MiB of an append, 1 MiB about keys and grants."),
    (415, "The body is of a media type that is not taken, or compressed."),
];

/// What is refused before anything here sees it, and therefore without a body.
const BARE: [(u16, &str); 2] = [
    (414, "The path and its parameters have more than 64 KiB. There is no body."),
    (431, "The headers are too many or too large. There is no body."),
];

/// The name of what a status means, among the parts of the document.
fn name(status: u16) -> String {
    format!("Problem{status}")
}

/// What every status of a refusal means, as parts of the document.
pub(super) fn responses() -> BTreeMap<String, RefOr<Response>> {
    let mut meanings: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for row in &TABLE {
        meanings.entry(row.http).or_default().push(format!("{} {}: {}", row.code, row.reason, row.meaning));
    }
    for (status, meaning) in FINER {
        meanings.entry(status).or_default().push(meaning.to_owned());
    }
    let one = |(status, meanings): (u16, Vec<String>)| {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new()
            .description(meanings.join(" "))
            .content("application/problem+json", content);
        let response = match status {
            503 => response.header("Retry-After", seconds("When to ask again, in seconds")),
            _ => response,
        };
        (name(status), response.build().into())
    };
    let bare = |(status, meaning): (u16, &str)| {
        (name(status), ResponseBuilder::new().description(meaning).build().into())
    };
    meanings.into_iter().map(one).chain(BARE.map(bare)).collect()
}

fn seconds(about: &str) -> Header {
    let whole = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(Number::Int(0)));
    HeaderBuilder::new().schema(Some(whole)).description(Some(about)).build()
}

/// Problem details of RFC 9457.
pub(crate) enum Problem {}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |about: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(about));
        let number = |about: &str| ObjectBuilder::new().schema_type(Type::Integer).description(Some(about));
        let codes: Vec<_> = TABLE.iter().map(|row| row.code).collect();
        let reasons: Vec<_> = TABLE.iter().map(|row| row.reason).collect();
        let failed = ObjectBuilder::new().schema_type(Type::Object);
        let failed =
            failed.property("condition", number("Its place, counted from 0, that of the headers last"));
        let failed = failed.property("kind", text("`revision`, `none_match` or `tracking`")).required("kind");
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("Why a request was refused (RFC 9457); docs/errors.md has every code"))
            .property("type", text("`urn:factlog:error:` and the code").pattern(Some("^urn:factlog:error:F[0-9]{4}$")))
            .property("title", text("What the code means"))
            .property("status", number("The status of the answer"))
            .property("detail", text("What is wrong with this request"))
            .property("code", text("The stable code").enum_values(Some(codes)))
            .property("reason", text("The same as a word").enum_values(Some(reasons)))
            .property(
                "outcome",
                text("`definite`: it is certain that nothing was written")
                    .enum_values(Some(["definite", "indefinite"])),
            )
            .property("line", number("Where in the body"))
            .property("column", number("Where in the line"))
            .property("index", number("Which event of the list, counted from 0"))
            .property("parameter", text("Which parameter"))
            .property("header", text("Which header"))
            .property("max_bytes", number("The bound"))
            .property("failed", ArrayBuilder::new().items(failed).description(Some("Conditions that did not hold")))
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .examples([json!({
                "type": "urn:factlog:error:F0009", "title": "The request can never succeed as it stands.", "status": 400,
                "detail": "parameter `limit`: 0 is out of bounds; give 1 to 1000", "code": "F0009", "reason": "INVALID",
                "outcome": "definite", "parameter": "limit",
            })])
            .required("type")
            .required("title")
            .required("status")
            .required("detail")
            .required("code")
            .required("reason")
            .required("outcome")
            .build()
            .into()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }
}

macro_rules! refused {
    ($(#[$doc:meta])* $name:ident: $($status:literal)*) => {
        $(#[$doc])*
        pub(crate) enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let one = |status: u16| (status.to_string(), Ref::from_response_name(name(status)).into());
                [$($status),*].map(one).into()
            }
        }
    };
}

refused!(
    /// Of whatever needs a key.
    Asked: 400 401 403 414 431 500 503 504);
refused!(
    /// Of whatever needs none.
    Open: 403 414 431 500);
refused!(
    /// Of what needs a key and tells of troubles in words of its own.
    Seen: 400 401 403 414 431 500);
refused!(
    /// Of what is offered in several forms.
    Offered: 406);
refused!(
    /// Of what may not be there.
    Found: 404);
refused!(
    /// Of an append.
    Appended: 409 413 415);
refused!(
    /// Of a body about keys and grants.
    Told: 413 415);
refused!(
    /// Of conditions in headers.
    Matched: 412);
