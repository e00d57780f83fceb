//! A disk without faults does what the machine's own file system does, errors and all.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use factlog_engine::simulation::{Disk, DiskFile};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::SimDisk;

const NAMES: [&str; 7] = ["a", "b", "d", "d/x", "d/y", "a/x", "none/x"];

#[derive(Clone, Debug)]
enum Step {
    CreateDir(usize),
    Create(usize),
    Open(usize),
    Write { file: usize, offset: u64, bytes: Vec<u8>, durably: bool },
    Read { file: usize, offset: u64, length: usize },
    Length(usize),
    Sync(usize),
    Rename(usize, usize),
    Remove(usize),
    List(usize),
    SyncDir(usize),
    Lock(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let file = 0..8_usize;
    prop_oneof![
        1 => name.clone().prop_map(Step::CreateDir),
        3 => name.clone().prop_map(Step::Create),
        2 => name.clone().prop_map(Step::Open),
        4 => (file.clone(), 0..3000_u64, vec(any::<u8>(), 0..2000), any::<bool>())
            .prop_map(|(file, offset, bytes, durably)| Step::Write { file, offset, bytes, durably }),
        3 => (file.clone(), 0..4000_u64, 0..3000_usize)
            .prop_map(|(file, offset, length)| Step::Read { file, offset, length }),
        1 => file.clone().prop_map(Step::Length),
        1 => file.prop_map(Step::Sync),
        2 => (name.clone(), name.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name.clone().prop_map(Step::Remove),
        2 => name.clone().prop_map(Step::List),
        1 => name.clone().prop_map(Step::SyncDir),
        1 => name.prop_map(Step::Lock),
    ]
}

/// An answer that can be compared.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Bytes(Vec<u8>),
    Names(Vec<String>),
    Number(u64),
    Failed(Option<i32>),
}

fn answer<T>(result: io::Result<T>, tell: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => tell(value),
        Err(error) => Answer::Failed(error.raw_os_error()),
    }
}

/// The simulated disk with the files that are open.
struct Simulated {
    disk: SimDisk,
    open: Vec<Box<dyn DiskFile>>,
}

impl Simulated {
    fn apply(&mut self, step: &Step) -> Answer {
        let disk = self.disk.mount();
        let path = |name: usize| Path::new(NAMES[name]);
        let done = |()| Answer::Done;
        let file = |file: usize| (!self.open.is_empty()).then(|| &*self.open[file % self.open.len()]);
        let opened = match step {
            Step::Create(name) => disk.create(path(*name)),
            Step::Open(name) => disk.open(path(*name)),
            Step::CreateDir(name) => return answer(disk.create_dir(path(*name)), done),
            Step::Rename(from, to) => return answer(disk.rename(path(*from), path(*to)), done),
            Step::Remove(name) => return answer(disk.remove(path(*name)), done),
            Step::SyncDir(name) => return answer(disk.sync_dir(path(*name)), done),
            Step::Lock(name) => return answer(disk.lock(path(*name)), |_| Answer::Done),
            Step::List(name) => return answer(disk.list(path(*name)), sorted),
            Step::Write { file: at, offset, bytes, durably } => {
                return file(*at).map_or(Answer::Done, |file| {
                    let write = if *durably {
                        file.write_durably(bytes, *offset)
                    } else {
                        file.write_at(bytes, *offset)
                    };
                    answer(write, done)
                });
            }
            Step::Read { file: at, offset, length } => {
                let mut buffer = vec![0; *length];
                let read = file(*at).map_or(Ok(0), |file| file.read_at(&mut buffer, *offset));
                return answer(read, |count| Answer::Bytes(buffer[..count].to_vec()));
            }
            Step::Length(at) => {
                return answer(file(*at).map_or(Ok(0), |file| file.length()), Answer::Number);
            }
            Step::Sync(at) => return answer(file(*at).map_or(Ok(()), |file| file.sync()), done),
        };
        answer(opened, |file| {
            self.open.push(file);
            Answer::Done
        })
    }
}

/// The machine's own.
struct Real<'a> {
    root: &'a Path,
    open: Vec<File>,
}

