//! The roll-up equals what a person would add up, and a device is what its own readings say.

use std::collections::BTreeMap;
use std::time::Duration;

use factlog::{App, AsOf, MemoryStore, OnTimeout, given};

use super::*;

#[test]
fn a_device_is_the_fold_of_its_own_readings() {
    let known = given([reading(1, 60), reading(2, 60), reading(1, 43_200), reading(1, 120)]);
    let device: Device = known.view(&1);
    assert_eq!((device.readings, device.last), (3, Some((120, reading(1, 120).centidegrees))));
    assert_eq!(device.hottest, Some(reading(1, 43_200).centidegrees), "it is hottest at noon");
}

#[tokio::test]
async fn every_reading_is_in_its_hour_once_however_late_it_comes() {
    let app = App::new(MemoryStore::new());
    let hours = app.project(Hours).in_memory().start().expect("it starts");
    let mut expected: BTreeMap<(u32, u64), (u64, i64)> = BTreeMap::new();
    let mut last = None;
    for at in [0, 7_199, 3_600, 60, 3_599, 7_200] {
        let upload: Vec<_> = (0..3).map(|device| reading(device, at)).collect();
        for reading in &upload {
            let (readings, sum) = expected.entry((reading.device, at / 3_600)).or_default();
            *readings += 1;
            *sum += i64::from(reading.centidegrees);
        }
        last = app.execute(Upload(upload)).await.expect("nothing to refuse").position;
    }
    hours.at_least(last, Duration::from_secs(10), OnTimeout::Error).await.expect("it follows");
    let all = hours.all().await.expect("it reads");
    let found: BTreeMap<_, _> = all.into_iter().map(|(key, hour)| (key, (hour.readings, hour.sum))).collect();
    assert_eq!(found, expected);
    let then = AsOf::Position(factlog::Position::new(6).expect("not zero"));
    assert_eq!(app.load::<Device>(&1).at(then).await.expect("loads").state.readings, 2);
    hours.stop().await.expect("it stops");
}
