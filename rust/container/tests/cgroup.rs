//! Control groups with real processes that run into their limits. The processes are busybox's applets; each joins
//! its group itself, as a container's first process does. Needs root and a writable cgroup file system; where
//! these are missing, the tests say so and pass.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastbox_container::cgroup::{
    CgroupError, Controller, Driver, Join, Kind, Limits, Missing, OwnerGroup, Reader, clean_owner,
    owners,
};
use oci_spec::runtime::LinuxResources;

const MIB: u64 = 1024 * 1024;

/// One owner with its groups, removed at the end of the test, failed or not.
struct Host {
    driver: Driver,
    owner: String,
    group: OwnerGroup,
}

impl Drop for Host {
    fn drop(&mut self) {
        let cleaned = clean_owner(&self.driver, &self.owner);
        assert!(
            cleaned.left.is_empty() || std::thread::panicking(),
            "{cleaned:?}"
        );
    }
}

fn host() -> Option<Host> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let driver = Driver::probe();
    if !nix::unistd::Uid::effective().is_root() || driver.kind() == Kind::None {
        println!(
            "skipped: needs root and usable control groups: {:?}",
            driver.missing()
        );
        return None;
    }
    if busybox().is_none() {
        println!("skipped: needs busybox in /bin or /usr/bin");
        return None;
    }
    let owner = format!(
        "test-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let group = OwnerGroup::create(&driver, &owner).expect("owner's groups");
    Some(Host {
        driver,
        owner,
        group,
    })
}

fn busybox() -> Option<&'static str> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| fs::metadata(path).is_ok())
}

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).expect("resources")
}

impl Host {
    fn limits(&self, json: &str) -> Limits {
        Limits::compile(&self.driver, &resources(json)).expect("limits")
    }

    /// A controller the test is about; not every host has each.
    fn lacks(&self, controller: Controller) -> bool {
        let missing = self
            .driver
            .missing()
            .iter()
            .find(|one| one.controller == controller);
        if let Some(missing) = missing {
            println!("skipped: {missing}");
        }
        missing.is_some()
    }

    /// The files through which a process joins `container`.
    fn join_files(&self, container: &str, limits: &Limits) -> Vec<PathBuf> {
        let (places, file) = match self.group.join(limits) {
            Join::None => (Vec::new(), ""),
            Join::V1(places) => (places, "tasks"),
            Join::V2(place) => (vec![place], "cgroup.procs"),
        };
        places
            .iter()
            .map(|place| {
                let dir = fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd()))
                    .expect("directory");
                dir.join(format!("{container}/{file}"))
            })
            .collect()
    }

    /// Makes the container and starts `script` inside it.
    fn start(&self, container: &str, limits: &Limits, script: &str) -> Child {
        self.group.make(container, limits).expect("make");
        let mut whole = "set -e\n".to_owned();
        for file in self.join_files(container, limits) {
            whole.push_str(&format!("echo 0 > {}\n", file.display()));
        }
        whole.push_str("set +e\n");
        whole.push_str(script);
        Command::new(busybox().expect("busybox"))
            .args(["sh", "-c", &whole])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("busybox")
    }

    fn run(&self, container: &str, limits: &Limits, script: &str) -> (ExitStatus, String) {
        let output = self
            .start(container, limits, script)
            .wait_with_output()
            .expect("wait");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status, text)
    }

    /// Every directory of this owner whose name contains `name`, in any cgroup file system.
    fn left(&self, name: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut todo: Vec<PathBuf> = mount_points();
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    let ours = entry.path().to_string_lossy().contains(&self.owner);
                    if ours && entry.file_name().to_string_lossy().contains(name) {
                        found.push(entry.path());
                    } else {
                        todo.push(entry.path());
                    }
                }
            }
        }
        found
    }
}

fn mount_points() -> Vec<PathBuf> {
    fs::read_to_string("/proc/self/mountinfo")
        .expect("mountinfo")
        .lines()
        .filter(|line| line.contains(" - cgroup"))
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from))
        .collect()
}

