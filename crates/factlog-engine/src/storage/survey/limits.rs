//! What the system allows this process: open files and memory.

use std::fs;
use std::path::Path;

use rustix::process::Resource;

/// The memory that there is for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    pub(crate) bytes: u64,
    /// Whether a control group sets it; otherwise the machine has no more.
    pub(crate) by_group: bool,
}

/// How many files this process may have open; `None` without a bound.
pub(crate) fn open_files_limit() -> Option<u64> {
    rustix::process::getrlimit(Resource::Nofile).current
}

/// The machine's memory, or what a control group allows of it; `None` where the system does not say.
pub(crate) fn memory_limit() -> Option<MemoryLimit> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    smaller(machine, group_limit(&groups, Path::new("/sys/fs/cgroup")))
}

fn smaller(machine: Option<u64>, group: Option<u64>) -> Option<MemoryLimit> {
    match (machine, group) {
        (Some(machine), Some(group)) if machine <= group => {
            Some(MemoryLimit { bytes: machine, by_group: false })
        }
        (_, Some(bytes)) => Some(MemoryLimit { bytes, by_group: true }),
        (Some(bytes), None) => Some(MemoryLimit { bytes, by_group: false }),
        (None, None) => None,
    }
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The smallest bound of the groups that `/proc/self/cgroup` names, in either version, and of those above them.
fn group_limit(groups: &str, root: &Path) -> Option<u64> {
    let bounds = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let own = root.join(path.trim_start_matches('/'));
        let above = own.ancestors().take_while(|dir| dir.starts_with(&root));
        // "max" is no number, and none.
        let read = |dir: &Path| fs::read_to_string(dir.join(file)).ok()?.trim().parse::<u64>().ok();
        above.filter_map(read).min()
    });
    bounds.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(memory_total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(memory_total("MemFree: 1 kB\n"), None);
    }

    /// Would fail if a container's bound, set on a group above its own, went unseen.
    #[test]
    fn the_smallest_bound_of_all_groups_above_counts_in_both_versions() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/memory.max", "1000\n");
        write("a/b/memory.max", "max\n");
        write("memory/c/memory.limit_in_bytes", "900\n");
        assert_eq!(group_limit("0::/a/b\n", root.path()), Some(1000));
        assert_eq!(group_limit("0::/a/b\n4:memory:/c/d\n", root.path()), Some(900));
        assert_eq!(group_limit("0::/\n3:cpu:/c\n", root.path()), None);
    }

    #[test]
    fn the_machine_counts_where_a_group_allows_more() {
        let machine = MemoryLimit { bytes: 10, by_group: false };
        assert_eq!(smaller(Some(10), Some(20)), Some(machine));
        assert_eq!(smaller(Some(10), Some(5)), Some(MemoryLimit { bytes: 5, by_group: true }));
        assert_eq!(smaller(None, None), None);
    }
}
