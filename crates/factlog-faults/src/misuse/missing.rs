//! Directories of which something is gone: a file that was deleted, a copy that broke off.
//!
//! * Whatever is opened in that state must not make it worse: with what was gone back in its place, all is there again.
//! * The end of the last write-ahead file is the one thing that can be cut off without a trace: nothing behind it vouches
//!   for it, and no file tells how long it was. What is left is a prefix then, as after a torn write.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use factlog_core::RecordedEvent;

use super::copies::{Found, found};
use super::scene::{Scene, contents, copy, paths};
use crate::look::read_all;

/// What is done to a file.
type Harm = fn(&Path) -> Result<()>;

pub(super) fn removed() -> Result<String> {
    each(|path| {
        let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        gone.context("it cannot be removed")
    })
}

pub(super) fn halved() -> Result<String> {
    each(|path| {
        if path.is_dir() {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(file.metadata()?.len() / 2).context("it cannot be cut")
    })
}

/// Harms each file and folder of a store in turn, both copies of the manifest at once too.
fn each(harm: Harm) -> Result<String> {
    let mut scene = Scene::filled(1_200)?;
    let log = scene.judge()?;
    let store = scene.store();
    let mut victims: Vec<Vec<PathBuf>> = paths(&store)?.into_iter().map(|path| vec![path]).collect();
    victims.push(vec![PathBuf::from("MANIFEST.0"), PathBuf::from("MANIFEST.1")]);
    let (mut whole, mut damaged, mut refused, mut shorter) = (0, 0, 0, 0);
    for victims in &victims {
        let dir = scene.path("harmed");
        copy(&store, &dir)?;
        match one(&store, &dir, victims, harm, &log).with_context(|| format!("without {victims:?}"))? {
            Found::Prefix(count) if count == log.len() => whole += 1,
            Found::Prefix(_) => shorter += 1,
            Found::Damaged { .. } => damaged += 1,
            Found::Refused(_) => refused += 1,
        }
        fs::remove_dir_all(&dir)?;
    }
    ensure!(shorter <= 1, "only one file is at the end of the log, and {shorter} times its end was missing");
    Ok(format!(
        "{} events in {} files and folders: {whole} times whole, {damaged} times open with the damage named, {refused} \
         times refused by name, {shorter} times its end cut off",
        log.len(),
        victims.len()
    ))
}

fn one(store: &Path, dir: &Path, victims: &[PathBuf], harm: Harm, log: &[RecordedEvent]) -> Result<Found> {
    for victim in victims {
        harm(&dir.join(victim))?;
    }
    let before = contents(dir)?;
    let found = found(dir, log)?;
    match &found {
        Found::Prefix(count) => {
            let may_be_torn = victims[0].starts_with("wal") && dir.join(&victims[0]).is_file();
            ensure!(*count == log.len() || may_be_torn, "{count} of {} events are left", log.len());
        }
        Found::Damaged { what, .. } | Found::Refused(what) => {
            let names = victims.iter().map(|victim| victim.to_string_lossy());
            // A folder is told by what is missed in it.
            let is_named = names.into_iter().any(|name| what.contains(&*name))
                || (what.contains("MANIFEST") && victims[0].starts_with("MANIFEST.0"));
            ensure!(is_named, "what is said does not name it: {what}");
            // What opening does not read it finds out of later, and has gone on by then.
            if !matches!(found, Found::Damaged { is_known_at_once: false, .. }) {
                is_no_worse(&before, dir)?;
            }
            put_back(store, dir, victims)?;
            let again = read_all(dir).context("with everything back in its place")?;
            ensure!(again == log, "with everything back in its place it holds something else");
        }
    }
    Ok(found)
}

/// Opening changed nothing of what was there, but what can be made again.
fn is_no_worse(before: &std::collections::BTreeMap<PathBuf, u64>, dir: &Path) -> Result<()> {
    let after = contents(dir)?;
    for (path, hash) in before {
        let can_be_made_again = path.starts_with("index") || path == Path::new("LOCK");
        ensure!(can_be_made_again || after.get(path) == Some(hash), "opening it changed {}", path.display());
    }
    Ok(())
}

fn put_back(store: &Path, dir: &Path, victims: &[PathBuf]) -> Result<()> {
    for victim in victims {
        let (from, to) = (store.join(victim), dir.join(victim));
        if from.is_dir() {
            if to.exists() {
                fs::remove_dir(&to).context("something was made in its place")?;
            }
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
