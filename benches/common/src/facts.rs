//! The events that are written, the same for every store: 256 bytes of JSON, two tags, one stream.
//!
//! The data is drawn from the number of the event, so that any run writes the same. It is as repetitive as business
//! events are: fixed names of fields, changing values.

/// Bytes of data in an event.
pub const DATA_BYTES: usize = 256;
/// Events that share a stream, and events that share the tag `account:`.
pub const OF_A_KIND: u64 = 10;
/// Different values of the second tag.
const BRANCHES: u64 = 1_000;

/// An event before it is any store's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its identity: unique, and ascending as time-ordered ids are.
    pub id: [u8; 16],
    /// What happened.
    pub event_type: &'static str,
    /// The stream it belongs to.
    pub stream: String,
    /// The labels it is found by.
    pub tags: [String; 2],
    /// JSON of [`DATA_BYTES`] bytes.
    pub data: Vec<u8>,
}

/// The fact with this number in a log of `total` facts; each stream has [`OF_A_KIND`] of them, far apart.
pub fn fact(number: u64, total: u64) -> Fact {
    let streams = (total / OF_A_KIND).max(1);
    let [stream, account] = [number % streams, (number * 7 + 3) % streams];
    named(number, format!("transfer-{stream}"), format!("account:{account}"))
}

/// The fact with this number as the writer with this name writes it: nobody else uses its stream and its account.
pub fn own_fact(number: u64, writer: u64) -> Fact {
    named(number, format!("writer-{writer}"), format!("account:w{writer}"))
}

fn named(number: u64, stream: String, account: String) -> Fact {
    let random = mix(number);
    let branch = format!("branch:{}", random % BRANCHES);
    const TYPES: [&str; 4] =
        ["transfer.requested", "transfer.debited", "transfer.credited", "transfer.completed"];
    let event_type = TYPES[(random >> 32) as usize % TYPES.len()];
    Fact { id: id(number, random), event_type, data: data(number, random), stream, tags: [account, branch] }
}

/// The form of a UUID of version 7: ascending in its first bytes, unlike any other in its last.
fn id(number: u64, random: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number << 16).to_be_bytes());
    id[8..].copy_from_slice(&random.to_be_bytes());
    id[6] = 0x70;
    id[7] = number as u8;
    id[8] = 0x80 | (id[8] & 0x3f);
    id
}

fn data(number: u64, random: u64) -> Vec<u8> {
    let (cents, second) = (mix(random) % 10_000_000, mix(number ^ random) % 86_400);
    let text = format!(
        concat!(
            r#"{{"transfer":"{:016x}","from":"DE{:018}","to":"DE{:018}","amount":"{}.{:02}","currency":"EUR","#,
            r#""valueDate":"2026-11-{:02}","second":{},"channel":"{}","reference":"Invoice {}","note":""#
        ),
        random,
        mix(number) % 1_000_000_000_000,
        mix(number + 1) % 1_000_000_000_000,
        cents / 100,
        cents % 100,
        1 + number % 28,
        second,
        ["branch", "mobile", "standing order"][(random % 3) as usize],
        mix(random ^ 5) % 1_000_000,
    );
    let mut data = text.into_bytes();
    const END: &[u8] = br#""}"#;
    let room = DATA_BYTES - END.len();
    assert!(data.len() <= room, "the fields take {} bytes", data.len());
    let words = b"thank you for your order and see you again soon ".iter().cycle();
    data.extend(words.take(room - data.len()));
    data.extend_from_slice(END);
    data
}

/// SplitMix64: numbers that look drawn, the same in every run.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    /// Would fail if stores were compared on events of other sizes than the report says.
    #[test]
    fn data_is_json_of_one_size() {
        for number in [0, 1, 999, 1_000_000, 99_999_999] {
            let fact = fact(number, 1_000_000);
            assert_eq!(fact.data.len(), DATA_BYTES);
            assert!(serde_json::from_slice::<serde_json::Value>(&fact.data).is_ok());
        }
    }

    /// Would fail if a lookup of "10 events" found other numbers of them, or two events had one id.
    #[test]
    fn each_stream_and_each_account_has_ten_events_and_each_event_its_id() {
        let facts: Vec<Fact> = (0..1_000).map(|number| fact(number, 1_000)).collect();
        let (mut streams, mut accounts) = (BTreeMap::new(), BTreeMap::new());
        for fact in &facts {
            *streams.entry(&fact.stream).or_insert(0) += 1;
            *accounts.entry(&fact.tags[0]).or_insert(0) += 1;
        }
        assert!(streams.len() == 100 && streams.values().all(|count| *count == OF_A_KIND));
        assert!(accounts.len() == 100 && accounts.values().all(|count| *count == OF_A_KIND));
        let ids: HashSet<_> = facts.iter().map(|fact| fact.id).collect();
        assert_eq!(ids.len(), facts.len());
        assert!(facts.is_sorted_by_key(|fact| fact.id), "ids ascend");
    }
}
