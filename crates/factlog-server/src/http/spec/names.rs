//! Schemas of names and numbers, with the bounds of the contract: each is said once and stands wherever it is used.
//!
//! They are types without values. A bound counts bytes of UTF-8; a schema can only say it in characters, of which there are never more.

use std::borrow::Cow;

use factlog_core::limits;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{Number, PartialSchema, ToSchema};

use crate::http::params::LIMIT_MAX;

macro_rules! schema {
    ($name:ident, $about:expr, $build:expr) => {
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let build: fn(ObjectBuilder) -> ObjectBuilder = $build;
                build(ObjectBuilder::new().description(Some($about))).build().into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

/// A text of so many bytes.
fn text(object: ObjectBuilder, most: usize) -> ObjectBuilder {
    object.schema_type(Type::String).min_length(Some(1)).max_length(Some(most))
}

/// A number from `least` on. Positions and revisions have 64 bits.
fn number(object: ObjectBuilder, least: usize) -> ObjectBuilder {
    let format = SchemaFormat::Custom("uint64".to_owned());
    let object = object.schema_type(Type::Integer).format(Some(format));
    object.minimum(Some(Number::UInt(least))).maximum(Some(Number::UInt(usize::MAX)))
}

schema!(EventType, "The name of a fact in the past tense, 1 to 255 bytes of UTF-8", |object| {
    text(object, limits::EVENT_TYPE_BYTES_MAX).examples(["account.opened"])
});
schema!(Tag, "A label, by habit `key:value`, 1 to 255 bytes of UTF-8", |object| {
    text(object, limits::TAG_BYTES_MAX).examples(["account:1"])
});
schema!(StreamId, "The name of a stream, 1 to 512 bytes of UTF-8", |object| {
    text(object, limits::STREAM_ID_BYTES_MAX).examples(["account-1"])
});
schema!(Category, "What stands before the first `-` of a stream's name", |object| {
    text(object, limits::STREAM_ID_BYTES_MAX).examples(["account"])
});
schema!(TrackingSource, "The name of another log, 1 to 255 bytes of UTF-8", |object| {
    text(object, limits::TRACKING_SOURCE_BYTES_MAX).examples(["shop"])
});
schema!(MediaType, "The media type of the data", |object| {
    text(object, limits::CONTENT_TYPE_BYTES_MAX).examples(["application/json"])
});
schema!(EventId, "A UUID; the same one is written once, for ever", |object| {
    object.schema_type(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())))
});
schema!(Base64, "Bytes in base64 (RFC 4648, with padding)", |object| {
    object.schema_type(Type::String).content_encoding("base64")
});
schema!(Time, "RFC 3339, in UTC", |object| {
    object.schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
});
schema!(PrincipalName, "Whoever has grants: 1 to 255 bytes of UTF-8 without white space", |object| {
    text(object, 255).examples(["orders"])
});
schema!(
    Grant,
    "Actions, then what they speak of: `read,append stream:orders- tag:a type:b`, or `admin`",
    |object| { object.schema_type(Type::String).examples(["read,append stream:orders-"]) }
);
schema!(Position, "A place in the one order of all events; the first is 1", |object| number(object, 1));
schema!(After, "The position after which something begins; 0 is the beginning", |object| number(object, 0));
schema!(Revision, "A place in a stream; the first is 0", |object| number(object, 0));
schema!(Limit, "How many at most", |object| {
    let most = usize::try_from(LIMIT_MAX).expect("a thousand");
    object
        .schema_type(Type::Integer)
        .minimum(Some(Number::Int(1)))
        .maximum(Some(Number::UInt(most)))
        .default(Some(crate::http::params::LIMIT.into()))
});
