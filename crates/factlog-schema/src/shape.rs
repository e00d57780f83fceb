//! A JSON Schema taken apart: the alternatives that a value may be one of, each of one kind.
//!
//! * References are followed, `allOf` and neighbours of a `$ref` or `oneOf` are joined, `enum` becomes constants.
//! * What is not understood is kept as it is, so that it can be compared and never be overlooked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

mod number;

pub(crate) use number::{Numbers, Whole};

/// One alternative of a schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) kind: Kind,
    /// Keywords that are not understood; they must stay as they were.
    pub(crate) opaque: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Any,
    Null,
    Bool,
    Whole(Whole),
    Number(Numbers),
    Text(Text),
    Const(Value),
    Array(Array),
    Object(Object),
}

/// Text, and what it is restricted to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub(crate) format: Option<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) first: Vec<Value>,
    pub(crate) rest: Value,
    /// Whether it is a set, which holds each item once.
    pub(crate) unique: bool,
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) fields: BTreeMap<String, Value>,
    pub(crate) required: BTreeSet<String>,
    pub(crate) others: Others,
}

/// What else may stand in an object than its fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Others {
    /// A struct: nothing else is written, and what else is there is passed over.
    Ignored,
    /// A struct that refuses unknown fields.
    Refused,
    /// A map: members of this shape, named by this pattern.
    Members { names: Option<String>, shape: Value },
}

/// Keywords that are dealt with, or say nothing about which values are read.
const UNDERSTOOD: [&str; 27] = [
    "type",
    "enum",
    "const",
    "format",
    "minimum",
    "maximum",
    "pattern",
    "minLength",
    "maxLength",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "$ref",
    "$defs",
    "definitions",
    "allOf",
    "anyOf",
    "oneOf",
    "default",
    "description",
    "title",
];

/// References and choices within each other that are followed; a schema beyond it cannot be judged.
const DEPTH_MAX: usize = 64;

/// The alternatives of a schema; `root` is where references lead.
pub(crate) fn alternatives(schema: &Value, root: &Value) -> Vec<Alternative> {
    within(schema, root, DEPTH_MAX)
}

fn within(schema: &Value, root: &Value, depth: usize) -> Vec<Alternative> {
    let Some(depth) = depth.checked_sub(1) else { return vec![opaque("$ref", schema)] };
    let Value::Object(members) = schema else {
        let nothing = schema == &Value::Bool(false);
        return if nothing { Vec::new() } else { vec![plain(Kind::Any)] };
    };
    let mut all = own(members);
    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
        all = match target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            Some(target) => join_all(&all, &within(target, root, depth)),
            None => vec![opaque("$ref", &Value::from(target))],
        };
    }
    for part in members.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        all = join_all(&all, &within(part, root, depth));
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = members.get(choice).and_then(Value::as_array) {
            let choices: Vec<Alternative> =
                choices.iter().flat_map(|choice| within(choice, root, depth)).collect();
            all = join_all(&all, &choices);
        }
    }
    for (name, value) in members.iter().filter(|(name, _)| !UNDERSTOOD.contains(&name.as_str())) {
        for alternative in &mut all {
            alternative.opaque.insert(name.clone(), value.clone());
        }
    }
    all
}

/// What the schema says by itself, without references and choices.
fn own(members: &Map<String, Value>) -> Vec<Alternative> {
    let kinds: Vec<Alternative> = types(members).iter().map(|name| plain(of_type(name, members))).collect();
    let constants: Vec<&Value> = match (members.get("const"), members.get("enum").and_then(Value::as_array)) {
        (Some(constant), _) => vec![constant],
        (None, Some(constants)) => constants.iter().collect(),
        (None, None) => return if kinds.is_empty() { vec![plain(Kind::Any)] } else { kinds },
    };
    let kind = |constant: &Value| match constant {
        Value::Null => Kind::Null,
        other => Kind::Const(other.clone()),
    };
    constants.into_iter().map(|constant| plain(kind(constant))).collect()
}

