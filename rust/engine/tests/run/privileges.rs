//! What root inside may do, and what it may not.

use crate::support::{kernel, place};

#[test]
fn refused_to_root() {
    let Some(on) = place() else { return };
    let scripts = [
        "mount -t tmpfs none /mnt",
        "mount -t proc none /mnt",
        "mount --bind /etc /mnt",
        "mount -o remount,rw /sys",
        "mount -o remount,rw /proc/sys",
        "mount -o remount,rw /dev",
        "umount /dev/shm",
        "umount -l /proc/sys",
        "mknod /tmp/sda b 8 0",
        "hostname other",
        "chroot /proc/1/root mount -t tmpfs none /mnt",
        "nsenter -t 1 -m true",
        "swapoff -a",
        "ip link add x type dummy",
        "ip link set lo down",
        "rm /dev/null",
        "mknod /dev/sda b 8 0",
    ];
    for script in scripts {
        for options in [
            &[][..],
            &["--security-opt", "seccomp=unconfined"],
            &["-u", "1000"],
        ] {
            let done = on.run(options, &["sh", "-c", script]);
            assert!(done.code != 0, "{script} {options:?}: {done:?}");
        }
    }
}

#[test]
fn mounting_is_refused_with_every_right() {
    let Some(on) = place() else { return };
    let options = [
        "--cap-add",
        "ALL",
        "--cap-drop",
        "SYS_ADMIN",
        "--security-opt",
        "seccomp=unconfined",
    ];
    for script in [
        "mount -t tmpfs none /mnt",
        "mount --bind /etc /mnt",
        "umount /dev/shm",
        "mount -o remount,rw /sys",
    ] {
        let done = on.run(&options, &["sh", "-c", script]);
        assert!(done.code != 0, "{script}: {done:?}");
    }
    for file in [
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/sys/kernel/uevent_helper",
    ] {
        let done = on.run(&options, &["sh", "-c", &format!("echo 1 >{file}")]);
        assert!(done.code != 0, "{file}: {done:?}");
    }
}

#[test]
fn nested_namespaces_show_nothing_hidden() {
    let Some(on) = place() else { return };
    let options = ["--security-opt", "seccomp=unconfined"];
    let made = on.run(&options, &["unshare", "-Ur", "id", "-u"]);
    if made.code != 0 {
        println!("skipped: this kernel makes no user namespaces inside: {made:?}");
        return;
    }
    for script in [
        "mount -t proc proc /mnt",
        "mount -t sysfs sysfs /mnt",
        "umount /proc/kcore",
        "umount -l /proc",
        "mount -o remount,rw,bind /proc/sys",
    ] {
        let done = on.run(&options, &["unshare", "-Urmpfn", "sh", "-c", script]);
        assert!(done.code != 0, "{script}: {done:?}");
    }
    // A tmpfs of its own it may have there.
    on.sh(&options, "unshare -Urm mount -t tmpfs none /mnt");
}

#[test]
fn allowed_to_root() {
    let Some(on) = place() else { return };
    for options in [&[][..], &["--userns", "host"]] {
        assert_eq!(
            on.sh(
                options,
                "touch /tmp/f; chown 33:1000 /tmp/f; chmod 6755 /tmp/f; stat -c '%u:%g %a' /tmp/f"
            ),
            "33:1000 6755"
        );
        assert_eq!(
            on.sh(options, "su -s /bin/sh www-data -c 'id -u; id -G'"),
            "33\n33"
        );
        assert_eq!(
            on.sh(
                options,
                "su -s /bin/sh user -c 'cat /root/x 2>&1; touch /etc/x 2>&1 || echo no'"
            ),
            "cat: can't open '/root/x': Permission denied\ntouch: /etc/x: Permission denied\nno"
        );
        assert_eq!(
            on.sh(
                options,
                "mkdir /jail; cp /bin/busybox /jail/; chroot /jail /busybox ls /"
            ),
            "busybox"
        );
        on.sh(
            options,
            "nice -n 5 true; kill -0 1; echo 5 >/proc/self/oom_score_adj",
        );
        on.sh(options, "chown 65534:65534 /tmp && chown 60000 /etc/passwd");
    }
    // Ids end with the range.
    let done = on.run(&[], &["chown", "70000", "/tmp"]);
    assert!(
        done.code != 0 && done.err.contains("Invalid argument"),
        "{done:?}"
    );
}

