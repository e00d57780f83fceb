//! Clocks that jump, stand still and run backwards, from one process to the next.
//!
//! Where libfaketime is installed the system's own clock jumps too, as far as a process can see.

use std::path::Path;

use anyhow::{Result, ensure};

use super::scene::{Scene, start, start_as};
use crate::life;
use crate::worker::Time;

/// Where distributions put it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

pub(super) fn all() -> Result<String> {
    let mut scene = Scene::new()?;
    for time in [
        Time::Frozen,
        Time::System,
        Time::Backwards,
        Time::Jumping,
        Time::Frozen,
        Time::Jumping,
        Time::System,
    ] {
        let mut worker = scene.worker();
        worker.time = time;
        let mut life = start(&worker)?;
        // A worker that waits for a clock tells nothing more, and that is noticed.
        scene.hear(&mut life, 400)?;
        if time == Time::Jumping { scene.kill(life)? } else { scene.close(life)? }
    }
    let faked = Path::new(FAKETIME).exists();
    if faked {
        for by in ["-3650d", "+3650d", "-1d"] {
            let mut command = life::command(&scene.worker())?;
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", by);
            let mut life = start_as(command)?;
            scene.hear(&mut life, 400)?;
            scene.close(life)?;
        }
    }
    // That times never go back is the checker's business.
    let log = scene.judge()?;
    let times = log.iter().map(|recorded| recorded.recorded_at);
    ensure!(times.clone().is_sorted(), "recorded times go back");
    let span = times.clone().next().zip(times.last());
    let span = span.map_or_else(String::new, |(first, last)| format!(" from {first} to {last}"));
    let faked = if faked { "and libfaketime" } else { "no libfaketime here" };
    Ok(format!("7 processes, {faked}, {} events{span}", log.len()))
}
