//! Several processes, and signals.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::scene::{Scene, start};
use crate::life::{self, Life, News};
use crate::told::Line;
use crate::worker::WorkerArguments;

/// What "at once" means to somebody at a terminal.
const AT_ONCE: Duration = Duration::from_secs(5);

pub(super) fn second_process() -> Result<String> {
    let mut scene = Scene::new()?;
    let worker = scene.worker();
    let mut first = start(&worker)?;
    scene.hear(&mut first, 100)?;
    let second = scene.worker();
    let said = refused_at_once(&second)?;
    scene.hear(&mut first, 100)?;
    scene.kill(first)?;
    let mut third = start(&second)?;
    scene.hear(&mut third, 100)?;
    scene.close(third)?;
    let log = scene.judge()?;
    Ok(format!("\"{said}\"; {} events", log.len()))
}

/// What it is told, that wants to open a store which another has.
fn refused_at_once(worker: &WorkerArguments) -> Result<String> {
    let mut life = Life::start(life::command(worker)?, &[])?;
    life.remind_after(AT_ONCE);
    match life.next()? {
        News::Told(_, Line::Failed(refusal)) => {
            let said = refusal.message.replace(&worker.dir.to_string_lossy().into_owned(), "DIR");
            ensure!(refusal.kind == "Unavailable", "{}: {said}", refusal.kind);
            ensure!(said.contains("DIR is open already") && said.contains("close it there"), "{said}");
            ensure!(!life.wait()?.success(), "it refused and ended as if all were well");
            Ok(said)
        }
        News::Due => bail!("it waits for the store instead of refusing"),
        other => bail!("two processes have the store: {other:?}"),
    }
}

pub(super) fn stopped_process() -> Result<String> {
    let mut scene = Scene::new()?;
    let worker = scene.worker();
    let mut life = start(&worker)?;
    scene.hear(&mut life, 200)?;
    life.signal(Signal::STOP)?;
    let second = scene.worker();
    refused_at_once(&second)?;
    std::thread::sleep(Duration::from_secs(3));
    life.signal(Signal::CONT)?;
    // What it told before it was stopped, and much more.
    scene.hear(&mut life, 1_000)?;
    scene.close(life)?;
    let log = scene.judge()?;
    Ok(format!("stopped for 3 s, a second process refused meanwhile, {} events", log.len()))
}

pub(super) fn terminated_process() -> Result<String> {
    let mut scene = Scene::new()?;
    for _ in 0..5 {
        let worker = scene.worker();
        let mut life = start(&worker)?;
        scene.hear(&mut life, 100)?;
        life.signal(Signal::TERM)?;
        let (status, _) = scene.end(life)?;
        let signal = status.signal().context("it does not end by SIGTERM")?;
        ensure!(signal == Signal::TERM.as_raw(), "it ended by signal {signal}");
    }
    let worker = scene.worker();
    let mut last = start(&worker)?;
    scene.hear(&mut last, 100)?;
    scene.close(last)?;
    let log = scene.judge()?;
    Ok(format!("5 processes, {} events", log.len()))
}
