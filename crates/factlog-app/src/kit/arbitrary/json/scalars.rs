//! Values that are no lists and no maps, and the bounds of those that are.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::Strategy;
use proptest::string::string_regex;
use serde_json::{Number, Value, json};

use super::{Json, Schema};

/// Any JSON that is no list and no map.
pub(super) fn anything() -> Json {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::String)
    ]
    .boxed()
}

pub(super) fn integer(schema: &Schema) -> Json {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let (mut low, mut high) = match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint" | "uint64" | "uint128" => (0, i128::from(u64::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    let limit = |word: &str| {
        let number = schema.get(word)?.as_number()?;
        number.as_i128().or_else(|| number.as_f64().map(|number| number as i128))
    };
    low = limit("minimum").map_or(low, |min| min.max(low));
    low = limit("exclusiveMinimum").map_or(low, |min| (min + 1).max(low));
    high = limit("maximum").map_or(high, |max| max.min(high)).max(low);
    high = limit("exclusiveMaximum").map_or(high, |max| (max - 1).min(high)).max(low);
    let small = 0_i128.clamp(low, high);
    let numbers = prop_oneof![
        6 => small..=(small + 3).min(high),
        1 => select(vec![low, high]),
        2 => low..=high,
    ];
    let json = |number: i128| match u64::try_from(number) {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(i64::try_from(number).unwrap_or(i64::MIN)),
    };
    numbers.prop_map(json).boxed()
}

pub(super) fn number(schema: &Schema) -> Json {
    let limit = |word: &str| schema.get(word).and_then(Value::as_f64);
    let low = limit("minimum").or(limit("exclusiveMinimum"));
    let high = limit("maximum").or(limit("exclusiveMaximum"));
    let numbers = match (low, high) {
        (Some(low), Some(high)) if low <= high => (low..=high).boxed(),
        (Some(low), _) => (low..=low + 1e6).boxed(),
        (_, Some(high)) => (high - 1e6..=high).boxed(),
        _ if schema.get("format") == Some(&json!("float")) => any::<f32>().prop_map(f64::from).boxed(),
        _ => prop_oneof![any::<f64>(), (-100..100_i32).prop_map(|n| f64::from(n) / 4.0)].boxed(),
    };
    numbers.prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)).boxed()
}

pub(super) fn string(schema: &Schema) -> Json {
    let text = match (schema.get("pattern"), schema.get("format").and_then(Value::as_str)) {
        (Some(Value::String(pattern)), _) => matching(pattern),
        (_, Some("uuid")) => {
            let few = select(vec![1_u128, 2, 3, 4]);
            let id = prop_oneof![2 => few, 1 => any::<u128>()];
            id.prop_map(|id| uuid::Uuid::from_u128(id).to_string()).boxed()
        }
        (_, Some("date")) => matching("(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"),
        (_, Some("date-time")) => date_time("Z"),
        (_, Some("partial-date-time")) => date_time(""),
        (_, Some("ipv4")) => any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")).boxed(),
        (_, Some("ipv6")) => {
            any::<u128>().prop_map(|ip| std::net::Ipv6Addr::from_bits(ip).to_string()).boxed()
        }
        _ => return sized_text(schema),
    };
    text.prop_map(Value::String).boxed()
}

fn date_time(zone: &str) -> BoxedStrategy<String> {
    let date = "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    matching(&format!("{date}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{{1,6}})?{zone}"))
}

/// Text of the length that is asked for, in characters.
fn sized_text(schema: &Schema) -> Json {
    let min = bound(schema, "minLength").unwrap_or(0);
    let max = bound(schema, "maxLength")
        .unwrap_or_else(|| min.saturating_add(8))
        .max(min)
        .min(min.saturating_add(8));
    if (min, max) == (0, 8) {
        return word().prop_map(Value::String).boxed();
    }
    let text = vec(any::<char>(), range(min, max)).prop_map(|all| Value::String(all.into_iter().collect()));
    text.boxed()
}

/// A short text, often one that comes again.
pub(super) fn word() -> BoxedStrategy<String> {
    prop_oneof![4 => matching("[a-c]{1,2}"), 1 => Just(String::new()), 2 => matching("\\PC{0,8}")].boxed()
}

pub(super) fn matching(pattern: &str) -> BoxedStrategy<String> {
    // An anchor says in a schema what is so here: the whole text matches.
    let whole = pattern.trim_start_matches('^').trim_end_matches('$');
    string_regex(whole).map_or_else(|_| Just(String::new()).boxed(), Strategy::boxed)
}

pub(super) fn bound(schema: &Schema, word: &str) -> Option<u64> {
    schema.get(word)?.as_u64()
}

pub(super) fn range(min: u64, max: u64) -> RangeInclusive<usize> {
    let size = |count| usize::try_from(count).unwrap_or(usize::MAX);
    size(min)..=size(max)
}