fn types(members: &Map<String, Value>) -> Vec<String> {
    match members.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ if ["properties", "required", "additionalProperties"]
            .iter()
            .any(|name| members.contains_key(*name)) =>
        {
            vec!["object".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn of_type(name: &str, members: &Map<String, Value>) -> Kind {
    let count = |name: &str| members.get(name).and_then(Value::as_u64);
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |name: &str| members.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    match name {
        "null" => Kind::Null,
        "boolean" => Kind::Bool,
        "integer" => Kind::Whole(Whole::of(members)),
        "number" => Kind::Number(Numbers::of(members)),
        "string" => Kind::Text(Text {
            format: text("format"),
            pattern: text("pattern"),
            min: count("minLength").unwrap_or(0),
            max: count("maxLength"),
        }),
        "array" => Kind::Array(Array {
            first: list("prefixItems"),
            rest: members.get("items").cloned().unwrap_or(Value::Bool(true)),
            unique: members.get("uniqueItems") == Some(&Value::Bool(true)),
            min: count("minItems").unwrap_or(0),
            max: count("maxItems"),
        }),
        "object" => Kind::Object(Object {
            fields: members
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, field)| (name.clone(), field.clone()))
                .collect(),
            required: list("required").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            others: others(members),
        }),
        _ => Kind::Any,
    }
}

fn others(members: &Map<String, Value>) -> Others {
    if let Some((names, shape)) =
        members.get("patternProperties").and_then(Value::as_object).and_then(|named| named.iter().next())
    {
        return Others::Members { names: Some(names.clone()), shape: shape.clone() };
    }
    match members.get("additionalProperties") {
        None => Others::Ignored,
        Some(Value::Bool(false)) => Others::Refused,
        Some(shape) => Others::Members { names: None, shape: shape.clone() },
    }
}

/// Every pair that a value can be both of.
fn join_all(left: &[Alternative], right: &[Alternative]) -> Vec<Alternative> {
    left.iter().flat_map(|left| right.iter().filter_map(move |right| join(left, right))).collect()
}

fn join(left: &Alternative, right: &Alternative) -> Option<Alternative> {
    let mut opaque = left.opaque.clone();
    opaque.extend(right.opaque.clone());
    let kind = match (&left.kind, &right.kind) {
        (Kind::Any, other) | (other, Kind::Any) => other.clone(),
        (Kind::Object(left), Kind::Object(right)) => Kind::Object(both(left, right)),
        (Kind::Whole(left), Kind::Whole(right)) => Kind::Whole(left.and(right)),
        (Kind::Whole(whole), Kind::Number(_)) | (Kind::Number(_), Kind::Whole(whole)) => Kind::Whole(*whole),
        (Kind::Const(constant), other) | (other, Kind::Const(constant)) if is_of(constant, other) => {
            Kind::Const(constant.clone())
        }
        (left, right) if left == right => left.clone(),
        (left, right) if std::mem::discriminant(left) == std::mem::discriminant(right) => {
            // Two restrictions of one kind: both are kept, the second one only to be compared.
            opaque.insert("allOf".to_owned(), Value::from(format!("{right:?}")));
            left.clone()
        }
        _ => return None,
    };
    Some(Alternative { kind, opaque })
}

fn both(left: &Object, right: &Object) -> Object {
    let mut fields = left.fields.clone();
    for (name, field) in &right.fields {
        let joined = match fields.get(name) {
            Some(other) if other != field => serde_json::json!({ "allOf": [other, field] }),
            _ => field.clone(),
        };
        fields.insert(name.clone(), joined);
    }
    let others = match (&left.others, &right.others) {
        (Others::Ignored, other) | (other, Others::Ignored) => other.clone(),
        (Others::Refused, _) | (_, Others::Refused) => Others::Refused,
        (members @ Others::Members { .. }, Others::Members { .. }) => members.clone(),
    };
    Object { fields, required: left.required.union(&right.required).cloned().collect(), others }
}

/// Whether a constant is of a kind, restrictions aside.
pub(crate) fn is_of(constant: &Value, kind: &Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Null => constant.is_null(),
        Kind::Bool => constant.is_boolean(),
        Kind::Whole(_) => constant.is_i64() || constant.is_u64(),
        Kind::Number(_) => constant.is_number(),
        Kind::Text(_) => constant.is_string(),
        Kind::Array(_) => constant.is_array(),
        Kind::Object(_) => constant.is_object(),
        Kind::Const(other) => constant == other,
    }
}

fn plain(kind: Kind) -> Alternative {
    Alternative { kind, opaque: BTreeMap::new() }
}

fn opaque(name: &str, value: &Value) -> Alternative {
    Alternative { kind: Kind::Any, opaque: [(name.to_owned(), value.clone())].into() }
}
