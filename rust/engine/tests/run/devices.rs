//! Devices of the host in a container, and the list of what may be opened.

use crate::disk::Disk;
use crate::support::place;
use std::fs;
use std::os::unix::fs::MetadataExt;

#[test]
fn a_node_under_another_name() {
    let Some(on) = place() else { return };
    let script = "stat -c '%a %t:%T %u:%g' /dev/deep/down/mine; head -c3 /dev/deep/down/mine | wc -c; \
                  ls -l /dev/null /dev/ptmx /dev/shm >/dev/null && touch /dev/x 2>&1; ls /dev | wc -l";
    let plain = on.sh(&[], "ls /dev | wc -l");
    for more in [&[][..], &["--cap-add", "SYS_ADMIN"], &["--userns", "host"]] {
        let device = ["--device", "/dev/zero:/dev/deep/down/mine"];
        let got = on.sh(&[&device[..], more].concat(), script);
        let count = plain.parse::<u32>().unwrap() + 1;
        let expected = format!("666 1:5 0:0\n3\ntouch: /dev/x: Read-only file system\n{count}");
        assert_eq!(got, expected, "{more:?}");
    }
    // The next container has none of it.
    assert_eq!(on.sh(&[], "ls /dev | wc -l"), plain);
}

#[test]
fn nodes_elsewhere() {
    let Some(on) = place() else { return };
    let script = "stat -c '%a %t:%T %u:%g' /opt/made/zero /etc/passwd; head -c3 /opt/made/zero | wc -c; ls /dev | wc -l";
    let plain = on.sh(&[], "ls /dev | wc -l");
    for more in [
        &[][..],
        &["--cap-add", "SYS_ADMIN"],
        &["--userns", "host", "--read-only"],
        &["-v", "/tmp:/opt/v", "--device", "/dev/full:/dev/fuller"],
    ] {
        // One in place of a file of the image.
        let device = [
            "--device",
            "/dev/zero:/opt/made/zero",
            "--device=/dev/full:/etc/passwd",
        ];
        let options = [&device[..], more].concat();
        match on.line(&[&options[..], &["busybox", "sh", "-c", script]].concat()) {
            Ok(done) => {
                let count = plain.parse::<usize>().unwrap() + usize::from(more.len() == 4);
                let expected = format!("666 1:5 0:0\n666 1:7 0:0\n3\n{count}\n");
                assert_eq!(done.out, expected, "{more:?}: {done:?}");
            }
            Err(error) => assert!(error.to_string().contains("takes Linux 6.15"), "{error}"),
        }
    }
}

#[test]
fn a_block_device() {
    let Some(on) = place() else { return };
    let Some(disk) = Disk::make(on) else {
        println!("skipped: no loop device can be had");
        return;
    };
    let path = disk.path.to_str().unwrap();
    let gid = fs::metadata(&disk.path).unwrap().gid();
    let read = format!("head -c 4096 {path} | wc -c");
    for more in [&[][..], &["--cap-add", "SYS_ADMIN"], &["--userns", "host"]] {
        let device = [&["--device", path][..], more].concat();
        assert_eq!(on.sh(&device, &read), "4096", "{more:?}");
        let node = on.sh(&device, &format!("stat -c '%F %u:%g' {path}"));
        assert_eq!(node, format!("block special file 0:{gid}"), "{more:?}");
        // Open for writing, and nothing written.
        on.sh(&device, &format!(": 1<>{path}"));
        let only_read = format!("{path}:r");
        let device = [&["--device", &only_read][..], more].concat();
        assert_eq!(on.sh(&device, &read), "4096", "{more:?}");
        let done = on.run(&device, &["sh", "-c", &format!(": 1<>{path}")]);
        assert!(done.err.contains("not permitted"), "{more:?} {done:?}");
    }
    // By number alone, for a node that comes from elsewhere.
    let number = fs::metadata(&disk.path).unwrap().rdev();
    let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
    let script = format!("mknod /node b {major} {minor} && head -c 4096 /node | wc -c");
    let rule = format!("b {major}:* r");
    for (rule, count) in [("c 1:3 r", "0"), (rule.as_str(), "4096")] {
        let options = ["--userns", "host", "--device-cgroup-rule", rule];
        let done = on.run(&options, &["sh", "-c", &script]);
        assert_eq!(done.out.trim(), count, "{rule}: {done:?}");
    }
    // Its owner and group inside are numbers as outside.
    let shared = fs::metadata(&disk.path).unwrap().mode() & 0o040 != 0;
    let group = format!("1000:{gid}");
    for (user, may) in [(group.as_str(), shared), ("1000:1000", false)] {
        let done = on.run(&["--device", path, "-u", user], &["sh", "-c", &read]);
        let count = if may { "4096" } else { "0" };
        assert_eq!(done.out.trim(), count, "{user} {done:?}");
    }
}

#[test]
fn all_of_a_directory() {
    let Some(on) = place() else { return };
    let devices = |dir: &str| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.metadata().is_ok_and(|meta| meta.rdev() != 0))
            .count()
    };
    let dirs = [
        "/dev/net",
        "/dev/mapper",
        "/dev/input",
        "/dev/snd",
        "/dev/dri",
    ];
    let Some(dir) = dirs.iter().find(|dir| devices(dir) > 0) else {
        println!("skipped: no directory with device nodes");
        return;
    };
    let device = format!("{dir}:/dev/all");
    let script = "find /dev/all -type c -o -type b | wc -l";
    let found: usize = on.sh(&["--device", &device], script).parse().unwrap();
    assert!(found >= devices(dir), "{found}");
}

#[test]
fn refused() {
    let Some(on) = place() else { return };
    for (device, words) in [
        (
            "/dev/no-such-device",
            "device /dev/no-such-device: No such file",
        ),
        ("/etc/passwd", "device /etc/passwd: No such device"),
        ("/proc/sys", "device /proc/sys: No such device"),
        ("/dev/null:/etc", "/etc"),
    ] {
        let error = on.refused(&["--device", device], &["true"]).to_string();
        assert!(error.contains(words), "{device}: {error}");
    }
}
