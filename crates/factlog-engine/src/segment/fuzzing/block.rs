//! Blocks: the head, the coding, and records taken apart in columns.

use bytes::Bytes;

use super::super::block::{Block, Coding, HEAD_BYTES, Head, Layout};
use super::super::codec::{Compressor, Dictionary};
use super::super::gather::Gathered;
use super::super::{columns as decoded, place};
use super::mend_block;
use crate::fuzzing::kit::{self, STORE};
use crate::records::Records;

const SEGMENT: u64 = 1;
const OFFSET: u64 = 48;

/// What blocks with a dictionary are coded with: text without the form of a dictionary is one too.
fn raw_dictionary() -> Vec<u8> {
    (0..4).flat_map(kit::record).collect()
}

/// One block as it is, and with its checksum and its length put right.
pub(crate) fn block(bytes: &[u8]) {
    check(bytes.to_vec());
    let mut mended = bytes.to_vec();
    if let Some(body) = mended.len().checked_sub(HEAD_BYTES) {
        mended[12..16].copy_from_slice(&(body as u32).to_le_bytes());
        mend_block(SEGMENT, OFFSET, &mut mended);
        check(mended);
    }
}

fn check(bytes: Vec<u8>) {
    let Ok(block) = Block::check(place(STORE, SEGMENT, OFFSET), &Bytes::from(bytes)) else { return };
    let head = block.head;
    assert!(head.first <= head.last() && head.last() < u64::MAX, "a block's positions have room");
    let dictionary = Dictionary::new(&raw_dictionary()).expect("a dictionary");
    let Ok(records) = block.records(Some(&dictionary)) else { return };
    assert_eq!(records.bytes.len(), head.raw as usize);
    assert_eq!(records.last(), head.last());
    same_again(&head, &records);
}

/// Records that can be written come back the same.
fn same_again(head: &Head, records: &Records) {
    let mut gathered = Gathered::new(head.first);
    for position in head.first..=head.last() {
        let Ok(record) = records.record(position) else { return };
        if gathered.add(record).is_err() {
            return;
        }
    }
    let Ok((ids, columns)) = gathered.take_apart() else { return };
    let mut head = *head;
    (head.ids, head.recorded_at) = (ids.len() as u32, gathered.recorded_at);
    let (again, offsets) = decoded::decode(&head, &ids, &columns).expect("what was taken apart comes back");
    assert_eq!((&again, &offsets), (&records.bytes, &records.offsets));
}

pub(crate) fn block_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut gathered = Gathered::new(1);
    for n in 0..6 {
        gathered.add(&kit::record(n)).expect("a record");
    }
    let encode = |dictionary: Option<&[u8]>| {
        let mut compressor =
            dictionary.map(|dictionary| Compressor::new(3, dictionary).expect("a compressor"));
        let with_dictionary = dictionary.is_some_and(|dictionary| !dictionary.is_empty());
        let at = place(STORE, SEGMENT, OFFSET);
        gathered.encode(at, compressor.as_mut(), with_dictionary).expect("a block")
    };
    let (ids, columns) = gathered.take_apart().expect("records that can be taken apart");
    let mut plain = encode(None);
    plain.truncate(HEAD_BYTES);
    plain[5] = Layout::Columns as u8;
    plain[16..20].copy_from_slice(&(ids.len() as u32).to_le_bytes());
    plain.extend_from_slice(&ids);
    plain.extend_from_slice(&columns);
    vec![
        ("raw", encode(None)),
        ("compressed", encode(Some(&[]))),
        ("with-dictionary", encode(Some(&raw_dictionary()))),
        ("plain-columns", plain),
    ]
}

/// A head's numbers, then ids, then columns: u32 bytes of records, u32 events, u16 bytes of ids.
pub(crate) fn columns(bytes: &[u8]) {
    let Some((numbers, rest)) = bytes.split_first_chunk::<10>() else { return };
    let [r0, r1, r2, r3, e0, e1, e2, e3, i0, i1] = *numbers;
    let ids = usize::from(u16::from_le_bytes([i0, i1])).min(rest.len());
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(b"FLBK");
    head[4..6].copy_from_slice(&[Coding::Plain as u8, Layout::Columns as u8]);
    head[8..12].copy_from_slice(&[r0, r1, r2, r3]);
    head[12..16].copy_from_slice(&(rest.len() as u32).to_le_bytes());
    head[16..20].copy_from_slice(&(ids as u32).to_le_bytes());
    head[20..24].copy_from_slice(&[e0, e1, e2, e3]);
    head[24] = 1;
    let Ok(head) = Head::parse(&head) else { return };
    let (ids, columns) = rest.split_at(ids);
    let Ok((bytes, offsets)) = decoded::decode(&head, ids, columns) else { return };
    assert_eq!(offsets.len(), head.events as usize, "as many records as the head says");
    assert!(bytes.len() <= head.raw as usize, "no more bytes than the head says");
    if let Ok((ids_again, columns_again)) = decoded::encode(&bytes, &offsets, head.first, head.recorded_at) {
        let mut head = head;
        head.ids = ids_again.len() as u32;
        let again =
            decoded::decode(&head, &ids_again, &columns_again).expect("what was taken apart comes back");
        assert_eq!(again, (bytes, offsets));
    }
}

pub(crate) fn columns_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let some = |events: std::ops::Range<u64>| {
        let records: Vec<Vec<u8>> = events.map(kit::record).collect();
        let all = records.concat();
        let mut gathered = Gathered::new(1);
        for record in &records {
            gathered.add(record).expect("a record");
        }
        let (ids, columns) = gathered.take_apart().expect("records that can be taken apart");
        let mut out = (all.len() as u32).to_le_bytes().to_vec();
        out.extend_from_slice(&(records.len() as u32).to_le_bytes());
        out.extend_from_slice(&(ids.len() as u16).to_le_bytes());
        out.extend_from_slice(&ids);
        out.extend_from_slice(&columns);
        out
    };
    vec![("one", some(0..1)), ("several", some(0..9))]
}
