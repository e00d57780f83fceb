//! Directories that are no store, or that the process may not use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use factlog_engine::{Engine, Settings};

use super::copies::goes_on;
use super::scene::{Scene, contents, paths};
use crate::life::{self, Life};
use crate::look::read_all;
use crate::told::Line;

/// Nobody, on every Linux.
const NOBODY: u32 = 65_534;

pub(super) fn empty() -> Result<String> {
    let scene = Scene::new()?;
    for name in ["empty", "not/there/yet"] {
        let dir = scene.path(name);
        if name == "empty" {
            fs::create_dir(&dir)?;
        }
        ensure!(read_all(&dir)?.is_empty(), "a new store has events");
        goes_on(&dir, 0)?;
    }
    Ok("2 places".to_owned())
}

/// Why a directory is not opened.
fn refusal(dir: &Path) -> Result<String> {
    match Engine::open(dir, Settings::default()) {
        Ok(_) => bail!("{} opens", dir.display()),
        Err(error) => Ok(error.to_string().replace(&dir.to_string_lossy().into_owned(), "DIR")),
    }
}

pub(super) fn foreign() -> Result<String> {
    let scene = Scene::new()?;
    let dir = scene.path("letters");
    fs::create_dir_all(dir.join("old"))?;
    fs::write(dir.join("to-ada.txt"), "Dear Ada")?;
    let before = contents(&dir)?;
    let said = refusal(&dir)?;
    ensure!(said.contains("no factlog store"), "{said}");
    ensure!(contents(&dir)? == before, "something was made or changed there");
    Ok(format!("\"{said}\""))
}

pub(super) fn wrong_kinds() -> Result<String> {
    let mut scene = Scene::filled(300)?;
    let log = scene.judge()?;
    let file = scene.path("file");
    fs::write(&file, "no folder")?;
    let mut said = vec![refusal(&file)?];
    ensure!(said[0].contains("DIR"), "what is said does not name it: {}", said[0]);
    let store = scene.store();
    for name in ["wal", "segments", "index", "STORE", "MANIFEST.0", "LOCK"] {
        let (victim, aside) = (store.join(name), scene.path("aside"));
        fs::rename(&victim, &aside)?;
        if aside.is_dir() {
            fs::write(&victim, "no folder")?;
        } else {
            fs::create_dir(&victim)?;
        }
        match Engine::open(&store, Settings::default()) {
            Ok(engine) => {
                pollster::block_on(factlog_core::EventStore::close(&engine))?;
                // What can be made again was; it is put back all the same.
                ensure!(read_all(&store)? == log, "with another {name} it holds something else");
            }
            Err(error) => {
                ensure!(error.to_string().contains(name), "what is said does not name {name}: {error}");
                said.push(error.to_string());
            }
        }
        if victim.is_dir() {
            fs::remove_dir_all(&victim)?;
        } else {
            fs::remove_file(&victim)?;
        }
        fs::rename(&aside, &victim)?;
        ensure!(read_all(&store)? == log, "with {name} back in its place it holds something else");
    }
    Ok(format!("{} of 7 refused by name, the others mended", said.len()))
}

pub(super) fn permissions() -> Result<String> {
    let mut scene = Scene::filled(300)?;
    let log = scene.judge()?;
    let store = scene.store();
    let reachable = scene.path("");
    fs::set_permissions(&reachable, Permissions::from_mode(0o755))?;
    // As root nothing is forbidden: the worker becomes somebody else.
    let is_root = rustix::process::geteuid().is_root();
    let mut said = Vec::new();
    for mode in [0o000, 0o444, 0o555] {
        let before = contents(&store)?;
        set_modes(&store, mode)?;
        let mut command = life::command(&scene.worker())?;
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let life = Life::start(command, &[]);
        let told = life.and_then(|mut life| {
            let told = life.next_line()?;
            ensure!(life.wait()?.code() == Some(1), "it refused, but ended otherwise");
            Ok(told)
        });
        set_modes(&store, 0o755)?;
        let Some(Line::Failed(refusal)) = told? else { bail!("with mode {mode:o} it opens") };
        let message = refusal.message.replace(&store.to_string_lossy().into_owned(), "DIR");
        ensure!(message.contains("DIR") && message.contains("check the owner and mode"), "{message}");
        ensure!(contents(&store)? == before, "with mode {mode:o} something was changed");
        said.push(format!("{mode:o}: \"{message}\""));
    }
    ensure!(scene.judge()? == log, "it holds something else");
    Ok(said.join("; "))
}

/// Modes of the store, all its files and folders.
fn set_modes(store: &Path, mode: u32) -> Result<()> {
    // While it is readable, on the way down or up.
    let is_open = fs::set_permissions(store, Permissions::from_mode(0o755));
    is_open.context("the mode cannot be set")?;
    for path in ["wal", "segments", "index"] {
        fs::set_permissions(store.join(path), Permissions::from_mode(0o755))?;
    }
    for path in paths(store)?.into_iter().rev() {
        fs::set_permissions(store.join(path), Permissions::from_mode(mode))?;
    }
    fs::set_permissions(store, Permissions::from_mode(mode))?;
    Ok(())
}
