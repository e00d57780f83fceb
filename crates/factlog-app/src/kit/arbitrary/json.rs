//! From a JSON Schema to a strategy for the values it allows: as much of it as `schemars` writes for serde's types.
//!
//! What is not understood is passed over: then values are made that the schema does not allow, and the reader of them
//! throws those away.

mod scalars;
#[cfg(test)]
mod tests;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{BoxedStrategy, Just, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::{Strategy, Union};
use serde_json::{Map, Value};

use scalars::{anything, bound, integer, matching, number, range, string, word};

type Json = BoxedStrategy<Value>;
type Schema = Map<String, Value>;

/// How often a type is followed into itself.
const DEPTH_MAX: u32 = 2;
/// Items of a list or a map, where its schema does not ask for more.
const ITEMS: u64 = 3;

/// Values of the schema.
pub(super) fn of(schema: &Value) -> Json {
    Shape { root: schema, depth: 0 }.value(schema)
}

/// A part of a schema, as deep in itself as it is.
#[derive(Clone, Copy)]
struct Shape<'a> {
    root: &'a Value,
    depth: u32,
}

impl Shape<'_> {
    fn value(self, schema: &Value) -> Json {
        let Value::Object(schema) = schema else { return anything() };
        if let Some(Value::String(target)) = schema.get("$ref") {
            return self.reference(schema, target);
        }
        if let Some(value) = schema.get("const") {
            return Just(value.clone()).boxed();
        }
        if let Some(values) = list(schema, "enum") {
            return select(values.clone()).boxed();
        }
        if let Some(parts) = list(schema, "allOf") {
            let joined = parts.iter().fold(without(schema, "allOf"), |all, part| join(&all, part));
            return self.value(&Value::Object(joined));
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(parts) = list(schema, word) {
                let rest = without(schema, word);
                return self.one_of(parts.iter().map(|part| Value::Object(join(&rest, part))));
            }
        }
        match schema.get("type") {
            Some(Value::String(kind)) => self.kind(kind, schema),
            Some(Value::Array(kinds)) => {
                let typed = |kind: &Value| {
                    let mut one = schema.clone();
                    one.insert("type".to_owned(), kind.clone());
                    Value::Object(one)
                };
                self.one_of(kinds.iter().map(typed))
            }
            _ if schema.contains_key("properties") => self.object(schema),
            _ => anything(),
        }
    }

    fn kind(self, kind: &str, schema: &Schema) -> Json {
        match kind {
            "null" => Just(Value::Null).boxed(),
            "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
            "integer" => integer(schema),
            "number" => number(schema),
            "string" => string(schema),
            "array" => self.array(schema),
            "object" => self.object(schema),
            _ => anything(),
        }
    }

    /// Within itself a type is followed only so far; then there is nothing, which most types that are read refuse.
    fn reference(self, schema: &Schema, target: &str) -> Json {
        let target = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        match target {
            Some(target) if self.depth < DEPTH_MAX => {
                let joined = join(&without(schema, "$ref"), target);
                Self { depth: self.depth + 1, ..self }.value(&Value::Object(joined))
            }
            _ => Just(Value::Null).boxed(),
        }
    }

    /// One of these; as deep as may be, one that does not go deeper.
    fn one_of(self, schemas: impl Iterator<Item = Value>) -> Json {
        let schemas: Vec<Value> = schemas.collect();
        let shallow = |schema: &&Value| !schema.to_string().contains("\"$ref\"");
        let mut chosen: Vec<&Value> = schemas.iter().collect();
        if self.depth == DEPTH_MAX && schemas.iter().any(|schema| shallow(&schema)) {
            chosen.retain(shallow);
        }
        match chosen.is_empty() {
            true => Just(Value::Null).boxed(),
            false => Union::new(chosen.into_iter().map(|schema| self.value(schema))).boxed(),
        }
    }

    fn array(self, schema: &Schema) -> Json {
        let first: Vec<Json> =
            list(schema, "prefixItems").into_iter().flatten().map(|item| self.value(item)).collect();
        let count = first.len() as u64;
        let min = bound(schema, "minItems").unwrap_or(0).saturating_sub(count);
        let deepest = if self.depth == DEPTH_MAX { 0 } else { ITEMS };
        let usual = if schema.contains_key("items") { min.saturating_add(deepest) } else { min };
        let max = bound(schema, "maxItems").map_or(usual, |max| max.saturating_sub(count).clamp(min, usual));
        let rest = match schema.get("items") {
            Some(items) if 0 < max => vec(self.value(items), range(min, max)).boxed(),
            _ => Just(Vec::new()).boxed(),
        };
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let joined = (first, rest).prop_map(move |(mut items, rest)| {
            for item in rest {
                if !unique || !items.contains(&item) {
                    items.push(item);
                }
            }
            Value::Array(items)
        });
        joined.boxed()
    }

    fn object(self, schema: &Schema) -> Json {
        let required =
            |name: &str| list(schema, "required").is_some_and(|names| names.iter().any(|own| own == name));
        let no_properties = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&no_properties);
        let deepest = self.depth == DEPTH_MAX;
        let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
            .iter()
            .filter(|(name, _)| required(name) || !deepest)
            .map(|(name, of)| {
                let (name, always) = (name.clone(), required(name));
                let field = (self.value(of), prop_oneof![4 => Just(true), 1 => Just(always)]);
                field.prop_map(move |(value, there)| there.then(|| (name.clone(), value))).boxed()
            })
            .collect();
        let others = self.others(schema);
        let whole = (fields, others).prop_map(|(fields, others)| {
            let mut object: Map<String, Value> = others.into_iter().collect();
            object.extend(fields.into_iter().flatten());
            Value::Object(object)
        });
        whole.boxed()
    }

    /// The entries of a map.
    fn others(self, schema: &Schema) -> BoxedStrategy<Vec<(String, Value)>> {
        let (names, values) = match (schema.get("patternProperties"), schema.get("additionalProperties")) {
            (Some(Value::Object(patterns)), _) if !patterns.is_empty() => {
                let (pattern, of) = patterns.iter().next().expect("it is not empty");
                // Keys that are numbers: a schema does not say of which size.
                let numbers = ["^\\d+$", "^-?\\d+$"].contains(&pattern.as_str());
                (if numbers { matching("[1-9]?[0-9]") } else { matching(pattern) }, of)
            }
            (_, Some(of @ (Value::Object(_) | Value::Bool(true)))) => (word(), of),
            _ => return Just(Vec::new()).boxed(),
        };
        let max = if self.depth == DEPTH_MAX { 0 } else { ITEMS };
        btree_map(names, self.value(values), range(0, max)).prop_map(|map| map.into_iter().collect()).boxed()
    }
}

fn list<'a>(schema: &'a Schema, word: &str) -> Option<&'a Vec<Value>> {
    schema.get(word)?.as_array().filter(|list| !list.is_empty())
}

fn without(schema: &Schema, word: &str) -> Schema {
    schema
        .iter()
        .filter(|(name, _)| *name != word)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What both ask for: fields of both, and else what the second says.
fn join(one: &Schema, other: &Value) -> Schema {
    let mut joined = one.clone();
    let Value::Object(other) = other else { return joined };
    for (word, value) in other {
        match (joined.get_mut(word), value) {
            (Some(Value::Object(fields)), Value::Object(more)) if word == "properties" => {
                fields.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            (Some(Value::Array(names)), Value::Array(more)) if word == "required" => {
                names.extend(more.iter().cloned());
            }
            _ => drop(joined.insert(word.clone(), value.clone())),
        }
    }
    joined
}
