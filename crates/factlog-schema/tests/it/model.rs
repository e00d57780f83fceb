//! Rust types as serde sees them: their JSON Schema as `schemars` writes it, values, and whether serde would read one.
//!
//! The oracle of the property tests. That it is like the real serde is tested in `factlog-app`, with real structs.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Bool,
    Text,
    U8,
    U32,
    I32,
    U64,
    F64,
    F32,
    Anything,
    Option(Box<Type>),
    List(Box<Type>),
    Set(Box<Type>),
    Pair(Box<Type>, Box<Type>),
    Map(Box<Type>),
    Struct(Vec<Field>, bool),
    Words(Vec<&'static str>),
    Outside(Vec<(&'static str, Type)>),
    Inside(Vec<(&'static str, Vec<Field>)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) of: Type,
    pub(crate) default: bool,
}

pub(crate) const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Type {
    /// As `schemars` writes it for reading.
    pub(crate) fn schema(&self) -> Value {
        let whole = |format: &str, min: Option<i64>, max: Option<i64>| {
            let mut schema = json!({ "type": "integer", "format": format });
            for (limit, value) in [("minimum", min), ("maximum", max)] {
                if let Some(value) = value {
                    schema[limit] = json!(value);
                }
            }
            schema
        };
        match self {
            Self::Bool => json!({ "type": "boolean" }),
            Self::Text => json!({ "type": "string" }),
            Self::U8 => whole("uint8", Some(0), Some(255)),
            Self::U32 => whole("uint32", Some(0), None),
            Self::I32 => whole("int32", None, None),
            Self::U64 => whole("uint64", Some(0), None),
            Self::F64 => json!({ "type": "number", "format": "double" }),
            Self::F32 => json!({ "type": "number", "format": "float" }),
            Self::Anything => json!(true),
            Self::Option(of) => json!({ "anyOf": [of.schema(), { "type": "null" }] }),
            Self::List(of) => json!({ "type": "array", "items": of.schema() }),
            Self::Set(of) => json!({ "type": "array", "items": of.schema(), "uniqueItems": true }),
            Self::Pair(left, right) => json!({
                "type": "array", "prefixItems": [left.schema(), right.schema()], "minItems": 2, "maxItems": 2,
            }),
            Self::Map(of) => json!({ "type": "object", "additionalProperties": of.schema() }),
            Self::Struct(fields, closed) => {
                let mut schema = object(fields);
                if *closed {
                    schema["additionalProperties"] = json!(false);
                }
                schema
            }
            Self::Words(words) => json!({ "type": "string", "enum": words }),
            Self::Outside(variants) => {
                let variants: Vec<Value> = variants
                    .iter()
                    .map(|(name, of)| {
                        json!({
                            "type": "object", "properties": { *name: of.schema() },
                            "required": [name], "additionalProperties": false,
                        })
                    })
                    .collect();
                json!({ "oneOf": variants })
            }
            Self::Inside(variants) => {
                let variants: Vec<Value> = variants
                    .iter()
                    .map(|(name, fields)| {
                        let mut schema = object(fields);
                        schema["properties"]["type"] = json!({ "type": "string", "const": name });
                        schema["required"].as_array_mut().unwrap().push(json!("type"));
                        schema
                    })
                    .collect();
                json!({ "oneOf": variants })
            }
        }
    }

    /// Whether serde reads it, and what it keeps is what was written.
    pub(crate) fn reads(&self, value: &Value) -> bool {
        let up_to = |max: u64| value.as_u64().is_some_and(|number| number <= max);
        match self {
            Self::Bool => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::U8 => up_to(255),
            Self::U32 => up_to(u64::from(u32::MAX)),
            Self::I32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Self::U64 => value.is_u64(),
            Self::F64 => kept(value, |number| number),
            Self::F32 => kept(value, |number| f64::from(number as f32)),
            Self::Anything => true,
            Self::Option(of) => value.is_null() || of.reads(value),
            Self::List(of) => value.as_array().is_some_and(|items| items.iter().all(|item| of.reads(item))),
            Self::Set(of) => value.as_array().is_some_and(|items| {
                let once = items.iter().enumerate().all(|(index, item)| !items[..index].contains(item));
                once && items.iter().all(|item| of.reads(item))
            }),
            Self::Pair(left, right) => match value.as_array().map(Vec::as_slice) {
                Some([first, second]) => left.reads(first) && right.reads(second),
                _ => false,
            },
            Self::Map(of) => {
                value.as_object().is_some_and(|members| members.values().all(|member| of.reads(member)))
            }
            Self::Struct(fields, closed) => {
                value.as_object().is_some_and(|members| reads_all(fields, members, *closed))
            }
            Self::Words(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Outside(variants) => value.as_object().is_some_and(|members| match members.iter().next() {
                Some((name, member)) if members.len() == 1 => {
                    variants.iter().any(|(variant, of)| variant == name && of.reads(member))
                }
                _ => false,
            }),
            Self::Inside(variants) => value.as_object().is_some_and(|members| {
                let of = variants.iter().find(|(variant, _)| members.get("type") == Some(&json!(variant)));
                of.is_some_and(|(_, fields)| reads_all(fields, members, false))
            }),
        }
    }

    /// Values that may be stored of it: what is optional may be missing, as an older program left it.
    pub(crate) fn values(&self) -> BoxedStrategy<Value> {
        match self {
            Self::Bool => any::<bool>().prop_map(Value::from).boxed(),
            Self::Text => prop_oneof!["[abcd]{0,2}", Just(String::new())].prop_map(Value::from).boxed(),
            Self::U8 => prop_oneof![any::<u8>(), Just(u8::MAX)].prop_map(Value::from).boxed(),
            Self::U32 => prop_oneof![0..300u32, Just(u32::MAX)].prop_map(Value::from).boxed(),
            Self::I32 => {
                prop_oneof![-3..300i32, Just(i32::MIN), Just(i32::MAX)].prop_map(Value::from).boxed()
            }
            Self::U64 => prop_oneof![0..300u64, Just(u64::MAX)].prop_map(Value::from).boxed(),
            Self::F64 => prop_oneof![Just(0.1), Just(1e300), Just(2.0)].prop_map(Value::from).boxed(),
            Self::F32 => prop_oneof![Just(0.5f32), Just(0.1f32)].prop_map(|number| json!(number)).boxed(),
            Self::Anything => prop_oneof![
                Just(json!(null)),
                Just(json!({ "a": [] })),
                Just(json!([1])),
                Just(json!(-0.5)),
                Just(json!("x"))
            ]
            .boxed(),
            Self::Option(of) => prop_oneof![of.values(), Just(Value::Null)].boxed(),
            Self::List(of) => prop::collection::vec(of.values(), 0..3).prop_map(Value::from).boxed(),
            Self::Set(of) => prop::collection::vec(of.values(), 0..3)
                .prop_map(|mut items| {
                    items.dedup();
                    Value::from(items)
                })
                .boxed(),
            Self::Pair(left, right) => {
                (left.values(), right.values()).prop_map(|(left, right)| json!([left, right])).boxed()
            }
            Self::Map(of) => prop::collection::btree_map(
                prop::sample::select(&["a", "b", "c", "x"][..]),
                of.values(),
                0..3,
            )
            .prop_map(|members| json!(members))
            .boxed(),
            Self::Struct(fields, _) => members(fields).prop_map(Value::Object).boxed(),
            Self::Words(words) => prop::sample::select(words.clone()).prop_map(Value::from).boxed(),
            Self::Outside(variants) => {
                let variants = variants.iter().map(|(name, of)| {
                    let name = *name;
                    of.values().prop_map(move |value| json!({ name: value })).boxed()
                });
                prop::strategy::Union::new(variants).boxed()
            }
            Self::Inside(variants) => {
                let variants = variants.iter().map(|(name, fields)| {
                    let name = *name;
                    members(fields)
                        .prop_map(move |mut members| {
                            members.insert("type".to_owned(), json!(name));
                            Value::Object(members)
                        })
                        .boxed()
                });
                prop::strategy::Union::new(variants).boxed()
            }
        }
    }
}

impl Field {
    fn required(&self) -> bool {
        !self.default && !matches!(self.of, Type::Option(_))
    }
}

fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field.of.schema())).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required()).map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn reads_all(fields: &[Field], members: &Map<String, Value>, closed: bool) -> bool {
    let all = fields.iter().all(|field| match members.get(field.name) {
        Some(member) => field.of.reads(member),
        None => !field.required(),
    });
    all && (!closed || members.keys().all(|name| fields.iter().any(|field| field.name == name)))
}

fn members(fields: &[Field]) -> BoxedStrategy<Map<String, Value>> {
    let mut all = Just(Map::new()).boxed();
    for field in fields.iter().cloned() {
        let present = if field.required() { Just(true).boxed() } else { any::<bool>().boxed() };
        all = (all, present, field.of.values())
            .prop_map(move |(mut members, present, value)| {
                if present {
                    members.insert(field.name.to_owned(), value);
                }
                members
            })
            .boxed();
    }
    all
}

fn kept(value: &Value, read: fn(f64) -> f64) -> bool {
    let exact = match (value.as_u64(), value.as_i64()) {
        (Some(number), _) => {
            number as f64 as u128 == u128::from(number) && read(number as f64) == number as f64
        }
        (None, Some(number)) => {
            number as f64 as i128 == i128::from(number) && read(number as f64) == number as f64
        }
        (None, None) => value.as_f64().is_some_and(|number| read(number) == number),
    };
    value.is_number() && exact
}

fn fields(of: impl Strategy<Value = Type> + Clone + 'static) -> impl Strategy<Value = Vec<Field>> + Clone {
    let field = move |name: &'static str| {
        prop::option::of((of.clone(), any::<bool>()).prop_map(move |(of, default)| Field {
            name,
            of,
            default,
        }))
    };
    (field(NAMES[0]), field(NAMES[1]), field(NAMES[2]))
        .prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect::<Vec<Field>>())
        .boxed()
}

