//! The disk of the data folder is full: calls and reads go on, what is new is refused with its reason, and nothing is lost
//! that was acknowledged, neither when there is room again nor when the switch dies before.
//!
//! The disk is a small filesystem in memory, mounted in a namespace of the switch's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use callwright_sim::phone::manner::Order;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::Effort;
use crate::handset::Handset;
use crate::switch::{Folder, PASSWORD, RESTLESS, Switch, given};
use crate::traffic::Traffic;
use crate::uploads::upload;
use crate::verdict::Verdicts;

/// Calls a second meanwhile, and how long each talks.
const RATE: u32 = 10;
const TALKS: Duration = Duration::from_millis(100);
/// How long an answer to a REGISTER may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// How long records that could not be written may take once there is room.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(20);
/// Mounts the data folder and becomes the switch.
const MOUNTED: &str = "mount -t tmpfs -o size=12m,mode=700 callwright data && exec \"$0\" \"$@\"";

/// Fills the disk under a switch that is used.
pub(crate) fn full(effort: Effort, verdicts: &mut Verdicts) {
    let lasts = Duration::from_secs(if effort.quick { 3 } else { 20 });
    if !succeeds(unshare().args(["sh", "-c", "mount -t tmpfs callwright /mnt"])) {
        let help = "root, or: sudo sysctl kernel.unprivileged_userns_clone=1";
        verdicts.check("a small filesystem can be mounted", false, "it cannot", help);
        return;
    }
    let folder = Folder::new("disk");
    fs::create_dir(folder.path().join("data")).unwrap();
    let mut command = unshare();
    command.args(["sh", "-c", MOUNTED, &given("CALLWRIGHT")]);
    let (switch, _) = Switch::start_by(&folder, command);
    let versions = ["one", "two"].map(|mark| {
        let kept = switch.post("rules", &upload("hello-ring", mark, true)).unwrap();
        kept["version"].as_str().unwrap().to_owned()
    });
    let disk = PathBuf::from(format!("/proc/{}/root", switch.id()))
        .join(folder.path().join("data").strip_prefix("/").unwrap());
    let traffic = Traffic::start(switch.sip(), RATE, TALKS);
    std::thread::sleep(Duration::from_secs(1));
    let mut known = Handset::new(RESTLESS[0], PASSWORD, [127, 0, 0, 1], switch.sip(), 1);
    register(&mut known);
    let ballast = fill(&disk);
    refusals(&switch, &versions[0], &mut known, verdicts);
    std::thread::sleep(lasts);
    let calls = goes_on(&switch, traffic, verdicts);
    let shown = switch.all_records();
    let late = calls - shown.len();
    verdicts.check(
        "records that wait in memory",
        late > 0,
        late.to_string(),
        "some, or the disk was not full",
    );
    let died = copy_of_the_dead(&switch, &disk, &folder);
    fs::remove_file(ballast).unwrap();
    recovery(&switch, calls, verdicts);
    drop(switch);
    fs::rename(died, folder.path().join("data")).unwrap();
    what_was_kept(&folder, &shown, &versions, verdicts);
}

/// Whatever needs no room; how many calls there were.
fn goes_on(switch: &Switch, traffic: Traffic, verdicts: &mut Verdicts) -> usize {
    let reads = ["rules", "records", "registrations", "calls"];
    let unread = reads.iter().filter(|path| switch.get(path).is_none());
    let unread: Vec<_> = unread.map(|path| (*path).to_owned()).collect();
    verdicts.all("reads while the disk is full", reads.len(), &unread, "each is answered");
    let calls = traffic.end().calls;
    let failed = calls.iter().filter(|call| !call.talked());
    let failed: Vec<_> = failed.map(|call| format!("{call:?}")).collect();
    verdicts.all(format!("calls, {RATE} a second"), calls.len(), &failed, "each is answered and hung up");
    calls.len()
}

