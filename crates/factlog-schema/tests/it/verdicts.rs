//! The verdict agrees with how serde reads, on types and values that nobody chose.

use factlog_schema::{Event, Lock, Shape, compare};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::model::{Field, Type, types};

fn lock(of: &Type) -> Lock {
    Lock::new([Event::new("thing.happened", 1, Shape::same(&of.schema()))]).unwrap()
}

/// A type and one that somebody made of it, or another altogether.
fn pairs() -> impl Strategy<Value = (Type, Type)> {
    (types(), types(), any::<prop::sample::Index>(), 0..6u8).prop_map(|(old, other, at, how)| {
        let new = match how {
            0 => other,
            _ => edited(&old, &other, at, how),
        };
        (old, new)
    })
}

/// The type with one place in it changed.
fn edited(old: &Type, other: &Type, at: prop::sample::Index, how: u8) -> Type {
    let boxed = |of: &Type| Box::new(edited(of, other, at, how));
    let fields = |fields: &[Field]| {
        let mut fields = fields.to_vec();
        if fields.is_empty() {
            return vec![Field { name: "a", of: other.clone(), default: how == 1 }];
        }
        let index = at.index(fields.len());
        match how {
            1 => fields[index].default = !fields[index].default,
            2 => drop(fields.remove(index)),
            3 => fields.push(Field { name: "d", of: other.clone(), default: at.index(2) == 0 }),
            _ => fields[index].of = edited(&fields[index].of, other, at, how),
        }
        fields
    };
    match old {
        Type::Option(of) if how == 5 => (**of).clone(),
        Type::Option(of) => Type::Option(boxed(of)),
        Type::List(of) => Type::List(boxed(of)),
        Type::Set(of) => Type::List(boxed(of)),
        Type::Map(of) => Type::Map(boxed(of)),
        Type::Pair(left, right) => Type::Pair(boxed(left), right.clone()),
        Type::Struct(old, closed) if how == 5 => Type::Struct(old.clone(), !closed),
        Type::Struct(old, closed) => Type::Struct(fields(old), *closed),
        Type::Outside(variants) if how == 2 && 1 < variants.len() => Type::Outside(variants[1..].to_vec()),
        Type::Outside(variants) => {
            let mut variants = variants.clone();
            let index = at.index(variants.len());
            variants[index].1 = edited(&variants[index].1, other, at, how);
            Type::Outside(variants)
        }
        Type::Inside(variants) => {
            let mut variants = variants.clone();
            let index = at.index(variants.len());
            variants[index].1 = fields(&variants[index].1);
            Type::Inside(variants)
        }
        Type::U8 => Type::U32,
        Type::U32 => {
            if how < 4 {
                Type::U64
            } else {
                Type::U8
            }
        }
        Type::I32 => Type::F64,
        Type::Words(words) if how == 2 && 1 < words.len() => Type::Words(words[1..].to_vec()),
        Type::Words(_) => Type::Words(vec!["a", "b", "c"]),
        leaf => {
            if how < 4 {
                Type::Option(Box::new(leaf.clone()))
            } else {
                other.clone()
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    /// Would fail if a verdict let a program be deployed that cannot read what is stored.
    #[test]
    fn what_was_stored_is_read_where_the_verdict_says_so(
        (old, new, values) in pairs().prop_flat_map(|(old, new)| {
            let values = prop::collection::vec(old.values(), 12);
            (Just(old), Just(new), values)
        })
    ) {
        let changes = compare(&lock(&old), &lock(&new));
        if changes.verdict().is_backward() {
            for value in &values {
                prop_assert!(old.reads(value), "the oracle reads what it wrote: {value}");
                prop_assert!(new.reads(value), "{value} of {old:?} is not read by {new:?}");
            }
        }
    }

    /// Would fail if nothing at all were ever good enough: the same shape is.
    #[test]
    fn a_shape_fits_itself(of in types()) {
        let again = compare(&lock(&of), &lock(&of));
        prop_assert_eq!(again.changed().count(), 0);
        let mut renamed = of.schema();
        if let Some(schema) = renamed.as_object_mut() {
            // Another fingerprint, so that the shapes are held against each other.
            schema.insert("default".to_owned(), serde_json::json!(1));
        }
        let new = Lock::new([Event::new("thing.happened", 1, Shape::same(&renamed))]).unwrap();
        let changes = compare(&lock(&of), &new);
        prop_assert!(changes.verdict().is_backward() && changes.verdict().is_forward(), "{changes:?}");
    }
}

/// Would fail if the verdict cried wolf: for nearly every "no" there is a value that is not read.
#[test]
fn a_refusal_has_a_witness() {
    let mut runner = TestRunner::deterministic();
    let (mut refused, mut witnessed, mut accepted, mut unproven) = (0, 0, 0, Vec::new());
    for _ in 0..1_500 {
        let (old, new) = pairs().new_tree(&mut runner).unwrap().current();
        let changes = compare(&lock(&old), &lock(&new));
        if changes.verdict().is_backward() {
            accepted += 1;
            continue;
        }
        refused += 1;
        let values = old.values();
        let found = (0..200).any(|_| !new.reads(&values.new_tree(&mut runner).unwrap().current()));
        if found {
            witnessed += 1;
        } else {
            unproven.push((old, new, changes));
        }
    }
    assert!(300 < accepted, "{accepted} of 1,500 accepted: too few to mean anything");
    assert!(refused * 97 <= witnessed * 100, "{witnessed} of {refused}, for example {:#?}", unproven.first());
}
