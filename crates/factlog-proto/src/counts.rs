//! How often parts of a request may stand in it, counted in its bytes before anything is made of them.
//!
//! * An empty event takes two bytes on the wire and two hundred in memory. Without this, a request of 160 MiB would be 15 GiB.
//! * The counts are the contract's: what is refused here, `Append::validate` and `Query::validate` refuse as well.
//! * What this cannot follow is refused too, so that nothing can hide behind it. Groups, which proto3 has not, are such, and a
//!   single part that stands twice, which no encoder writes.

use std::any::TypeId;

use factlog_core::{Error, Result, limits};

use crate::v1;

/// A part of a message that has parts of its own, or may be there more than once.
struct Part {
    number: u64,
    what: &'static str,
    most: usize,
    /// Whether it counts among the terms of all conditions.
    term: bool,
    within: &'static [Self],
}

impl Part {
    const fn one(number: u64, what: &'static str, within: &'static [Self]) -> Self {
        Self { number, what, most: 1, term: false, within }
    }

    const fn many(number: u64, what: &'static str, most: usize, within: &'static [Self]) -> Self {
        Self { number, what, most, term: false, within }
    }

    const fn term(number: u64, what: &'static str, most: usize, within: &'static [Self]) -> Self {
        Self { number, what, most, term: true, within }
    }
}

const ITEM: &[Part] = &[
    Part::term(1, "types in a query item", limits::QUERY_TYPES_MAX, &[]),
    Part::term(2, "tags in a query item", limits::TAGS_MAX, &[]),
];
const ITEMS: &[Part] = &[Part::term(1, "items in a query", limits::QUERY_ITEMS_MAX, ITEM)];
const QUERY: &[Part] = &[Part::one(2, "lists of items in a query", ITEMS)];
const ASKED: &[Part] = &[Part::one(1, "queries in one request", QUERY)];
const NONE_MATCH: &[Part] = &[Part::one(1, "queries in a condition", QUERY)];
const CONDITION: &[Part] = &[Part::one(2, "kinds of one condition", NONE_MATCH)];
const EVENT: &[Part] = &[Part::many(3, "tags of an event", limits::TAGS_MAX, &[])];
const APPEND: &[Part] = &[
    Part::many(1, "events in one append", limits::APPEND_EVENTS_MAX, EVENT),
    Part::many(2, "conditions of one append", limits::CONDITIONS_MAX, CONDITION),
];
const SESSION: &[Part] = &[Part::one(2, "appends in one message", APPEND)];

/// The parts to be counted, and how many terms there may be in all.
fn parts<M: 'static>() -> Option<(&'static [Part], usize)> {
    let this = TypeId::of::<M>();
    let append = limits::CONDITION_TERMS_MAX;
    let asked = limits::QUERY_ITEMS_MAX * (1 + limits::QUERY_TYPES_MAX + limits::TAGS_MAX);
    let known = [
        (TypeId::of::<v1::AppendRequest>(), APPEND, append),
        (TypeId::of::<v1::AppendSessionRequest>(), SESSION, append),
        (TypeId::of::<v1::ReadRequest>(), ASKED, asked),
        (TypeId::of::<v1::SubscribeRequest>(), ASKED, asked),
    ];
    known.into_iter().find(|(of, ..)| *of == this).map(|(_, parts, terms)| (parts, terms))
}

/// Looks through the bytes of a message.
///
/// # Errors
/// `Invalid` where something is there too often, or where they are no message.
pub(crate) fn check<M: 'static>(bytes: &[u8]) -> Result<()> {
    let Some((parts, mut terms)) = parts::<M>() else { return Ok(()) };
    count(bytes, parts, &mut terms).map(drop)
}

fn count(mut bytes: &[u8], parts: &[Part], terms: &mut usize) -> Result<()> {
    let mut counts = [0; 2];
    assert!(parts.len() <= counts.len());
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = value(&mut bytes, key & 7)?;
        let Some(at) = parts.iter().position(|part| part.number == key >> 3) else { continue };
        let part = &parts[at];
        counts[at] += 1;
        if part.most < counts[at] {
            return Err(too_many(part.what, part.most));
        }
        if part.term {
            *terms = terms.checked_sub(1).ok_or_else(|| {
                too_many("items, types and tags in the conditions of one append", limits::CONDITION_TERMS_MAX)
            })?;
        }
        if !part.within.is_empty() {
            count(value, part.within, terms)?;
        }
    }
    Ok(())
}

/// What stands behind a key of this wire type: its bytes, where they have a length.
fn value<'a>(bytes: &mut &'a [u8], wire: u64) -> Result<&'a [u8]> {
    let length = match wire {
        0 => return varint(bytes).map(|_| &[][..]),
        1 => 8,
        2 => usize::try_from(varint(bytes)?).map_err(|_| malformed())?,
        5 => 4,
        _ => return Err(malformed()),
    };
    let (value, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
    *bytes = rest;
    Ok(if wire == 2 { value } else { &[] })
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(malformed)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(malformed())
}

fn too_many(what: &str, most: usize) -> Error {
    Error::invalid(format!("more than {most} {what}"))
}

fn malformed() -> Error {
    Error::invalid("the bytes are no such message of package factlog.v1")
}
