//! The shape of a view as serde sees it: its fields and theirs, by name and kind, in one number.
//!
//! * It is found without a value, by asking the type to be read and looking at what it asks for. Another field, even
//!   one that is left out when it is written, is another shape; another default or another type's name is not.
//! * A type that refuses what it is given (a number with rules of its own) ends the look there: what was seen until
//!   then counts, so equal types always have equal shapes.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use xxhash_rust::xxh3::xxh3_64;

/// Looks at one type, so that each variant of its enums is seen.
const LOOKS_MAX: usize = 64;
/// Enums within each other; a look that comes so far ends.
const DEPTH_MAX: usize = 8;
/// Bytes of notes after which options are empty and lists have no items, so that a type within itself comes to an end.
const NOTES_MAX: usize = 16 << 10;

/// The shape of a type; looked at once in the life of the process.
pub(super) fn shape_of<V: DeserializeOwned + 'static>() -> u64 {
    static KNOWN: Mutex<BTreeMap<TypeId, u64>> = Mutex::new(BTreeMap::new());
    *KNOWN.lock().entry(TypeId::of::<V>()).or_insert_with(look_at::<V>)
}

fn look_at<V: DeserializeOwned>() -> u64 {
    let mut notes = Notes::default();
    for _ in 0..LOOKS_MAX {
        // A type that refuses what it is given was looked at as far as it goes.
        let _ = V::deserialize(Look(&mut notes));
        notes.text.push('\n');
        if notes.enums.values().all(|(seen, variants)| variants <= seen) {
            break;
        }
    }
    xxh3_64(notes.text.as_bytes())
}

#[derive(Default)]
struct Notes {
    text: String,
    /// How often each enum was seen in each place, and how many variants it has.
    enums: BTreeMap<String, (usize, usize)>,
    /// The variants around what is looked at.
    within: Vec<&'static str>,
}

impl Notes {
    fn is_full(&self) -> bool {
        NOTES_MAX <= self.text.len()
    }
}

/// Gives a type the emptiest value of each kind that it asks for, and notes the kind.
struct Look<'a>(&'a mut Notes);

macro_rules! plain {
    ($($method:ident, $visit:ident $(, $value:expr)?;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.0.text.push_str(concat!(stringify!($visit), " "));
            visitor.$visit($($value)?)
        })+
    };
}

impl<'de> Deserializer<'de> for Look<'_> {
    type Error = Refused;

    plain! {
        deserialize_any, visit_unit;
        deserialize_bool, visit_bool, false;
        deserialize_i8, visit_i8, 0;
        deserialize_i16, visit_i16, 0;
        deserialize_i32, visit_i32, 0;
        deserialize_i64, visit_i64, 0;
        deserialize_i128, visit_i128, 0;
        deserialize_u8, visit_u8, 0;
        deserialize_u16, visit_u16, 0;
        deserialize_u32, visit_u32, 0;
        deserialize_u64, visit_u64, 0;
        deserialize_u128, visit_u128, 0;
        deserialize_f32, visit_f32, 0.0;
        deserialize_f64, visit_f64, 0.0;
        deserialize_char, visit_char, ' ';
        deserialize_str, visit_str, "";
        deserialize_string, visit_str, "";
        deserialize_bytes, visit_bytes, &[];
        deserialize_byte_buf, visit_bytes, &[];
        deserialize_unit, visit_unit;
        deserialize_ignored_any, visit_unit;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.0.text.push_str("option ");
        if self.0.is_full() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.0.text.push_str("list ");
        let left = usize::from(!self.0.is_full());
        visitor.visit_seq(Items { notes: self.0, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.0.text.push_str(&format!("tuple{len} "));
        visitor.visit_seq(Items { notes: self.0, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.0.text.push_str("map ");
        let left = usize::from(!self.0.is_full());
        visitor.visit_map(Items { notes: self.0, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.0.text.push_str(&format!("{fields:?} "));
        visitor.visit_map(Fields { notes: self.0, fields })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.0.text.push_str(&format!("one of {variants:?} "));
        if DEPTH_MAX <= self.0.within.len() {
            return Err(Refused);
        }
        let place = format!("{name}{variants:?} in {:?}", self.0.within);
        let (seen, _) = self.0.enums.entry(place).or_insert((0, variants.len()));
        let variant = variants.get(*seen % variants.len().max(1)).ok_or(Refused)?;
        *seen += 1;
        self.0.within.push(variant);
        let result = visitor.visit_enum(One { notes: &mut *self.0, variant });
        self.0.within.pop();
        result
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_str("")
    }
}

/// The items of a list or a tuple, or the members of a map.
struct Items<'a> {
    notes: &'a mut Notes,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refused;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(Look(self.notes)).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Refused;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        SeqAccess::next_element_seed(self, seed)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(Look(self.notes))
    }
}

/// The fields of a struct, each once.
struct Fields<'a> {
    notes: &'a mut Notes,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some((first, rest)) = self.fields.split_first() else { return Ok(None) };
        self.fields = rest;
        self.notes.text.push_str(&format!("{first}: "));
        seed.deserialize(BorrowedStrDeserializer::new(first)).map(Some)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(Look(self.notes))
    }
}

/// One variant of an enum.
struct One<'a> {
    notes: &'a mut Notes,
    variant: &'static str,
}

impl<'de, 'a> EnumAccess<'de> for One<'a> {
    type Error = Refused;
    type Variant = Look<'a>;
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Look<'a>), Refused> {
        let variant = seed.deserialize(StrDeserializer::<Refused>::new(self.variant))?;
        Ok((variant, Look(self.notes)))
    }
}

impl<'de> VariantAccess<'de> for Look<'_> {
    type Error = Refused;
    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self)
    }
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// A type did not take the empty value.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type takes no empty value")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;
