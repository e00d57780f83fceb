//! The events: what devices at many sites report, 20 to 60 bytes each, and the jobs done on them.
//!
//! * An event follows from its lane and its number in that lane, so that any process can tell what must be in the log.
//! * A lane is what one writer appends, in order. How lanes interleave is decided by the race of the writers.
//! * Nine of ten events are of one of a fixed number of devices: their streams grow with the log.
//! * Every tenth is of a job: a stream of [`JOB_EVENTS`] events that begin and end within one window of the lane. The
//!   number of such streams grows with the log.
//! * Every thousandth registers a device by a serial number: a tag that no other event has.

use anyhow::Result;
use bench_common::facts::mix;
use factlog_core::{ContentType, Event, EventId, EventType, RecordedEvent, StreamId, Tag, Tags};
use serde::{Deserialize, Serialize};

/// Events of one job.
pub(crate) const JOB_EVENTS: u64 = 10;
/// One event in so many is of a job.
const JOB_EVERY: u64 = 10;
/// One event in so many has a tag of its own.
pub(crate) const SERIAL_EVERY: u64 = 1_000;
/// Different values of the tag `site:`, which every event has.
const SITES: u64 = 100;
/// Below the bits of the number of an event in the number that its content is drawn from.
const LANE_BITS: u32 = 56;

/// Numbers that decide which streams there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Shape {
    pub(crate) devices: u64,
    /// Events of a lane within which its jobs begin and end; a multiple of 1,000.
    pub(crate) window: u64,
}

impl Shape {
    /// For a log that is first measured with so many events: each device has reported about 100 times by then, and
    /// each of the four lanes that count has had more than one window.
    pub(crate) fn of(first: u64) -> Self {
        Self { devices: (first / 100).min(10_000), window: (first / 10_000 * 1_000).max(1_000) }
    }

    /// Jobs of a lane of this length that are done.
    pub(crate) fn jobs_done(&self, lane_events: u64) -> u64 {
        lane_events / self.window * self.jobs_of_window()
    }

    fn jobs_of_window(&self) -> u64 {
        self.window / (JOB_EVERY * JOB_EVENTS)
    }
}

/// Makes events; it keeps the names that repeat, as a program would.
#[derive(Debug)]
pub(crate) struct Maker {
    shape: Shape,
    reading: EventType,
    status: EventType,
    alarm: EventType,
    registered: EventType,
    step: EventType,
    sites: Vec<Tag>,
}

impl Maker {
    pub(crate) fn new(shape: Shape) -> Result<Self> {
        Ok(Self {
            shape,
            reading: EventType::new("device.reading")?,
            status: EventType::new("device.status")?,
            alarm: EventType::new("device.alarm")?,
            registered: EventType::new("device.registered")?,
            step: EventType::new("job.step")?,
            sites: (0..SITES).map(|site| Tag::new(format!("site:{site}"))).collect::<Result<_, _>>()?,
        })
    }

