//! The root file system and what is mounted in it.

use crate::support::{kernel, place};

#[test]
fn nothing_of_the_hosts_root_is_left() {
    let Some(on) = place() else { return };
    assert_eq!(
        on.sh(&[], "ls / | tr '\\n' ' '"),
        "bin dev etc home mnt probe proc root sys tmp usr var"
    );
    let mounts = on.sh(&[], "cat /proc/mounts");
    let points: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    let mut own = points.clone();
    own.retain(|point| {
        !["/proc", "/sys", "/dev"]
            .iter()
            .any(|top| point.starts_with(top))
    });
    assert_eq!(own, ["/"], "{mounts}");
    let root = mounts
        .lines()
        .any(|line| line.starts_with("overlay / overlay rw,"));
    assert!(root, "{mounts}");
    assert!(
        !mounts.contains(&*on.dir.to_string_lossy()),
        "paths of the host: {mounts}"
    );
    // What lies under /proc stays there: an unmount is refused, and the way up ends at the root.
    let done = on.run(&[], &["umount", "-l", "/proc"]);
    assert!(
        done.code != 0 && done.err.contains("not permitted"),
        "{done:?}"
    );
    assert_eq!(
        on.sh(
            &[],
            "ls -id /.. /proc/1/root/.. / | cut -d/ -f1 | uniq | wc -l"
        ),
        "1"
    );
}

#[test]
fn what_it_writes_is_its_own_and_goes_with_it() {
    let Some(on) = place() else { return };
    assert_eq!(
        on.sh(
            &[],
            "echo new >/made; echo more >>/etc/passwd; rm /bin/vi; mv /probe /moved; cat /made"
        ),
        "new"
    );
    on.sh(
        &[],
        "test ! -e /made && test -e /bin/vi && test -d /probe && test $(wc -l </etc/passwd) = 3",
    );
    // Everything can be changed, however it lies in the layers.
    on.sh(&[], "rm -rf /home /mnt /var /usr && mkdir /home && chown 33:33 /etc/passwd && chmod 4755 /etc/group");
    on.sh(
        &[],
        "ln /bin/busybox /bin/again && mkfifo /fifo && ln -s a /b && touch /x && chmod 600 /x",
    );
}