#[test]
fn setuid_programs() {
    let Some(on) = place() else { return };
    for options in [&[][..], &["--userns", "host"]] {
        let user = [options, &["-u", "1000"]].concat();
        assert_eq!(on.run(&user, &["/probe/geteuid"]).code, 1000 & 255);
        assert_eq!(on.run(&user, &["/probe/setuid"]).code, 0, "{options:?}");
        assert_eq!(on.run(&user, &["/probe/setgid"]).code, 0, "{options:?}");
        let bare = [&user[..], &["--security-opt", "no-new-privileges"]].concat();
        assert_eq!(on.run(&bare, &["/probe/setuid"]).code, 1000 & 255);
    }
    // One that root inside makes works inside.
    assert_eq!(
        on.sh(
            &[],
            "cp /probe/geteuid /x; chmod 4755 /x; su user -c /x; echo $?"
        ),
        "0"
    );
}

#[test]
fn device_list() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    for (name, minor) in [("null", 3), ("kmsg", 11)] {
        mknod(
            &dir.join(name),
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(0o666),
            makedev(1, minor),
        )
        .unwrap();
    }
    let volume = format!("{}:/nodes", dir.display());
    for options in [
        &["-v", &volume][..],
        &["-v", &volume, "--userns", "host", "--cap-add", "ALL"],
    ] {
        on.sh(options, "echo x >/nodes/null");
        let done = on.run(options, &["head", "-c1", "/nodes/kmsg"]);
        assert!(
            done.code != 0 && done.err.contains("Operation not permitted"),
            "{done:?}"
        );
    }
    // With the caller's ids root may make nodes, as in Docker, and use those of the list.
    let host = ["--userns", "host"];
    on.sh(
        &host,
        "mknod /tmp/n c 1 3 && echo x >/tmp/n && mknod /tmp/k c 1 11",
    );
    let done = on.run(&host, &["sh", "-c", "mknod /tmp/k c 1 11; head -c1 /tmp/k"]);
    assert!(
        done.code != 0 && done.err.contains("not permitted"),
        "{done:?} on {:?}",
        kernel()
    );
}

#[test]
fn who_may_administer_mounts_has_its_own() {
    let Some(on) = place() else { return };
    let without = std::env::var("FASTBOX_WITHOUT").unwrap_or_default();
    let features = fastbox_engine::container::features::Features::probe().without(&without);
    if !features.detached_layers {
        println!("skipped: this kernel takes layers by path only");
        return;
    }
    let options = [
        "--cap-add",
        "SYS_ADMIN",
        "--hostname",
        "box",
        "--tmpfs",
        "/t",
    ];
    let out = on.sh(
        &options,
        "mount -t tmpfs none /mnt && touch /mnt/x && ls /mnt; hostname other && hostname; \
         umount /dev/shm && echo unmounted; id -u; cat /proc/self/uid_map | wc -l; ls -ld /t | cut -c1-10; \
         touch /t/y /new && stat -c %u /t/y /new; ls /sys/class/net; readlink /proc/1/ns/net >/dev/null && set -- /proc/[0-9]* && echo $#",
    );
    assert_eq!(out, "x\nother\nunmounted\n0\n1\ndrwxrwxrwt\n0\n0\nlo\n1");
    // What lies under proc is the image's own directory, not a root of ours.
    let script = "for p in $(awk '$2 ~ \"^/proc/\" {print $2}' /proc/mounts); do umount $p; done; umount /proc; ls /proc; echo end";
    assert_eq!(on.sh(&options, script), "end");
    for file in [
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/sys/kernel/uevent_helper",
    ] {
        let script = format!(
            "mount -o remount,rw /sys; umount /proc/sys; umount /proc/sysrq-trigger; echo 1 >{file}"
        );
        let options = ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"];
        let done = on.run(&options, &["sh", "-c", &script]);
        assert!(done.code != 0, "{file}: {done:?}");
    }
}
