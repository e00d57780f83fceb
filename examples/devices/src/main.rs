//! A fleet sends small readings through gateways; a read model rolls them up by the hour, and any device can be asked
//! about any moment.
//!
//! `cargo run --release -p devices [READINGS [DIRECTORY]]`: 200,000 unless said, in a temporary log unless said.
#![expect(clippy::print_stdout, reason = "it tells a story on the terminal")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use factlog::engine::Settings;
use factlog::{App, AsOf, Engine, OnTimeout, Position};

use devices::{Device, Hours, Upload, reading};

/// Devices of the fleet; each is read once a minute.
const DEVICES: u32 = 500;
/// Gateways that upload at the same time.
const GATEWAYS: u32 = 4;
/// Readings that a gateway hands over at once: durable together, or not at all.
const UPLOAD: usize = 1_000;
/// 2026-01-01, when the fleet went into service.
const BEGINNING: u64 = 1_767_225_600;

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let wanted = words.next().map_or(Ok(200_000), |word| word.replace('_', "").parse::<u64>());
    let wanted = wanted.context("the first word is how many readings")?;
    let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
    let directory = words.next().map_or_else(|| temporary.path().join("log"), PathBuf::from);
    let store = Engine::open(&directory, Settings::default())
        .with_context(|| format!("the log in {} cannot be opened", directory.display()))?;
    let app = App::new(store);
    let before = Position::number(app.store().head().await?.position);
    let hours = app.project(Hours).in_memory().start()?;

    let minutes = wanted.div_ceil(u64::from(DEVICES)).max(1);
    println!(
        "{DEVICES} devices send a reading a minute for {minutes} minutes, through {GATEWAYS} gateways ..."
    );
    upload(&app, minutes).await?;
    let head = app.store().head().await?.position;
    let sent = Position::number(head) - before;
    ensure!(sent == minutes * u64::from(DEVICES), "{sent} readings are recorded");
    hours.at_least(head, Duration::from_secs(600), OnTimeout::Error).await?;

    println!(
        "\ndevice 17, hour by hour:\n{:<8}{:>10}{:>10}{:>10}{:>10}",
        "hour", "readings", "coldest", "mean", "hottest"
    );
    let of_one = hours.scan(|(device, _)| *device == 17).await?;
    for ((_, hour), of_hour) in of_one.iter().take(24) {
        let degrees = |centidegrees: f64| format!("{:.2}", centidegrees / 100.0);
        let mean = of_hour.sum as f64 / of_hour.readings as f64;
        let (coldest, hottest) = (f64::from(of_hour.coldest), f64::from(of_hour.hottest));
        let hour = format!("{:02}:00", hour % 24);
        println!(
            "{hour:<8}{:>10}{:>10}{:>10}{:>10}",
            of_hour.readings,
            degrees(coldest),
            degrees(mean),
            degrees(hottest)
        );
    }
    let all: u64 = hours.all().await?.iter().map(|(_, hour)| hour.readings).sum();
    ensure!(all == Position::number(head), "every reading is in one hour, once: {all}");

    println!("\ndevice 17, as the log knew it:");
    for part in 1..=4 {
        let Some(at) = Position::new(Position::number(head) * part / 4) else { continue };
        let device = app.load::<Device>(&17).at(AsOf::Position(at)).await?.state;
        let (last, hottest) = (device.last.map_or(0, |(_, last)| last), device.hottest.unwrap_or(0));
        println!(
            "  at position {at}: {} readings, last {last}, hottest {hottest} (1/100 °C)",
            device.readings
        );
    }
    hours.stop().await?;
    Ok(app.store().close().await?)
}

/// Each gateway uploads the readings of its devices, a thousand at a time.
async fn upload(app: &App, minutes: u64) -> Result<()> {
    let mut gateways = tokio::task::JoinSet::new();
    for gateway in 0..GATEWAYS {
        let app = app.clone();
        gateways.spawn(async move {
            let mut waiting = Vec::with_capacity(UPLOAD);
            for minute in 0..minutes {
                for device in (gateway..DEVICES).step_by(GATEWAYS as usize) {
                    waiting.push(reading(device, BEGINNING + minute * 60));
                    if waiting.len() == UPLOAD {
                        app.execute(Upload(std::mem::take(&mut waiting))).await?;
                    }
                }
            }
            app.execute(Upload(waiting)).await
        });
    }
    while let Some(gateway) = gateways.join_next().await {
        gateway??;
    }
    Ok(())
}
