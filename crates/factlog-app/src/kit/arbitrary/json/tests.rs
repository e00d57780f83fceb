//! Values of schemas as they are written by hand, held against what they ask for.

use factlog_core::Timestamp;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use serde_json::{Number, json};

use super::*;

/// Two hundred values of the schema, the same each time.
#[expect(clippy::needless_pass_by_value, reason = "a test reads best with the schema in place")]
fn values(schema: Value) -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let strategy = of(&schema);
    (0..200).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

#[test]
fn numbers_stay_within_their_bounds_and_reach_them() {
    for (schema, low, high) in [
        (json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 }), 0, 255),
        (json!({ "type": "integer", "format": "uint64", "minimum": 0 }), 0, i128::from(u64::MAX)),
        (json!({ "type": "integer", "format": "int64" }), i128::from(i64::MIN), i128::from(i64::MAX)),
        (json!({ "type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 2 }), -2, 1),
        (json!({ "type": "integer", "minimum": 7, "maximum": 7 }), 7, 7),
    ] {
        let numbers: Vec<i128> = values(schema)
            .iter()
            .map(|value| value.as_number().and_then(Number::as_i128).expect("whole"))
            .collect();
        assert_eq!((numbers.iter().min(), numbers.iter().max()), (Some(&low), Some(&high)));
    }
    let shares = values(json!({ "type": "number", "minimum": 0.5, "maximum": 1.0 }));
    assert!(shares.iter().all(|share| (0.5..=1.0).contains(&share.as_f64().expect("a number"))));
}

#[test]
fn texts_are_of_their_format_pattern_and_length() {
    let texts = |schema| values(schema).into_iter().map(|value| value.as_str().expect("a text").to_owned());
    assert!(
        texts(json!({ "type": "string", "format": "uuid" })).all(|text| uuid::Uuid::parse_str(&text).is_ok())
    );
    assert!(
        texts(json!({ "type": "string", "format": "date-time" }))
            .all(|text| text.parse::<Timestamp>().is_ok())
    );
    assert!(
        texts(json!({ "type": "string", "format": "ipv6" }))
            .all(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
    );
    let plates = texts(json!({ "type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,3}$" }));
    assert!(
        plates.into_iter().all(|plate| plate.is_ascii() && plate[2..].starts_with('-') && plate.len() <= 6)
    );
    for (min, max) in [(1, 1), (3, 5), (2, 1_000)] {
        let sized = texts(json!({ "type": "string", "minLength": min, "maxLength": max }));
        assert!(sized.into_iter().all(|text| (min..=max).contains(&text.chars().count())), "{min} to {max}");
    }
}

#[test]
fn lists_have_the_size_that_is_asked_for_and_sets_have_each_item_once() {
    let four =
        values(json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 4, "maxItems": 4 }));
    assert!(four.iter().all(|list| list.as_array().is_some_and(|list| list.len() == 4)));
    let pair = json!({ "type": "array", "prefixItems": [{ "type": "null" }, { "const": 1 }], "minItems": 2, "maxItems": 2 });
    assert!(values(pair).iter().all(|pair| *pair == json!([null, 1])));
    let sets = values(json!({ "type": "array", "items": { "type": "boolean" }, "uniqueItems": true }));
    assert!(
        sets.iter().all(|set| set
            .as_array()
            .is_some_and(|set| set.len() < 2 || (set.len() == 2 && set[0] != set[1])))
    );
}

/// A type within itself must come to an end.
#[test]
fn a_type_within_itself_comes_to_an_end() {
    let tree = json!({
        "$ref": "#/$defs/Tree",
        "$defs": { "Tree": {
            "type": "object",
            "properties": { "branches": { "type": "array", "items": { "$ref": "#/$defs/Tree" } } },
            "required": ["branches"],
        } },
    });
    let depth = |value: &Value| value.to_string().matches('[').count();
    let trees = values(tree);
    assert!(trees.iter().any(|tree| 2 < depth(tree)) && trees.iter().all(|tree| depth(tree) < 20));
}
