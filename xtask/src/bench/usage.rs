//! What processes use, as Linux counts it.

use std::collections::BTreeMap;
use std::time::Duration;

/// A process and everything it has started, itself included.
pub(super) fn family(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, parent)) = pid.and_then(|pid: u32| Some((pid, stat(pid)?.parent))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        family.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    family
}

/// Processor time of these processes so far, with that of their children which have ended.
pub(super) fn processor_time(pids: &[u32]) -> Duration {
    pids.iter().filter_map(|pid| stat(*pid)).map(|stat| stat.ran).sum()
}

/// Memory of these processes in bytes; a page that several share is counted once in all.
pub(super) fn memory(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(of).map(|kib| kib * 1024).sum()
}

/// Memory of a process in bytes, pages shared with others included.
pub(super) fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// The most that it was since the process began, or since [`forget_most_memory`].
pub(super) fn most_memory(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// Lets [`most_memory`] begin anew (proc(5), `clear_refs`).
pub(super) fn forget_most_memory(pid: u32) -> std::io::Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

/// A line of `/proc/PID/status` that is in KiB.
fn status(pid: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value =
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or(0) * 1024
}

struct Stat {
    parent: u32,
    ran: Duration,
}

/// Reads `/proc/PID/stat`; the name, which may hold anything, ends at the last parenthesis.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // utime, stime, cutime and cstime are fields 14 to 17 of proc(5), and the third is the first here.
    let ticks: u64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ran: TICK * u32::try_from(ticks).ok()? })
}

/// `USER_HZ` is 100 on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_belongs_to_its_family_and_uses_time_and_memory() {
        let own = std::process::id();
        assert_eq!(family(own).first(), Some(&own));
        assert!(memory(&[own]) > 0 && resident(own) > 0 && most_memory(own) >= resident(own) / 2);
        let mut sum = 0_u64;
        while processor_time(&[own]).is_zero() {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
    }
}