/// Types, nested a little.
pub(crate) fn types() -> impl Strategy<Value = Type> {
    let leaf = prop::sample::select(vec![
        Type::Bool,
        Type::Text,
        Type::U8,
        Type::U32,
        Type::I32,
        Type::U64,
        Type::F64,
        Type::F32,
        Type::Anything,
        Type::Words(vec!["a"]),
        Type::Words(vec!["a", "b"]),
        Type::Words(vec!["b", "c"]),
    ]);
    leaf.prop_recursive(2, 12, 3, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            inner
                .clone()
                .prop_filter("an option of an option is one", |of| !matches!(
                    of,
                    Type::Option(_) | Type::Anything
                ))
                .prop_map(|of| Type::Option(Box::new(of))),
            inner.clone().prop_map(|of| Type::List(Box::new(of))),
            inner.clone().prop_map(|of| Type::Set(Box::new(of))),
            inner.clone().prop_map(|of| Type::Map(Box::new(of))),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| Type::Pair(Box::new(left), Box::new(right))),
            (fields(inner.clone()), any::<bool>()).prop_map(|(fields, closed)| Type::Struct(fields, closed)),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|types| Type::Outside(NAMES.into_iter().zip(types).collect())),
            prop::collection::vec(fields(inner), 1..4)
                .prop_map(|variants| Type::Inside(NAMES.into_iter().zip(variants).collect())),
        ]
    })
}
