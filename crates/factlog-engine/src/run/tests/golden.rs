//! The golden file: what version 1 wrote must be read for as long as the format document says so.
//!
//! `FACTLOG_WRITE_GOLDEN=1` writes it anew, which is a change of format and belongs into `docs/format.md`.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::check;
use super::*;

#[test]
fn a_run_is_written_as_ever() {
    let mut events = some_events(150);
    events.iter_mut().for_each(|event| event.tags.push("all".to_owned()));
    let (file, _, model) = gather(&events, 1_000, &mut BTreeMap::new());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/run.idx");
    if std::env::var_os("FACTLOG_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, file.bytes()).expect("write");
    }
    let stored = std::fs::read(&path).expect("a golden file");
    assert!(stored == file.bytes(), "run.idx is no longer written as it was; see docs/format.md");
    let run = open(&Memory::of(stored), RunName { level: 0, first: 1_000, last: 1_149 }).expect("whole");
    check(&run, &mut |_| {}).expect("whole");
    assert!(contents(&run).expect("whole") == model);
}
