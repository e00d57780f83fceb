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
    note = "write `#[derive(EventSet)]` on the enum, and `#[derive(JsonSchema)]` on each event and its older versions"
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

impl<E: Event + Lineage + Shaped> Described for One<E>
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
pub trait Versions {
    #[doc(hidden)]
    fn collect(shapes: &mut BTreeMap<u32, Shape>);
}

impl Versions for () {
    fn collect(_: &mut BTreeMap<u32, Shape>) {}
}

impl<E: Event + Lineage + Shaped> Versions for One<E>
where
    E::Older: Versions,
{
    fn collect(shapes: &mut BTreeMap<u32, Shape>) {
        shapes.insert(E::VERSION, E::shape());
        E::Older::collect(shapes);
    }
}

/// What an event is split from.
pub trait Sources {
    #[doc(hidden)]
    fn describe(into: &str, catalog: &mut Catalog);
}

impl Sources for () {
    fn describe(_: &str, _: &mut Catalog) {}
}

impl<S: Split, R: Sources> Sources for (S, R)
where
    S::Old: Lineage + Shaped,
    <S::Old as Lineage>::Older: Versions,
    <S::Old as Lineage>::Splits: Sources,
{
    fn describe(into: &str, catalog: &mut Catalog) {
        catalog.add_split(event::<S::Old>(), into);
        <S::Old as Lineage>::Splits::describe(<S::Old as Event>::NAME, catalog);
        R::describe(into, catalog);
    }
}

fn event<E: Event + Lineage + Shaped>() -> EventShape
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

/// A version whose shape is known.
#[diagnostic::on_unimplemented(
    message = "the shape of `{Self}` is not known",
    label = "needs the shape of `{Self}`",
    note = "write `#[derive(JsonSchema)]` on `{Self}` and on the types of its fields; older versions and what is split need it too"
)]
pub trait Shaped {
    #[doc(hidden)]
    fn shape() -> Shape;
}

#[diagnostic::do_not_recommend]
impl<E: JsonSchema> Shaped for E {
    /// Types are written out where they are used, so that another name for one is no change of the shape.
    fn shape() -> Shape {
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
}