impl Real<'_> {
    fn apply(&mut self, step: &Step) -> Answer {
        let path = |name: usize| self.root.join(NAMES[name]);
        let done = |()| Answer::Done;
        let file = |file: usize| (!self.open.is_empty()).then(|| &self.open[file % self.open.len()]);
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let opened = match step {
            Step::Create(name) => options.create(true).truncate(true).open(path(*name)),
            Step::Open(name) => options.open(path(*name)),
            Step::CreateDir(name) => return answer(fs::create_dir_all(path(*name)), done),
            Step::Rename(from, to) => return answer(fs::rename(path(*from), path(*to)), done),
            Step::Remove(name) => return answer(fs::remove_file(path(*name)), done),
            Step::SyncDir(name) => {
                return answer(File::open(path(*name)).and_then(|file| file.sync_all()), done);
            }
            Step::Lock(name) => {
                let file = options.create(true).truncate(false).open(path(*name));
                return answer(file, |_| Answer::Done);
            }
            Step::List(name) => {
                let names = fs::read_dir(path(*name)).and_then(|entries| {
                    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
                });
                return answer(names, sorted);
            }
            Step::Write { file: at, offset, bytes, .. } => {
                return answer(file(*at).map_or(Ok(()), |file| file.write_all_at(bytes, *offset)), done);
            }
            Step::Read { file: at, offset, length } => {
                let mut buffer = vec![0; *length];
                let read = file(*at).map_or(Ok(0), |file| file.read_at(&mut buffer, *offset));
                return answer(read, |count| Answer::Bytes(buffer[..count].to_vec()));
            }
            Step::Length(at) => {
                let length = file(*at).map_or(Ok(0), |file| file.metadata().map(|data| data.len()));
                return answer(length, Answer::Number);
            }
            Step::Sync(_) => return Answer::Done,
        };
        answer(opened, |file| {
            self.open.push(file);
            Answer::Done
        })
    }
}

fn sorted(mut names: Vec<String>) -> Answer {
    names.sort();
    Answer::Names(names)
}

/// All files of a directory.
fn walk(real: &Path, path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(real).expect("list") {
        let name = entry.expect("entry").file_name();
        let (real, path) = (real.join(&name), path.join(&name));
        if real.is_dir() {
            walk(&real, &path, found);
        } else {
            found.insert(path, fs::read(real).expect("read"));
        }
    }
}

/// Whether a rename goes into another directory, which is refused here.
fn is_refused(step: &Step) -> bool {
    matches!(step, Step::Rename(from, to) if Path::new(NAMES[*from]).parent() != Path::new(NAMES[*to]).parent())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_steps_have_the_same_answers_as_on_a_real_disk(steps in vec(step(), 1..60), seed: u64) {
        let root = tempfile::tempdir().expect("a directory");
        let mut real = Real { root: root.path(), open: Vec::new() };
        let mut simulated = Simulated { disk: SimDisk::new(seed), open: Vec::new() };
        for step in steps.iter().filter(|step| !is_refused(step)) {
            prop_assert_eq!(simulated.apply(step), real.apply(step), "{:?}", step);
        }
        let files = simulated.disk.files();
        let mut found = BTreeMap::new();
        walk(root.path(), Path::new("/"), &mut found);
        prop_assert_eq!(files, found);
    }

    #[test]
    fn what_was_synced_last_is_what_the_power_leaves(steps in vec(step(), 1..60), seed: u64) {
        let mut simulated = Simulated { disk: SimDisk::new(seed), open: Vec::new() };
        for step in &steps {
            simulated.apply(step);
        }
        let disk = simulated.disk.mount();
        for path in simulated.disk.files().keys() {
            disk.open(path).expect("open").sync().expect("sync");
        }
        disk.sync_dir(Path::new("/")).expect("sync directory");
        for name in NAMES {
            drop(disk.sync_dir(Path::new(name)));
        }
        let before = simulated.disk.files();
        simulated.disk.power_loss(super::super::Profile::WORST);
        prop_assert_eq!(simulated.disk.files(), before);
    }
}
