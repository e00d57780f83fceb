//! What a bundle holds. Each piece says what could not be told, and why; none can keep the others from being there.

use std::path::Path;
use std::time::UNIX_EPOCH;

use factlog_core::{Administration as _, EventStore as _, Position};
use factlog_engine::{Checkup, Extent, Level, Settings, verify};
use serde_json::{Value, json};

use super::redact;
use crate::commands::doctor;
use crate::context::Context;
use crate::contexts::Contexts;
use crate::failure::Outcome;
use crate::settings::{self, Flags, Found};

/// Up to this size a store is verified for a bundle, as a sample.
const VERIFIED_BYTES_MAX: u64 = 1 << 30;
/// The percentage of each segment that is read for it.
const SAMPLE: f64 = 5.0;

/// One file of a bundle.
pub(super) struct Piece {
    pub(super) name: &'static str,
    /// What it holds, for people.
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    fn new(name: &'static str, what: &'static str, content: &Value) -> Self {
        let mut bytes = serde_json::to_vec_pretty(content).expect("a document can always be written");
        bytes.push(b'\n');
        Self { name, what, bytes }
    }
}

/// All pieces.
pub(super) fn gather(context: &Context) -> Outcome<Vec<Piece>> {
    let directory = context.directory()?;
    let files = files(directory);
    let size = files["bytes"].as_u64().unwrap_or(u64::MAX);
    let checkup = factlog_engine::doctor(directory, &Settings::default(), &mut |_| {});
    Ok(vec![
        Piece::new("about.json", "this program and this machine", &about()),
        Piece::new("settings.json", "settings and contexts, without what may be secret", &settings(context)),
        Piece::new("doctor.json", "what `factlog doctor` finds", &doctor::document(&checkup)),
        Piece::new("stats.json", "the store in numbers", &stats(context, &checkup)),
        Piece::new("files.json", "the names and sizes of the store's files", &files),
        Piece::new("verify.json", "what `factlog verify` finds in a sample", &verified(directory, size)),
    ])
}

fn about() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "features": { "otel": cfg!(feature = "otel") },
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        "processors": std::thread::available_parallelism().ok().map(usize::from),
    })
}

fn settings(context: &Context) -> Value {
    let contexts = match context.contexts_file() {
        Ok(path) if path.exists() => match Contexts::load(path) {
            Ok(contexts) => {
                let places: serde_json::Map<String, Value> = contexts
                    .contexts
                    .iter()
                    .map(|(name, place)| (name.clone(), redact::place(place)))
                    .collect();
                json!({ "in_use": contexts.current, "contexts": places })
            }
            // What it says of a line may quote the line.
            Err(_) => json!({ "not_told": "the file of contexts cannot be read" }),
        },
        Ok(_) | Err(_) => json!({}),
    };
    let served = settings::files(None).and_then(|files| settings::look(&Flags::default(), context, &files));
    let served = match served {
        Ok(found) => found.all().iter().map(Found::json).collect(),
        // What is wrong may be a secret in the wrong place.
        Err(_) => json!({ "not_told": "the settings cannot be read: see `factlog config check`" }),
    };
    json!({ "serve": served, "environment": redact::variables(std::env::vars_os()), "contexts": contexts })
}

fn stats(context: &Context, checkup: &Checkup) -> Value {
    let not_told = |why: String| json!({ "not_told": why });
    if checkup.worst() == Level::Problem {
        // Opening cleans up after a crash, and what is wrong should be seen as it is.
        return not_told("the doctor found a problem, so the store was not opened".to_owned());
    }
    let store = match context.existing_store() {
        Ok(store) => store,
        Err(failure) => return not_told(failure.to_string()),
    };
    let stats = pollster::block_on(store.stats());
    let closed = pollster::block_on(store.close());
    match (stats, closed) {
        (Ok(stats), Ok(())) => json!({
            "store": stats.store.map(|id| id.to_string()),
            "events": stats.events, "streams": stats.streams, "types": stats.types, "tags": stats.tags,
            "head": stats.head.position.map(Position::get),
            "recorded_at": stats.head.recorded_at.map(|time| time.to_string()),
            "bytes_on_disk": stats.bytes_on_disk,
            "damage": store.damage().iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        (Err(error), _) | (_, Err(error)) => not_told(error.to_string()),
    }
}

/// The files of a store, two levels deep, which is all of them.
fn files(directory: &Path) -> Value {
    let mut found = Vec::new();
    list(directory, "", &mut found);
    for folder in ["wal", "segments", "index"] {
        list(&directory.join(folder), &format!("{folder}/"), &mut found);
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let bytes: u64 = found.iter().map(|(_, bytes, _)| bytes).sum();
    let files: Vec<Value> = found
        .into_iter()
        .map(|(name, bytes, modified)| json!({ "name": name, "bytes": bytes, "modified": modified }))
        .collect();
    json!({ "directory": directory.display().to_string(), "bytes": bytes, "files": files })
}

/// Adds name, size and time of the last change (seconds since 1970) of the files in a directory, if it is there.
fn list(directory: &Path, prefix: &str, found: &mut Vec<(String, u64, Option<u64>)>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            found.push((name, metadata.len(), modified.map(|time| time.as_secs())));
        }
    }
}

fn verified(directory: &Path, size: u64) -> Value {
    if VERIFIED_BYTES_MAX < size {
        let why = format!("the store has {size} bytes; run `factlog verify --sample 1` for itself");
        return json!({ "not_told": why });
    }
    match verify(directory, Extent::Sample { percent: SAMPLE, seed: 0 }, &mut |_| {}) {
        Err(error) => json!({ "not_told": error.to_string() }),
        Ok(report) => json!({
            "clean": report.is_clean(), "sample_percent": SAMPLE,
            "events": report.events, "segments": report.segments, "index_runs": report.runs, "bytes": report.bytes,
            "damage": report.damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "mendable": report.mendable.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
    }
}
