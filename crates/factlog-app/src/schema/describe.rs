//! From types to shapes: every event of a set, its older versions, and what it is split from.
//!
//! Nothing here is asked of a type before somebody puts it into a catalog.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Catalog, EventShape, Shape};
use crate::lineage::{Lineage, One};
use crate::{Event, Split};

/// Events whose shapes are known: each of them, and each older version, derives `JsonSchema`.
///
/// Implemented for what the derives of [`Event`] and [`EventSet`](crate::EventSet) say; see [`Catalog::with`].
#[diagnostic::on_unimplemented(
    message = "the shapes of these events are not known",
    label = "an event, or an older version of one, has no `JsonSchema`",
    note = "write `#[derive(JsonSchema)]` on each event, on its older versions, and on the types of their fields"
)]
pub trait Described {
    /// Adds them to the catalog.
    #[doc(hidden)]
    fn describe(catalog: &mut Catalog);
}

impl<L: Described, R: Described> Described for (L, R) {
    fn describe(catalog: &mut Catalog) {
        L::describe(catalog);
        R::describe(catalog);
    }
}

impl<E: Lineage + JsonSchema> Described for One<E>
where
    E::Older: Versions,
    E::Splits: Sources,
{
    fn describe(catalog: &mut Catalog) {
        catalog.add(event::<E>());
        E::Splits::describe(E::NAME, catalog);
    }
}

/// A version of an event and all before it.
#[diagnostic::on_unimplemented(
    message = "the shape of an older version is not known",
    label = "an older version of an event has no `JsonSchema`",
    note = "write `#[derive(JsonSchema)]` on the struct in `upcast(...)` as well"
)]
pub trait Versions {
    #[doc(hidden)]
    fn collect(shapes: &mut BTreeMap<u32, Shape>);
}

impl Versions for () {
    fn collect(_: &mut BTreeMap<u32, Shape>) {}
}

impl<E: Lineage + JsonSchema> Versions for One<E>
where
    E::Older: Versions,
{
    fn collect(shapes: &mut BTreeMap<u32, Shape>) {
        shapes.insert(E::VERSION, shape::<E>());
        E::Older::collect(shapes);
    }
}

/// What an event is split from.
#[diagnostic::on_unimplemented(
    message = "the shape of an event that is split is not known",
    label = "an event that is split has no `JsonSchema`",
    note = "write `#[derive(JsonSchema)]` on the `Old` of each `Split` as well"
)]
pub trait Sources {
    #[doc(hidden)]
    fn describe(into: &str, catalog: &mut Catalog);
}

impl Sources for () {
    fn describe(_: &str, _: &mut Catalog) {}
}

impl<S: Split, R: Sources> Sources for (S, R)
where
    S::Old: Lineage + JsonSchema,
    <S::Old as Lineage>::Older: Versions,
    <S::Old as Lineage>::Splits: Sources,
{
    fn describe(into: &str, catalog: &mut Catalog) {
        catalog.add_split(event::<S::Old>(), into);
        <S::Old as Lineage>::Splits::describe(<S::Old as Event>::NAME, catalog);
        R::describe(into, catalog);
    }
}

fn event<E: Lineage + JsonSchema>() -> EventShape
where
    E::Older: Versions,
{
    let former_names: BTreeSet<String> =
        E::NAMES.iter().filter(|name| **name != E::NAME).map(|name| (*name).to_owned()).collect();
    let mut shapes = BTreeMap::new();
    One::<E>::collect(&mut shapes);
    EventShape {
        name: E::NAME.to_owned(),
        version: E::VERSION,
        former_names,
        split_into: BTreeSet::new(),
        shapes,
    }
}

/// Types are written out where they are used, so that another name for one is no change of the shape.
fn shape<E: JsonSchema>() -> Shape {
    let schema = |settings: SchemaSettings| {
        let settings = settings.with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        });
        Value::from(settings.into_generator().into_root_schema_for::<E>())
    };
    let settings = SchemaSettings::draft2020_12;
    Shape::new(&schema(settings().for_deserialize()), &schema(settings().for_serialize()))
}