/// What a switch finds that starts from what one left that died while the disk was full.
fn what_was_kept(
    folder: &Folder,
    shown: &BTreeMap<String, Value>,
    versions: &[String; 2],
    verdicts: &mut Verdicts,
) {
    let (switch, _) = Switch::start(folder);
    let found = switch.all_records();
    let lost = shown.iter().filter(|(id, record)| found.get(*id) != Some(*record));
    let lost: Vec<_> = lost.map(|(id, _)| id.clone()).collect();
    verdicts.all("had it died meanwhile: records that were shown", shown.len(), &lost, "each is there");
    let list = switch.get("rules/hello-ring/versions").unwrap();
    let found = list["versions"].as_array().unwrap();
    let found: BTreeSet<_> = found.iter().filter_map(|found| found["version"].as_str()).collect();
    let lost = versions.iter().filter(|version| !found.contains(version.as_str()));
    let lost: Vec<_> = lost.cloned().collect();
    verdicts.all("likewise, versions that were acknowledged", versions.len(), &lost, "each is there");
    let active = switch.get("rules").unwrap()["rules"][0]["active"].clone();
    let is_so = active == versions[1];
    verdicts.check("likewise, the active version", is_so, active.to_string(), versions[1].clone());
    let is_bound = switch.registered().contains(RESTLESS[0]);
    verdicts.check("likewise, a binding that was acknowledged", is_bound, is_bound.to_string(), "true");
}

/// What is new, and who is told so.
fn refusals(switch: &Switch, version: &str, known: &mut Handset, verdicts: &mut Verdicts) {
    let (status, told) = switch.ask("rules", &upload("hello-ring", "three", true)).unwrap();
    let says = told["error"]["what"].as_str().unwrap_or_default().to_owned();
    let is_clear = status == 507 && says.contains("the disk is full");
    verdicts.check("an upload is refused", is_clear, format!("{status}: {says}"), "507, the disk is full");
    let (mut answers, mut last) = (BTreeSet::new(), 0);
    // What has a place in the log already may still be written; then no more.
    for (device, seed) in RESTLESS[1..].iter().zip(2..) {
        last = register(&mut Handset::new(device, PASSWORD, [127, 0, 0, 1], switch.sip(), seed));
        answers.insert(last);
    }
    let told: Vec<_> = answers.iter().map(ToString::to_string).collect();
    let bound = "503 in the end, and 200 only where it was kept";
    verdicts.check(
        "a new registration is refused",
        last == 503 && answers.iter().all(|it| [200, 503].contains(it)),
        told.join(" and "),
        bound,
    );
    let (status, told) = switch.ask("rules/hello-ring/activate", &json!({ "version": version })).unwrap();
    let says = told["error"]["what"].as_str().unwrap_or_default().to_owned();
    verdicts.check(
        "an activation is refused",
        status == 507,
        format!("{status}: {says}"),
        "507, the disk is full",
    );
    let refreshed = register(known);
    verdicts.check("a refresh of a known phone", refreshed == 200, refreshed.to_string(), "200");
}

/// There is room again.
fn recovery(switch: &Switch, calls: usize, verdicts: &mut Verdicts) {
    let until = Instant::now() + CAUGHT_UP_WITHIN;
    while switch.all_records().len() < calls && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    let records = switch.all_records().len();
    let measured = format!("{records} records of {calls} calls");
    verdicts.check("with room again each call gets its record", records == calls, measured, "as many");
    let upload = switch.ask("rules", &upload("hello-ring", "four", false)).unwrap().0;
    let register = register(&mut Handset::new(RESTLESS[7], PASSWORD, [127, 0, 0, 1], switch.sip(), 100));
    let measured = format!("{upload} and {register}");
    verdicts.check("an upload and a registration", (upload, register) == (201, 200), measured, "201 and 200");
}

/// The answer to a REGISTER; 0 where there is none.
fn register(handset: &mut Handset) -> u16 {
    let began = Instant::now();
    handset.order(Duration::ZERO, Order::Register);
    while began.elapsed() < ANSWERED_WITHIN {
        let mut status = 0;
        // What a phone makes of a 503 is to try again, so the answer is read from the wire.
        handset.listen(began.elapsed(), |datagram| status = status_of(datagram));
        if status >= 200 && status != 401 {
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    0
}

fn status_of(datagram: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(datagram);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Writes until nothing fits.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("ballast");
    let mut file = File::create(&path).unwrap();
    for piece in [vec![0; 65_536], vec![0; 4_096], vec![0; 1]] {
        while file.write_all(&piece).is_ok() {}
    }
    path
}

/// What a switch would find that was killed now.
fn copy_of_the_dead(switch: &Switch, disk: &Path, folder: &Folder) -> PathBuf {
    let copy = folder.path().join("died");
    switch.signal(Signal::STOP);
    let copied = Command::new("cp").arg("-a").arg(disk).arg(&copy).status().unwrap();
    switch.signal(Signal::CONT);
    assert!(copied.success(), "{copied}");
    fs::remove_file(copy.join("ballast")).unwrap();
    copy
}

/// A mount namespace of its own for what follows.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--mount");
    command
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
