//! Readings of sensors: the fact, the state of one device, and the roll-up by the hour.

use std::convert::Infallible;

use factlog::{Context, Decide, Event, Events, Projection, Recorded, Result, StreamId, Tags, View, tags};
use serde::{Deserialize, Serialize};

/// A sensor was read. Small on purpose: a fleet sends millions.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "reading.taken", stream = "device-{device}")]
pub struct Reading {
    /// Which device.
    #[serde(rename = "d")]
    pub device: u32,
    /// When, in seconds since 1970, by its own clock.
    #[serde(rename = "t")]
    pub at: u64,
    /// Hundredths of a degree.
    #[serde(rename = "c")]
    pub centidegrees: i32,
}

/// One device: its stream is all that is read, so it costs the same in a fleet of ten and of a million.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Readings so far.
    pub readings: u64,
    /// The last one.
    pub last: Option<(u64, i32)>,
    /// The hottest so far.
    pub hottest: Option<i32>,
}

impl View for Device {
    type Id = u32;
    type Event = Reading;
    const NAME: &'static str = "device";
    fn tags(_: &u32) -> Result<Tags> {
        tags![]
    }
    fn stream(device: &u32) -> Result<Option<StreamId>> {
        StreamId::new(format!("device-{device}")).map(Some)
    }
    fn apply(&mut self, reading: &Reading) {
        self.readings += 1;
        self.last = Some((reading.at, reading.centidegrees));
        self.hottest = self.hottest.max(Some(reading.centidegrees));
    }
}

/// What a gateway hands over at once. There is nothing to decide: a reading is a fact when it arrives.
#[derive(Clone, Debug)]
pub struct Upload(pub Vec<Reading>);

impl Decide for Upload {
    type Model = ();
    type Event = Reading;
    type Error = Infallible;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<Reading>, Infallible> {
        Ok(self.0.iter().cloned().collect())
    }
}

/// An hour of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    /// Readings in it.
    pub readings: u64,
    /// The coldest.
    pub coldest: i32,
    /// The hottest.
    pub hottest: i32,
    /// Their sum, for the mean.
    pub sum: i64,
}

/// Every device, hour by hour. Hours are those of the device's clock: late readings find their hour.
#[derive(Clone, Copy, Debug)]
pub struct Hours;

impl Projection for Hours {
    type Event = Reading;
    type Key = (u32, u64);
    type Document = Hour;
    const NAME: &'static str = "hours";
    fn keys(&self, event: &Recorded<Reading>) -> Vec<(u32, u64)> {
        vec![(event.event.device, event.event.at / 3600)]
    }
    fn apply(&self, _: &(u32, u64), hour: Option<Hour>, event: &Recorded<Reading>) -> Option<Hour> {
        let now = event.event.centidegrees;
        let mut hour = hour.unwrap_or(Hour { readings: 0, coldest: now, hottest: now, sum: 0 });
        hour.readings += 1;
        hour.coldest = hour.coldest.min(now);
        hour.hottest = hour.hottest.max(now);
        hour.sum += i64::from(now);
        Some(hour)
    }
}

/// What a sensor shows: warmer by day than by night, and no two the same.
pub fn reading(device: u32, at: u64) -> Reading {
    let by_day = (at % 86_400) as f64 / 86_400.0 * std::f64::consts::TAU;
    let own = f64::from(device.wrapping_mul(2_654_435_761) % 500);
    Reading { device, at, centidegrees: (1_500.0 - 800.0 * by_day.cos() + own) as i32 }
}

#[cfg(test)]
mod tests;
