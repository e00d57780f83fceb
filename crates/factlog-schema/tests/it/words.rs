//! What is said of each change of a shape: the field, and what is wrong with it.

use factlog_schema::{Event, Lock, Shape, compare};
use serde_json::{Value, json};

fn lock(schema: &Value) -> Lock {
    Lock::new([Event::new("thing.happened", 1, Shape::same(schema))]).unwrap()
}

/// The verdict and what stands against it, either way.
fn said(old: &Value, new: &Value) -> String {
    let comparison = compare(&lock(old), &lock(new));
    let change = &comparison.events[0];
    let lines = |who: &str, problems: &[factlog_schema::Problem]| -> String {
        problems.iter().map(|problem| format!("\n  {who}: {problem}")).collect()
    };
    format!(
        "{}{}{}",
        change.verdict(),
        lines("backward", &change.backward),
        lines("forward", &change.forward)
    )
}

#[expect(clippy::needless_pass_by_value, reason = "cases read best with values made where they are used")]
fn object(fields: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": fields, "required": required })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn whole(format: &str) -> Value {
    json!({ "type": "integer", "format": format })
}

/// Each in its own words, with the way to the field; a person decides by them whether to deploy.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_change_is_told_with_its_field() {
    let variant = |tag: &str, fields: Value| {
        let mut fields = fields;
        fields["type"] = json!({ "const": tag });
        object(fields, &["type", "number"])
    };
    let outside = |name: &str, of: Value| json!({ "type": "object", "properties": { name: of }, "required": [name], "additionalProperties": false });
    let address = |fields: Value, required: &[&str]| {
        object(json!({ "address": object(fields, required) }), &["address"])
    };
    let list = |of: Value| object(json!({ "lines": { "type": "array", "items": of } }), &["lines"]);
    let closed =
        |fields: Value| json!({ "type": "object", "properties": fields, "additionalProperties": false });
    let cases = [
        (
            "a field more, with a default",
            object(json!({}), &[]),
            object(json!({ "zip": text() }), &[]),
            "full",
        ),
        (
            "a field more, required",
            address(json!({}), &[]),
            address(json!({ "zip": text() }), &["zip"]),
            "forward\n  backward: address.zip: required field added without default",
        ),
        (
            "a field less that was required",
            object(json!({ "zip": text() }), &["zip"]),
            object(json!({}), &[]),
            "backward\n  forward: zip: field removed that older programs require",
        ),
        (
            "a field less where unknown ones are refused",
            closed(json!({ "zip": text() })),
            closed(json!({})),
            "forward\n  backward: zip: field removed, and unknown fields are refused",
        ),
        (
            "optional became required",
            object(json!({ "zip": text() }), &[]),
            object(json!({ "zip": text() }), &["zip"]),
            "forward\n  backward: zip: it was optional or had a default, and is required now",
        ),
        (
            "another type",
            list(object(json!({ "price": whole("int64") }), &["price"])),
            list(object(json!({ "price": text() }), &["price"])),
            "breaking\n  backward: lines[].price: int64 became text\n  forward: lines[].price: int64 became text",
        ),
        (
            "a wider number",
            object(json!({ "n": whole("uint32") }), &["n"]),
            object(json!({ "n": whole("uint64") }), &["n"]),
            "backward\n  forward: n: uint32 became uint64",
        ),
        (
            "a narrower number",
            object(json!({ "n": whole("uint64") }), &["n"]),
            object(json!({ "n": whole("uint32") }), &["n"]),
            "forward\n  backward: n: uint64 became uint32",
        ),
        (
            "a whole number as a fraction",
            object(json!({ "n": whole("int64") }), &["n"]),
            object(json!({ "n": { "type": "number", "format": "double" } }), &["n"]),
            "breaking\n  backward: n: int64 became double: a whole number may be larger than a fraction holds exactly\n  forward: n: int64 became double",
        ),
        (
            "an option",
            object(json!({ "n": whole("uint8") }), &["n"]),
            object(json!({ "n": { "type": ["integer", "null"], "format": "uint8" } }), &["n"]),
            "backward\n  forward: n: it may be null now, which older programs refuse",
        ),
        (
            "an option less",
            object(json!({ "n": { "anyOf": [text(), { "type": "null" }] } }), &[]),
            object(json!({ "n": text() }), &[]),
            "forward\n  backward: n: null is no longer accepted",
        ),
        (
            "a reference that leads nowhere",
            object(json!({ "n": { "$ref": "#/$defs/N" } }), &[]),
            object(json!({ "n": text() }), &[]),
            "breaking\n  backward: n: any value became text\n  forward: n: `$ref` changed, which cannot be judged; give the new shape a version of its own",
        ),
        (
            "a word more",
            object(json!({ "kind": { "type": "string", "enum": ["a"] } }), &["kind"]),
            object(
                json!({ "kind": { "oneOf": [{ "const": "a", "description": "A." }, { "const": "b" }] } }),
                &["kind"],
            ),
            "backward\n  forward: kind: variant `b` added, which older programs do not know",
        ),
        (
            "a variant less, by its member",
            object(
                json!({ "paid": { "oneOf": [outside("card", text()), outside("cash", text())] } }),
                &["paid"],
            ),
            object(json!({ "paid": { "oneOf": [outside("card", text())] } }), &["paid"]),
            "forward\n  backward: paid: variant `cash` removed",
        ),
        (
            "a field within a variant, by its tag",
            object(
                json!({ "paid": { "oneOf": [variant("card", json!({ "number": text() })), variant("iban", json!({ "number": text() }))] } }),
                &["paid"],
            ),
            object(
                json!({ "paid": { "oneOf": [variant("card", json!({ "number": whole("uint64") })), variant("iban", json!({ "number": text() }))] } }),
                &["paid"],
            ),
            "breaking\n  backward: paid(card).number: text became uint64\n  forward: paid(card).number: text became uint64",
        ),
        (
            "a map's members",
            json!({ "type": "object", "additionalProperties": whole("uint8") }),
            json!({ "type": "object", "additionalProperties": text() }),
            "breaking\n  backward: *: uint8 became text\n  forward: *: uint8 became text",
        ),
        (
            "a tuple's length",
            json!({ "type": "array", "prefixItems": [text()], "minItems": 1, "maxItems": 1 }),
            json!({ "type": "array", "prefixItems": [text(), text()], "minItems": 2, "maxItems": 2 }),
            "breaking\n  backward: a list of 1 became a list of 2\n  forward: a list of 1 became a list of 2",
        ),
        (
            "the form of a text",
            text(),
            json!({ "type": "string", "format": "date" }),
            "forward\n  backward: text became text in the form of a date",
        ),
        (
            "a keyword that is not understood",
            json!({ "type": "integer", "multipleOf": 2 }),
            json!({ "type": "integer", "multipleOf": 3 }),
            "breaking\n  backward: `multipleOf` changed, which cannot be judged; give the new shape a version of its own\n  forward: `multipleOf` changed, which cannot be judged; give the new shape a version of its own",
        ),
    ];
    for (what, old, new, expected) in cases {
        assert_eq!(said(&old, &new), expected, "{what}");
    }
}

/// A list of itself must end, and a change deep inside must be seen.
#[test]
fn a_type_that_contains_itself_is_followed_once() {
    let tree = |leaf: Value| {
        json!({
            "$ref": "#/$defs/Tree",
            "$defs": { "Tree": object(json!({ "leaf": leaf, "branches": { "type": "array", "items": { "$ref": "#/$defs/Tree" } } }), &["leaf"]) },
        })
    };
    assert_eq!(
        said(&tree(text()), &tree(json!({ "type": ["string", "null"] }))),
        "backward\n  forward: branches[].leaf: it may be null now, which older programs refuse\n  forward: leaf: it may be null now, which older programs refuse"
    );
    let endless = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } });
    assert!(said(&endless, &text()).starts_with("breaking"));
}
