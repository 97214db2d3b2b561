//! Who a container is: its names, namespaces, network, environment.

use crate::support::{place, status};
use std::fs;
use std::time::Duration;

#[test]
fn pids_are_its_own() {
    let Some(on) = place() else { return };
    assert_eq!(on.sh(&[], "echo $$"), "1");
    let seen = on.sh(&[], "ps -o pid,args; true");
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 3, "{seen}");
    assert!(lines[1].trim().starts_with("1 sh -c"), "{seen}");
    // Its session is its own, so that no terminal of the caller's can be its.
    assert_eq!(
        on.run(&[], &["cut", "-d ", "-f4-7", "/proc/self/stat"]).out,
        "0 1 1 0\n"
    );
}

#[test]
fn hostname_and_environment() {
    let Some(on) = place() else { return };
    let done = on.run(&[], &["env"]);
    let mut env: Vec<&str> = done.out.lines().collect();
    env.sort_unstable();
    let short = &done.id[..12];
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(
        env,
        ["HOME=/root", &format!("HOSTNAME={short}"), path],
        "nothing of the caller's"
    );
    let done = on.run(&[], &["hostname"]);
    assert_eq!(done.out.trim(), &done.id[..12]);
    let done = on.run(&[], &["cat", "/etc/hostname"]);
    assert_eq!(done.out.trim(), &done.id[..12]);
    assert_eq!(
        on.sh(
            &["-h", "given"],
            "hostname; cat /etc/hostname; echo $HOSTNAME"
        ),
        "given\ngiven\ngiven"
    );
    let hosts = on.sh(&["-h", "given"], "cat /etc/hosts");
    assert!(
        hosts.contains("127.0.0.1\tlocalhost") && hosts.contains("\tgiven"),
        "{hosts}"
    );
}

#[test]
fn namespaces_are_its_own() {
    let Some(on) = place() else { return };
    const ALL: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let theirs = |options: &[&str]| {
        let read = ALL
            .map(|name| format!("readlink /proc/self/ns/{name}"))
            .join("; ");
        on.sh(options, &read)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let ours = ALL.map(|name| {
        fs::read_link(format!("/proc/self/ns/{name}"))
            .unwrap()
            .display()
            .to_string()
    });
    let same = |seen: Vec<String>| -> Vec<&str> {
        ALL.into_iter()
            .zip(seen)
            .zip(&ours)
            .filter(|((_, theirs), ours)| theirs == *ours)
            .map(|((name, _), _)| name)
            .collect()
    };
    assert_eq!(same(theirs(&[])), [""; 0]);
    // Both alive: the kernel gives the number of one that is gone to the next.
    let (one, other) = (on.start(&[], "cat").1, on.start(&[], "cat").1);
    let links = |pid: i32| ALL.map(|name| fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap());
    let other = links(other.pid());
    let one = links(one.pid());
    let shared: Vec<_> = one.iter().filter(|name| other.contains(name)).collect();
    assert!(shared.is_empty(), "two containers share {shared:?}");
    assert_eq!(same(theirs(&["--userns", "host"])), ["user"]);
    assert_eq!(same(theirs(&["--network", "host"])), ["net", "user"]);
}

#[test]
fn cgroups_look_like_roots() {
    let Some(on) = place() else { return };
    let seen = on.sh(&[], "cat /proc/self/cgroup");
    for line in seen
        .lines()
        .filter(|line| !line.contains("name=") && !line.starts_with("0::"))
    {
        let used = ["devices", "memory", "cpuacct", "pids"]
            .iter()
            .any(|controller| line.contains(controller));
        assert!(!used || line.ends_with(":/"), "{seen}");
    }
    assert!(!seen.contains("fastbox"), "{seen}");
}

#[test]
fn loopback_only() {
    let Some(on) = place() else { return };
    assert_eq!(on.sh(&[], "ls /sys/class/net"), "lo");
    let other = [&["-u", "1000"][..], &["--userns", "host", "-u", "1000"]];
    for options in [&[][..], &["--userns", "host"]].into_iter().chain(other) {
        on.sh(options, "ip addr show lo | grep -q 'LOOPBACK,UP'");
        // httpd has its port before it goes to the background.
        let script =
            "echo served >/tmp/x; httpd -p 127.0.0.1:80 -h /tmp && wget -qO- http://127.0.0.1/x";
        assert_eq!(on.sh(options, script), "served", "{options:?}");
        // Busybox's own ping wants a raw socket, others take one that any user may have.
        let ping = on.run(options, &["/probe/socket_ping"]);
        assert!(ping.code == 3, "{options:?} {ping:?}");
    }
    for options in [&[][..], &["--userns", "host"]] {
        on.sh(options, "ping -c1 -W5 127.0.0.1");
    }
    let done = on.run(&[], &["ping", "-c1", "-W1", "192.0.2.1"]);
    assert!(
        done.code != 0 && done.err.contains("unreachable"),
        "{done:?}"
    );
    assert_eq!(on.sh(&[], "cat /etc/resolv.conf"), "# No network.");
}

#[test]
fn ids_outside_are_nobodys() {
    let Some(on) = place() else { return };
    let uid = |options: &[&str]| {
        let (_kept, mut container) = on.start(options, "echo ready; read x");
        // The program runs, and ids are changed before it does.
        let uid = status(container.pid(), "Uid");
        drop(container.take_stdin());
        assert!(
            container
                .wait(Some(Duration::from_secs(10)), &mut || false)
                .unwrap()
                .is_some()
        );
        uid.split_whitespace()
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    let (root, user) = (uid(&[]), uid(&["-u", "1000"]));
    assert!(root >= 65_536 && root % 65_536 == 0, "{root}");
    assert!(user > 65_536 && user % 65_536 == 1000, "{user}");
    assert_eq!(uid(&["--userns", "host"]), 0);
    assert_eq!(uid(&["--userns", "host", "-u", "www-data"]), 33);
    let map = on.sh(&[], "cat /proc/self/uid_map");
    let map: Vec<&str> = map.split_whitespace().collect();
    assert_eq!((map[0], map[2]), ("0", "65536"));
}

#[test]
fn users() {
    let Some(on) = place() else { return };
    let id = |user: &str| {
        on.sh(&["-u", user], "id -u; id -g; id -G; echo $HOME")
            .replace('\n', " ")
    };
    assert_eq!(
        on.sh(&[], "id -u; id -g; id -G; echo $HOME")
            .replace('\n', " "),
        "0 0 0 /root"
    );
    assert_eq!(id("user"), "1000 1000 1000 29 /home/user");
    assert_eq!(id("1000"), "1000 1000 1000 29 /home/user");
    assert_eq!(id("user:www-data"), "1000 33 33 /home/user");
    assert_eq!(id("4711"), "4711 0 0 /");
    assert_eq!(id("4711:4712"), "4711 4712 4712 /");
}

#[test]
fn the_callers_process_is_as_before() {
    let Some(on) = place() else { return };
    let dumpable = || nix::sys::prctl::get_dumpable().unwrap();
    let umask = || status("self", "Umask");
    let (was, mask) = (dumpable(), umask());
    on.sh(&["-u", "1000"], "true");
    on.refused(&["-u", "1000"], &["no-such-program"]);
    on.sh(&["--security-opt", "no-new-privileges"], "true");
    assert_eq!((dumpable(), umask()), (was, mask));
}