    /// The event with this number in this lane.
    pub(crate) fn event(&self, lane: u8, number: u64) -> Result<Event> {
        let random = mix(u64::from(lane) << LANE_BITS | number);
        let device = random % self.shape.devices;
        let site = |of: u64| self.sites[(of % SITES) as usize].clone();
        let event = if number % JOB_EVERY == JOB_EVERY - 1 {
            let job = self.job(number);
            let took = mix(random) % 10_000;
            let data =
                format!(r#"{{"step":{},"ok":{},"ms":{took}}}"#, random % 7, !random.is_multiple_of(50));
            Event::new(self.step.clone(), data)
                .in_stream(job_stream(lane, job)?)
                .tagged(Tags::new([site(job)])?)
        } else if number.is_multiple_of(SERIAL_EVERY) {
            let data = format!(r#"{{"model":"TX-{}","firmware":"2.{}"}}"#, random % 9, random % 40);
            let tags = Tags::new([site(device), serial(lane, number)?])?;
            Event::new(self.registered.clone(), data).in_stream(device_stream(device)?).tagged(tags)
        } else {
            let (event_type, data) = self.report(random);
            Event::new(event_type, data).in_stream(device_stream(device)?).tagged(Tags::new([site(device)])?)
        };
        Ok(event.with_id(id(lane, number, random)).with_content_type(ContentType::JSON))
    }

    /// The job that the event with this number belongs to: those of a window take turns.
    fn job(&self, number: u64) -> u64 {
        let (index, jobs) = (number / JOB_EVERY, self.shape.jobs_of_window());
        let per_window = self.shape.window / JOB_EVERY;
        index / per_window * jobs + index % per_window % jobs
    }

    fn report(&self, random: u64) -> (EventType, String) {
        let drawn = mix(random ^ 1);
        let (whole, part) = (drawn % 40, drawn >> 8 & 63);
        match random >> 32 & 15 {
            0 => {
                let data = format!(r#"{{"alarm":"E{}","level":{}}}"#, drawn % 300, whole % 3);
                (self.alarm.clone(), data)
            }
            1 | 2 => {
                let up = drawn >> 20 & 0xf_ffff;
                let data = format!(r#"{{"battery":{},"rssi":-{},"up":{up}}}"#, 30 + whole, 40 + part);
                (self.status.clone(), data)
            }
            _ => {
                (self.reading.clone(), format!(r#"{{"t":{whole}.{part},"rh":{}}}"#, 30 + (drawn >> 16) % 60))
            }
        }
    }
}

pub(crate) fn device_stream(device: u64) -> Result<StreamId> {
    Ok(StreamId::new(format!("device-{device}"))?)
}

pub(crate) fn job_stream(lane: u8, job: u64) -> Result<StreamId> {
    Ok(StreamId::new(format!("job-{lane}-{job}"))?)
}

/// The tag that only the event with this number in this lane has.
pub(crate) fn serial(lane: u8, number: u64) -> Result<Tag> {
    Ok(Tag::new(format!("serial:{lane}-{number}"))?)
}

/// The form of a UUID of version 7: the number in its first bytes, then the lane.
fn id(lane: u8, number: u64, random: u64) -> EventId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number << 16).to_be_bytes());
    id[8..].copy_from_slice(&random.to_be_bytes());
    id[6] = 0x70;
    id[7] = lane;
    id[8] = 0x80 | (id[8] & 0x3f);
    EventId::from_bytes(id)
}

/// Lane and number of an event, from its id.
pub(crate) fn place(event: &RecordedEvent) -> (u8, u64) {
    let id = event.event.id.as_bytes();
    let number = id[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (id[7], number)
}

/// A checksum of a lane and the content of its next event.
pub(crate) fn fold(sum: u64, event: &Event) -> u64 {
    let stream = event.stream.as_ref().map_or("", StreamId::as_str);
    let sum = fold_bytes(sum, &event.data);
    let sum = fold_bytes(sum, stream.as_bytes());
    let sum = fold_bytes(sum, event.event_type.as_str().as_bytes());
    event.tags.iter().fold(sum, |sum, tag| fold_bytes(sum, tag.as_str().as_bytes()))
}

fn fold_bytes(sum: u64, bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(mix(sum ^ bytes.len() as u64), |sum, word| mix(sum ^ word))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    const FIRST: u64 = 100_000;

    fn events(lane: u8, count: u64) -> Vec<Event> {
        let maker = Maker::new(Shape::of(FIRST)).unwrap();
        (0..count).map(|number| maker.event(lane, number).unwrap()).collect()
    }

    /// Would fail if a look-up of a job that is done found other than ten events.
    #[test]
    fn each_job_that_is_done_has_ten_events() {
        let shape = Shape::of(FIRST);
        let length = shape.window * 2 + 500;
        let mut jobs = BTreeMap::new();
        for event in events(3, length) {
            let stream = event.stream.unwrap();
            if stream.category() == "job" {
                *jobs.entry(stream.to_string()).or_insert(0) += 1;
            }
        }
        assert!(0 < shape.jobs_done(length));
        for job in 0..shape.jobs_done(length) {
            assert_eq!(jobs.get(job_stream(3, job).unwrap().as_str()), Some(&JOB_EVENTS), "job {job}");
        }
    }

    /// Would fail if the report said "20 to 60 bytes" of other events, or if two events had one id or one serial.
    #[test]
    fn events_are_small_and_their_ids_and_serials_their_own() {
        let all: Vec<Event> = [events(0, 5_000), events(1, 5_000)].concat();
        let sizes: Vec<usize> = all.iter().map(|event| event.data.len()).collect();
        assert!(sizes.iter().all(|size| (16..=60).contains(size)), "{:?}", sizes.iter().max());
        let ids: HashSet<_> = all.iter().map(|event| event.id).collect();
        let tags = all.iter().flat_map(|event| event.tags.iter().map(|tag| tag.as_str().to_owned()));
        let serials: Vec<_> = tags.filter(|tag| tag.starts_with("serial:")).collect();
        assert_eq!((ids.len(), serials.len()), (10_000, 10));
        assert_eq!(serials.iter().collect::<HashSet<_>>().len(), 10);
    }

    /// Would fail if a byte that changed, or two events that changed places, went unnoticed.
    #[test]
    fn the_checksum_knows_every_byte_and_the_order() {
        let all = events(2, 3);
        let sum = |events: &[Event]| events.iter().fold(0, fold);
        let mut swapped = all.clone();
        swapped.swap(0, 1);
        let mut changed = all.clone();
        changed[2].data = changed[2].data.iter().rev().copied().collect();
        assert!(sum(&all) != sum(&swapped) && sum(&all) != sum(&changed) && sum(&all) == sum(&events(2, 3)));
    }
}