fn id(n: u32) -> String {
    format!("{n:064x}")
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "timed out: {what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn memory_limit_kills_and_is_reported() {
    let Some(host) = host() else { return };
    if host.lacks(Controller::Memory) {
        return;
    }
    let limits = host.limits(r#"{"memory":{"limit":33554432}}"#);
    // tail keeps the whole of a file without line ends; the shell outlives it and tells its status.
    let (status, _) = host.run(&id(1), &limits, "busybox tail /dev/zero; exit $?");
    assert_eq!(status.code(), Some(137), "{status:?}");
    let usage = host.group.reader(&id(1)).usage();
    assert_eq!(usage.oom_killed, Some(true), "{usage:?}");
    if let Some(peak) = usage.memory_peak_bytes {
        assert!((24 * MIB..=33 * MIB).contains(&peak), "{usage:?}");
    }
    host.group.remove(&id(1)).expect("remove");

    // The first process itself.
    let (status, _) = host.run(&id(2), &limits, "exec busybox tail /dev/zero");
    assert_eq!(status.signal(), Some(9), "{status:?}");
    assert_eq!(host.group.reader(&id(2)).usage().oom_killed, Some(true));
    host.group.remove(&id(2)).expect("remove");
}

#[test]
fn within_the_memory_limit_nothing_is_killed() {
    let Some(host) = host() else { return };
    if host.lacks(Controller::Memory) {
        return;
    }
    let limits = host.limits(r#"{"memory":{"limit":67108864}}"#);
    let script = "busybox dd if=/dev/zero of=/dev/null bs=20M count=3 2>/dev/null";
    let (status, text) = host.run(&id(1), &limits, script);
    assert!(status.success(), "{text}");
    let usage = host.group.reader(&id(1)).usage();
    assert_eq!(usage.oom_killed, Some(false), "{usage:?}");
    if let Some(peak) = usage.memory_peak_bytes {
        assert!((20 * MIB..=64 * MIB).contains(&peak), "{usage:?}");
    }
    host.group.remove(&id(1)).expect("remove");
}

#[test]
fn pids_limit_stops_forks() {
    let Some(host) = host() else { return };
    if host.lacks(Controller::Pids) {
        return;
    }
    let limits = host.limits(r#"{"pids":{"limit":8}}"#);
    let script = "i=0; while [ $i -lt 30 ]; do busybox sleep 60 & i=$((i+1)); done";
    let child = host.start(&id(1), &limits, script);
    let output = child_output_after(child, &host.group.reader(&id(1)), 8);
    assert!(output.contains("fork"), "{output}");
    let limits = host.limits(r#"{"pids":{"limit":100}}"#);
    let script = "i=0; while [ $i -lt 30 ]; do busybox true & i=$((i+1)); done; wait";
    let (status, text) = host.run(&id(2), &limits, script);
    assert!(status.success() && text.is_empty(), "{text}");
    host.group.remove(&id(1)).expect("remove");
    host.group.remove(&id(2)).expect("remove");
}

/// Lets the processes pile up, checks that there are at most `most`, kills them, and gives what was printed.
fn child_output_after(child: Child, reader: &Reader, most: usize) -> String {
    wait_until("processes to appear", || reader.procs().len() >= most - 2);
    sleep(Duration::from_millis(100));
    let seen = reader.procs().len();
    reader.kill_all();
    let output = child.wait_with_output().expect("wait");
    assert!(seen <= most, "{seen} processes");
    wait_until("all to end", || reader.procs().is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn cpu_quota_throttles_and_usage_counts() {
    let Some(host) = host() else { return };
    if host.lacks(Controller::Cpu) {
        return;
    }
    let limits = host.limits(r#"{"cpu":{"quota":20000,"period":100000,"shares":512}}"#);
    let mut child = host.start(&id(1), &limits, "while :; do :; done");
    let reader = host.group.reader(&id(1));
    let begin = Instant::now();
    sleep(Duration::from_millis(1500));
    reader.kill_all();
    let status = child.wait().expect("wait");
    let wall = begin.elapsed().as_secs_f64();
    assert_eq!(status.signal(), Some(9));
    let usage = reader.usage();
    #[expect(clippy::cast_precision_loss)]
    let share = usage.cpu_total_ns.expect("cpu time") as f64 / 1e9 / wall;
    assert!(
        (0.02..0.45).contains(&share),
        "{share} of one CPU, {usage:?}"
    );
    let (user, system) = (
        usage.cpu_user_ns.expect("user"),
        usage.cpu_system_ns.expect("system"),
    );
    let total = usage.cpu_total_ns.expect("total");
    assert!(user > system, "{usage:?}");
    // v2 counts in whole microseconds.
    assert!((user + system).abs_diff(total) <= 2_000, "{usage:?}");
    host.group.remove(&id(1)).expect("remove");
}

#[test]
fn usage_of_a_busy_loop_is_its_time() {
    let Some(host) = host() else { return };
    let limits = host.limits("{}");
    let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; busybox cat /proc/self/stat >/dev/null; times";
    let begin = Instant::now();
    let (status, _) = host.run(&id(1), &limits, script);
    let wall = u64::try_from(begin.elapsed().as_nanos()).expect("short");
    assert!(status.success());
    let usage = host.group.reader(&id(1)).usage();
    let total = usage.cpu_total_ns.expect("cpu time");
    assert!(
        total > 10_000_000 && total < wall * 2,
        "{usage:?}, wall {wall}"
    );
    assert_ne!(usage.oom_killed, Some(true));
    host.group.remove(&id(1)).expect("remove");
}

/// Makes the node `c major:minor` in a new directory and opens it, inside the group.
fn try_device(host: &Host, container: &str, limits: &Limits, node: &str, mode: &str) -> bool {
    let dir = std::env::temp_dir().join(format!("{}-{}", host.owner, &container[60..]));
    fs::create_dir(&dir).expect("directory");
    let path = dir.join("node");
    let script = format!(
        "busybox mknod {0} {node} && exec 3{mode}{0} && echo opened",
        path.display()
    );
    let (_, text) = host.run(container, limits, &script);
    fs::remove_dir_all(&dir).expect("remove directory");
    host.group.remove(container).expect("remove");
    text.contains("opened")
}

#[test]
fn only_listed_devices_open() {
    let Some(host) = host() else { return };
    if host.lacks(Controller::Devices) {
        return;
    }
    let default = host.limits("{}");
    assert!(try_device(&host, &id(1), &default, "c 1 3", "<>"));
    assert!(try_device(&host, &id(2), &default, "c 1 9", "<"));
    // kmsg: the node may be made, as in Docker, but not opened.
    assert!(!try_device(&host, &id(3), &default, "c 1 11", "<"));
    // One that may be read, in addition.
    let kmsg = host.limits(
        r#"{"devices":[{"allow":false,"access":"rwm"},
                       {"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#,
    );
    assert!(try_device(&host, &id(4), &kmsg, "c 1 11", "<"));
    assert!(!try_device(&host, &id(5), &kmsg, "c 1 11", ">"));
    assert!(try_device(&host, &id(6), &kmsg, "c 1 3", "<>"));
    assert!(!try_device(&host, &id(7), &kmsg, "c 1 4", "<"));
    // As --privileged: everything; and everything but one.
    let all = host.limits(r#"{"devices":[{"allow":true,"access":"rwm"}]}"#);
    assert!(try_device(&host, &id(8), &all, "c 1 11", "<"));
    let but = host.limits(
        r#"{"devices":[{"allow":true,"access":"rwm"},
                       {"allow":false,"type":"c","major":1,"minor":11,"access":"w"}]}"#,
    );
    assert!(try_device(&host, &id(9), &but, "c 1 11", "<"));
    assert!(!try_device(&host, &id(10), &but, "c 1 11", ">"));
    assert!(try_device(&host, &id(11), &but, "c 1 5", "<>"));
    // The default is not widened by these neighbours.
    assert!(!try_device(&host, &id(12), &default, "c 1 11", "<"));
}

#[test]
fn cpuset_and_block_limits_take_effect() {
    let Some(host) = host() else { return };
    if !host.lacks(Controller::Cpuset) {
        let limits = host.limits(r#"{"cpu":{"cpus":"0"}}"#);
        let script = "busybox grep Cpus_allowed_list /proc/self/status";
        let (_, text) = host.run(&id(1), &limits, script);
        assert_eq!(text.split_whitespace().nth(1), Some("0"), "{text}");
        host.group.remove(&id(1)).expect("remove");
        let error = Limits::compile(&host.driver, &resources(r#"{"cpu":{"cpus":"0,4000"}}"#));
        let error = error.expect_err("no such CPU").to_string();
        assert!(
            error.contains("0,4000") && error.contains("there are only"),
            "{error}"
        );
    }
    if !host.lacks(Controller::Io) {
        let json =
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1000}]}}"#;
        let error = host
            .group
            .make(&id(2), &host.limits(json))
            .expect_err("no such device");
        assert!(matches!(error, CgroupError::Write { .. }), "{error}");
        assert!(error.to_string().contains("4000:1"), "{error}");
        assert!(host.left(&id(2)).is_empty(), "a failed make leaves nothing");
    }
}

#[test]
fn impossible_values_are_refused_by_name() {
    let driver = Driver::probe();
    if driver.kind() == Kind::None {
        println!("skipped: no control groups: {:?}", driver.missing());
        return;
    }
    for (json, limit, value) in [
        (r#"{"memory":{"limit":-5}}"#, "memory.limit", "-5"),
        (r#"{"memory":{"limit":1000}}"#, "memory.limit", "1000"),
        (
            r#"{"memory":{"limit":8388608,"swap":4194304}}"#,
            "memory.swap",
            "4194304",
        ),
        (r#"{"memory":{"swap":4194304}}"#, "memory.swap", "4194304"),
        (
            r#"{"memory":{"limit":8388608,"reservation":9000000}}"#,
            "memory.reservation",
            "9000000",
        ),
        (
            r#"{"memory":{"swappiness":101}}"#,
            "memory.swappiness",
            "101",
        ),
        (r#"{"pids":{"limit":-2}}"#, "pids.limit", "-2"),
        (r#"{"pids":{"limit":5000000}}"#, "pids.limit", "5000000"),
        (r#"{"cpu":{"quota":999}}"#, "cpu.quota", "999"),
        (r#"{"cpu":{"quota":-2}}"#, "cpu.quota", "-2"),
        (r#"{"cpu":{"period":10}}"#, "cpu.period", "10"),
        (r#"{"cpu":{"shares":1}}"#, "cpu.shares", "1"),
        (r#"{"cpu":{"shares":262145}}"#, "cpu.shares", "262145"),
        (r#"{"cpu":{"cpus":"0-"}}"#, "cpu.cpus", "0-"),
        (r#"{"cpu":{"burst":5}}"#, "cpu.burst", "5"),
        (r#"{"cpu":{"idle":2}}"#, "cpu.idle", "2"),
        (
            r#"{"cpu":{"realtimeRuntime":95000}}"#,
            "cpu.realtimeRuntime",
            "95000",
        ),
        (r#"{"blockIO":{"weight":5}}"#, "blockIO.weight", "5"),
        (
            r#"{"blockIO":{"leafWeight":50}}"#,
            "blockIO.leafWeight",
            "50",
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]}"#,
            "hugepageLimits",
            "../2MB",
        ),
        (
            r#"{"unified":{"../memory.max":"1"}}"#,
            "unified",
            "../memory.max",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"c","major":1,"minor":3,"access":"x"}]}"#,
            "devices",
            "c 1:3 x",
        ),
        (
            r#"{"devices":[{"allow":true,"type":"c","major":-7,"access":"r"}]}"#,
            "devices",
            "-7",
        ),
    ] {
        let memory = |one: &Missing| one.controller == Controller::Memory;
        if json.contains("memory") && driver.missing().iter().any(memory) {
            println!("skipped: {json}: no memory controller");
            continue;
        }
        let error = Limits::compile(&driver, &resources(json))
            .expect_err(json)
            .to_string();
        assert!(
            error.starts_with(limit) && error.contains(value),
            "{json}: {error}"
        );
    }
}

#[test]
fn names_cannot_climb() {
    let Some(host) = host() else { return };
    let limits = host.limits("{}");
    let long = "a".repeat(300);
    for bad in ["", ".", "..", "../x", "a/b", "a b", "\u{e9}", &long] {
        let error = host.group.make(bad, &limits).expect_err(bad);
        assert!(matches!(error, CgroupError::Name { .. }), "{error}");
        assert!(host.group.remove(bad).is_err(), "{bad:?}");
        assert!(!clean_owner(&host.driver, bad).left.is_empty(), "{bad:?}");
    }
}

#[test]
fn a_container_that_exists_is_not_touched() {
    let Some(host) = host() else { return };
    let limits = host.limits("{}");
    host.group.make(&id(1), &limits).expect("make");
    let count = host.left(&id(1)).len();
    assert!(host.group.make(&id(1), &limits).is_err());
    assert_eq!(host.left(&id(1)).len(), count);
    host.group.remove(&id(1)).expect("remove");
    host.group
        .remove(&id(1))
        .expect("removing again is no error");
}

#[test]
fn two_hundred_leave_nothing() {
    let Some(host) = host() else { return };
    let plain = host.limits("{}");
    let mut wanted = String::from("{");
    if !host.lacks(Controller::Cpu) {
        wanted.push_str(r#""cpu":{"quota":50000,"cpus":"0"},"#);
    }
    wanted.push_str(r#""devices":[{"allow":true,"access":"rwm"}]}"#);
    let full = host.limits(&wanted);
    for n in 0..200 {
        let limits = if n % 4 == 0 { &full } else { &plain };
        host.group.make(&id(n), limits).expect("make");
        host.group.remove(&id(n)).expect("remove");
    }
    assert!(host.left(&id(0)[..60]).is_empty());
    assert!(owners(&host.driver).contains(&host.owner));
    assert!(clean_owner(&host.driver, &host.owner).left.is_empty());
    assert!(host.left(&host.owner).is_empty());
    assert!(!owners(&host.driver).contains(&host.owner));
}

#[test]
fn remove_says_that_processes_are_left() {
    let Some(host) = host() else { return };
    let limits = host.limits("{}");
    let mut child = host.start(&id(1), &limits, "exec busybox sleep 60");
    let reader = host.group.reader(&id(1));
    wait_until("the child to join", || !reader.procs().is_empty());
    let error = host.group.remove(&id(1)).expect_err("busy");
    assert!(
        matches!(error, CgroupError::Busy { processes: 1, .. }),
        "{error}"
    );
    reader.kill_all();
    assert_eq!(child.wait().expect("wait").signal(), Some(9));
    host.group.remove(&id(1)).expect("remove");
}

#[test]
fn kill_all_ends_what_keeps_forking() {
    let Some(host) = host() else { return };
    if host.lacks(Controller::Pids) {
        return;
    }
    let limits = host.limits(r#"{"pids":{"limit":200}}"#);
    // The shell ends where a fork fails, so this stays below the limit: thirty that fork as fast as they can.
    let bomb =
        "n=0; while [ $n -lt 30 ]; do (while :; do busybox true; done) & n=$((n+1)); done; wait";
    let mut child = host.start(&id(1), &limits, bomb);
    drop((child.stdout.take(), child.stderr.take()));
    let reader = host.group.reader(&id(1));
    wait_until("the loops to run", || reader.procs().len() > 30);
    reader.kill_all();
    child.wait().expect("wait");
    wait_until("all to end", || reader.procs().is_empty());
    host.group.remove(&id(1)).expect("remove");
}

#[test]
fn clean_owner_kills_what_lives_and_what_is_being_made() {
    let Some(host) = host() else { return };
    let limits = host.limits("{}");
    let mut children: Vec<Child> = (0..5)
        .map(|n| {
            let script = "busybox sleep 60 & busybox sleep 60 & exec busybox sleep 60";
            host.start(&id(n), &limits, script)
        })
        .collect();
    wait_until("the children to join", || {
        (0..5).all(|n| host.group.reader(&id(n)).procs().len() == 3)
    });
    // A nested group, as a container with its own cgroup mount makes them.
    for file in host.join_files(&id(0), &limits) {
        fs::create_dir(file.with_file_name("nested")).expect("nested group");
    }
    let cleaned = std::thread::scope(|scope| {
        let maker = scope.spawn(|| {
            // Until the owner's groups are gone under its hands. Not for ever: a living owner on v1 cannot be stopped
            // from making them as fast as they are removed, and only a dead one's are cleaned.
            (100..1000).find(|&n| host.group.make(&id(n), &limits).is_err())
        });
        sleep(Duration::from_millis(5));
        let cleaned = clean_owner(&host.driver, &host.owner);
        maker.join().expect("maker");
        cleaned
    });
    assert!(cleaned.left.is_empty(), "{cleaned:?}");
    assert!(cleaned.killed >= 15, "{cleaned:?}");
    for child in &mut children {
        assert_eq!(child.wait().expect("wait").signal(), Some(9));
    }
    // What the maker had made in one hierarchy after the others were gone is for the next round.
    let again = clean_owner(&host.driver, &host.owner);
    assert!(again.left.is_empty(), "{again:?}");
    assert!(host.left(&host.owner).is_empty());
}

/// Not a check but a measurement: `cargo test --release --test cgroup -- --ignored --nocapture costs`.
#[test]
#[ignore = "prints µs"]
fn costs() {
    let Some(host) = host() else { return };
    let rounds = 500;
    for json in [
        "{}",
        r#"{"memory":{"limit":67108864},"pids":{"limit":100}}"#,
        r#"{"cpu":{"quota":50000}}"#,
    ] {
        let limits = host.limits(json);
        let mut times: [Vec<f64>; 4] = Default::default();
        for n in 0..rounds {
            let mut step = |at: usize, work: &mut dyn FnMut()| {
                let begin = Instant::now();
                work();
                times[at].push(begin.elapsed().as_secs_f64() * 1e6);
            };
            step(0, &mut || host.group.make(&id(n), &limits).expect("make"));
            if let Join::V1(places) = host.group.join(&limits) {
                // This thread, alone, into the group and out of it again.
                step(1, &mut || {
                    for place in &places {
                        write_zero(*place, &format!("{}/tasks", id(n)));
                    }
                });
                // Back to the root of each hierarchy.
                for file in host.join_files("../..", &limits) {
                    fs::write(file, "0").expect("leave");
                }
            }
            let reader = host.group.reader(&id(n));
            step(2, &mut || {
                std::hint::black_box(reader.usage());
            });
            step(3, &mut || host.group.remove(&id(n)).expect("remove"));
        }
        for (name, mut list) in ["make", "join", "usage", "remove"].into_iter().zip(times) {
            list.sort_by(f64::total_cmp);
            if !list.is_empty() {
                println!(
                    "{json}: {name} p50 {:.1} µs, p99 {:.1} µs",
                    list[list.len() / 2],
                    list[list.len() * 99 / 100]
                );
            }
        }
    }
    let begin = Instant::now();
    let owner = format!("{}-cost", host.owner);
    for _ in 0..50 {
        OwnerGroup::create(&host.driver, &owner).expect("create");
        assert!(clean_owner(&host.driver, &owner).left.is_empty());
    }
    println!(
        "create + clean_owner: mean {:.0} µs",
        begin.elapsed().as_secs_f64() * 1e6 / 50.0
    );
}

fn write_zero(dir: std::os::fd::BorrowedFd<'_>, path: &str) {
    use nix::fcntl::{OFlag, openat};
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = openat(dir, path, flags, nix::sys::stat::Mode::empty()).expect("open");
    nix::unistd::write(&file, b"0").expect("join");
}