#[test]
fn devices() {
    let Some(on) = place() else { return };
    let seen = on.sh(
        &[],
        "cd /dev; stat -c '%n %t:%T %a %u:%g' null zero full random urandom tty",
    );
    let owner = if kernel() >= (6, 3) {
        "0:0"
    } else {
        "65534:65534"
    };
    let nodes = [
        ("null", "1:3"),
        ("zero", "1:5"),
        ("full", "1:7"),
        ("random", "1:8"),
        ("urandom", "1:9"),
        ("tty", "5:0"),
    ];
    let wanted: Vec<String> = nodes
        .iter()
        .map(|(name, number)| format!("{name} {number} 666 {owner}"))
        .collect();
    assert_eq!(seen.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(
        on.sh(&[], "ls /dev | tr '\\n' ' '"),
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    );
    assert_eq!(
        on.sh(
            &[],
            "cd /dev; for n in fd stdin stdout stderr core ptmx; do readlink $n; done | tr '\\n' ' '"
        ),
        "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/kcore pts/ptmx"
    );
    for options in [&[][..], &["-u", "1000"], &["--userns", "host"]] {
        on.sh(options, "echo x >/dev/null && head -c 9 /dev/zero >/dev/null && head -c 9 /dev/urandom | wc -c | grep -q 9");
        assert_eq!(on.sh(options, "echo x >/dev/full || echo full"), "full");
        // The streams are pipes that whoever runs can open again.
        assert_eq!(
            on.sh(options, "echo out >/dev/stdout; cat /dev/stdin"),
            "out"
        );
        on.sh(options, "echo err >/dev/stderr");
    }
}

#[test]
fn terminals() {
    let Some(on) = place() else { return };
    let seen = on.sh(&[], "exec 3<>/dev/ptmx; ls /dev/pts | tr '\\n' ' '; stat -c '%a %u:%g' /dev/pts/0 /dev/pts/ptmx");
    assert_eq!(seen, "0 ptmx 620 0:5\n666 65534:65534");
    let seen = on.sh(
        &["-u", "1000"],
        "exec 3<>/dev/ptmx; stat -c '%a %u:%g' /dev/pts/0",
    );
    assert_eq!(seen, "620 1000:5");
    // A whole session on a terminal: telnetd opens one and runs a program there.
    let script = "printf '#!/bin/sh\\ntty; test -t 0 && echo yes\\n' >/tmp/t; chmod +x /tmp/t; telnetd -F -p 2323 -l /tmp/t & for n in 1 2 3 4 5 6 7 8 9; do usleep 50000; sleep 1 | nc 127.0.0.1 2323 2>/dev/null && break; done";
    let seen = on.sh(&[], script);
    assert!(
        seen.contains("/dev/pts/0") && seen.contains("yes"),
        "{seen:?}"
    );
}

#[test]
fn memory_file_systems() {
    let Some(on) = place() else { return };
    assert_eq!(
        on.sh(
            &[],
            "df -k /dev/shm | tail -1 | awk '{print $2}'; stat -c '%a %u:%g' /dev/shm"
        ),
        "65536\n1777 0:0"
    );
    on.sh(&["-u", "1000"], "echo x >/dev/shm/x && cat /dev/shm/x");
    let done = on.run(
        &[],
        &["dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=65"],
    );
    assert!(
        done.code != 0 && done.err.contains("No space left"),
        "{done:?}"
    );
    on.sh(
        &[],
        "grep -q '^mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec' /proc/mounts",
    );
    // A queue can be made there, and is no other container's.
    on.sh(&[], "touch /dev/mqueue/q && test -e /dev/mqueue/q");
    assert_eq!(on.sh(&[], "ls /dev/mqueue"), "");
}

#[test]
fn hidden_paths() {
    let Some(on) = place() else { return };
    for options in [&[][..], &["--userns", "host"]] {
        for file in ["kcore", "keys", "timer_list", "interrupts"] {
            assert_eq!(
                on.sh(
                    options,
                    &format!("test ! -e /proc/{file} || cat /proc/{file}")
                ),
                "",
                "{file}"
            );
        }
        for dir in [
            "/sys/firmware",
            "/proc/scsi",
            "/proc/acpi",
            "/sys/devices/virtual/powercap",
        ] {
            assert_eq!(
                on.sh(options, &format!("test ! -e {dir} || ls {dir}")),
                "",
                "{dir}"
            );
        }
        for file in [
            "/proc/sys/kernel/hostname",
            "/proc/sys/vm/drop_caches",
            "/proc/sysrq-trigger",
            "/proc/irq/default_smp_affinity",
            "/sys/kernel/x",
        ] {
            let done = on.run(
                options,
                &[
                    "sh",
                    "-c",
                    &format!("test -e $(dirname {file}) && echo 3 >{file}"),
                ],
            );
            let refused = ["Read-only", "Permission denied", "nonexistent"]
                .iter()
                .any(|why| done.err.contains(why));
            assert!(
                done.code != 0 && (refused || done.err.is_empty()),
                "{file} {options:?}: {done:?}"
            );
        }
        let done = on.run(options, &["sh", "-c", "mkdir /sys/fs/x"]);
        assert!(done.code != 0, "{done:?}");
        on.sh(
            options,
            "grep -q '^proc /proc proc rw,nosuid,nodev,noexec' /proc/mounts",
        );
        on.sh(
            options,
            "grep -q '^sysfs /sys sysfs ro,nosuid,nodev,noexec' /proc/mounts",
        );
    }
}

#[test]
fn read_only_root() {
    let Some(on) = place() else { return };
    for options in [
        &["--read-only"][..],
        &["--read-only", "--userns", "host"],
        &["--read-only", "--storage-opt", "size=9m"],
    ] {
        let done = on.run(options, &["touch", "/x"]);
        assert!(
            done.code == 1 && done.err.contains("Read-only file system"),
            "{done:?}"
        );
        on.sh(
            options,
            "echo x >/dev/shm/x && grep -q ' / overlay ro' /proc/mounts",
        );
    }
    let tmp = [
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/made/here:size=1m,mode=700,uid=1000",
    ];
    on.sh(&tmp, "echo x >/tmp/x && echo x >/made/here/x");
    assert_eq!(
        on.sh(
            &tmp,
            "stat -c '%a %u:%g' /tmp /made/here; df -k /made/here | tail -1 | awk '{print $2}'"
        ),
        "1777 0:0\n700 1000:0\n1024"
    );
}

#[test]
fn tmpfs() {
    let Some(on) = place() else { return };
    let mounts = on.sh(
        &[
            "--tmpfs",
            "/a",
            "--tmpfs",
            "/b:exec,size=65536,ro",
            "--tmpfs",
            "/c:mode=0700",
        ],
        "grep tmpfs /proc/mounts",
    );
    let line = |at: &str| {
        mounts
            .lines()
            .find(|line| line.contains(&format!(" {at} ")))
            .unwrap_or_default()
    };
    assert!(line("/a").contains("rw,nosuid,nodev,noexec"), "{mounts}");
    assert!(
        line("/b").contains("ro,nosuid,nodev,")
            && line("/b").contains("size=64k")
            && !line("/b").contains("noexec"),
        "{mounts}"
    );
    assert!(line("/c").contains("mode=700"), "{mounts}");
    assert_eq!(
        on.sh(
            &["--tmpfs", "/a"],
            "cp /bin/busybox /a/x; /a/x true || echo no"
        ),
        "no"
    );
    on.sh(&["--tmpfs", "/a:exec"], "cp /bin/busybox /a/true; /a/true");
}

#[test]
fn storage_limit() {
    let Some(on) = place() else { return };
    let options = ["--storage-opt", "size=8m"];
    let done = on.run(
        &options,
        &["dd", "if=/dev/zero", "of=/x", "bs=1M", "count=9"],
    );
    assert!(
        done.code != 0 && done.err.contains("No space left"),
        "{done:?}"
    );
    on.sh(
        &options,
        "head -c 6000000 /dev/zero >/x && rm /x && head -c 6000000 /dev/zero >/y",
    );
    on.sh(
        &options,
        "echo more >>/etc/passwd && chown 33 /etc/group && rm -r /probe",
    );
}

#[test]
fn working_directory_and_variables() {
    let Some(on) = place() else { return };
    assert_eq!(on.run(&[], &["pwd"]).out, "/\n");
    assert_eq!(
        on.run(&["-w", "/made/for/it"], &["pwd"]).out,
        "/made/for/it\n"
    );
    assert_eq!(
        on.sh(&["-w", "/made/for/it"], "stat -c '%a %u:%g' . .."),
        "755 0:0\n755 0:0"
    );
    assert_eq!(on.run(&["-w", "/tmp/../etc/"], &["pwd"]).out, "/etc\n");
    assert_eq!(
        on.sh(
            &["-e", "A=b c", "-e", "EMPTY=", "-e", "PATH=/bin"],
            "echo \"$A-$EMPTY-$PATH\""
        ),
        "b c--/bin"
    );
    assert_eq!(
        on.sh(
            &["-e", "HOME=/x", "-e", "HOSTNAME=y"],
            "echo $HOME $HOSTNAME"
        ),
        "/x y"
    );
    let error = on.refused(&["-w", "/etc/passwd"], &["pwd"]);
    assert!(
        error.to_string().contains("/etc/passwd") && error.exit_code() == 125,
        "{error}"
    );
}
