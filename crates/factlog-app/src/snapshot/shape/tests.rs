//! What is another shape and what is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;

macro_rules! shape {
    ($($body:tt)*) => {{
        #[derive(Default, Clone, Serialize, Deserialize)]
        $($body)*
        look_at::<It>()
    }};
}

/// A field that is left out while it is empty leaves no trace in a snapshot's bytes: only the shape tells.
#[test]
fn another_field_is_another_shape_and_another_name_of_the_type_is_not() {
    let one = shape!(
        struct It {
            balance: u64,
        }
    );
    assert_eq!(
        one,
        shape!(
            struct It {
                #[serde(default)]
                balance: u64,
            }
        )
    );
    for (what, other) in [
        (
            "more",
            shape!(
                struct It {
                    balance: u64,
                    #[serde(default, skip_serializing_if = "Vec::is_empty")]
                    fees: Vec<u64>,
                }
            ),
        ),
        (
            "another name",
            shape!(
                struct It {
                    saldo: u64,
                }
            ),
        ),
        (
            "another kind",
            shape!(
                struct It {
                    balance: i64,
                }
            ),
        ),
        (
            "an option",
            shape!(
                struct It {
                    balance: Option<u64>,
                }
            ),
        ),
        (
            "none",
            shape!(
                struct It {}
            ),
        ),
        (
            "a tuple",
            shape!(
                struct It(u64, u64);
            ),
        ),
    ] {
        assert_ne!(one, other, "{what}");
    }
    #[derive(Default, Clone, Serialize, Deserialize)]
    struct Other {
        balance: u64,
    }
    assert_eq!(one, look_at::<Other>());
}

#[derive(Serialize, Deserialize)]
struct Tree {
    leaf: u64,
    branches: Vec<Tree>,
    beside: Option<Box<Tree>>,
}

#[derive(Serialize, Deserialize)]
enum Kind<T> {
    Plain,
    Pair(u64, String),
    Deep { inner: BTreeMap<String, T> },
}

#[derive(Serialize, Deserialize)]
enum Term {
    Not(Box<Term>),
    Both(Box<Term>, Box<Term>),
    Is(u64),
}

/// A change in the last variant, inside a map inside it, must be seen; a type within itself must come to an end.
#[test]
fn the_look_goes_into_variants_and_ends() {
    assert_ne!(look_at::<Kind<u8>>(), look_at::<Kind<u16>>());
    assert_ne!(look_at::<Kind<Kind<u8>>>(), look_at::<Kind<Kind<u16>>>());
    assert_eq!(look_at::<Tree>(), look_at::<Tree>());
    assert_eq!(look_at::<Term>(), look_at::<Term>());
    assert_ne!(look_at::<Vec<Tree>>(), look_at::<Tree>());
    assert_eq!(shape_of::<Tree>(), look_at::<Tree>());
}

/// What takes no empty value ends the look, and what was seen before it counts.
#[test]
fn a_type_with_rules_of_its_own_is_looked_at_as_far_as_it_goes() {
    #[derive(Serialize, Deserialize)]
    #[serde(try_from = "String")]
    struct Name(String);
    impl TryFrom<String> for Name {
        type Error = &'static str;
        fn try_from(text: String) -> Result<Self, &'static str> {
            if text.is_empty() { Err("empty") } else { Ok(Self(text)) }
        }
    }
    #[derive(Serialize, Deserialize)]
    struct One {
        name: Name,
        count: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct Two {
        name: Name,
        count: u8,
        more: u8,
    }
    assert_eq!(look_at::<One>(), look_at::<One>());
    assert_ne!(look_at::<One>(), look_at::<Two>(), "the names of the fields were seen before");
}
