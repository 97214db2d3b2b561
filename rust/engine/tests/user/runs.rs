//! The ways an ordinary user runs containers.

use crate::support::{IMAGE, User, Who, piped};
use crate::user_test;
use fastbox_engine::run::pool::{Job, Pool};
use fastbox_engine::run::{Input, Output};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

const IMAGES: [&str; 2] = ["host", IMAGE];

user_test!(
    root_inside_is_the_user_outside,
    Who::Single,
    |user: &User| {
        for image in IMAGES {
            let ids = user.sh(&[], image, "id -u; id -g; cat /proc/self/uid_map");
            let ids: Vec<&str> = ids.split_whitespace().collect();
            let me = nix::unistd::geteuid().to_string();
            assert_eq!(ids, ["0", "0", "0", &me, "1"], "{image}");
            let prepared = user.prepare(&[image, "sleep", "100"]).unwrap();
            let container = prepared.start(piped()).unwrap();
            let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
            let uids = format!("Uid:\t{me}\t{me}\t{me}\t{me}");
            assert!(status.contains(&uids), "{status}");
            let caps = "CapEff:\t00000000a80425fb";
            assert!(status.contains(caps), "Docker's fourteen: {status}");
            assert!(status.contains("Seccomp:\t2"), "{status}");
        }
    }
);

user_test!(every_namespace_is_its_own, Who::Single, |user: &User| {
    let kinds = "cgroup ipc mnt net pid user uts";
    let script = format!("for n in {kinds}; do readlink /proc/self/ns/$n; done");
    for image in IMAGES {
        let inside = user.sh(&[], image, &script);
        let inside: Vec<&str> = inside.lines().collect();
        assert_eq!(inside.len(), 7);
        for (kind, inside) in kinds.split(' ').zip(inside) {
            let mine = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
            assert_ne!(mine.to_str(), Some(inside), "{image}");
        }
        let links = user.sh(&[], image, "cat /proc/net/dev");
        assert_eq!(links.lines().count(), 3, "loopback alone: {links}");
        let processes = user.sh(&[], image, "ls -d /proc/[0-9]*");
        assert!(processes.lines().count() <= 2, "{processes}");
        let name = user.sh(
            &["--hostname", "box1"],
            image,
            "cat /proc/sys/kernel/hostname",
        );
        assert_eq!(name, "box1");
    }
});

user_test!(
    nothing_of_the_host_is_mounted,
    Who::Single,
    |user: &User| {
        let mounts = user.sh(&[], IMAGE, "cat /proc/self/mountinfo");
        for line in mounts.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let kind = fields[fields.iter().position(|f| *f == "-").unwrap() + 1];
            let own = [
                "overlay", "proc", "tmpfs", "devpts", "sysfs", "mqueue", "cgroup2",
            ];
            let node = fields[4].starts_with("/dev/") || fields[4].starts_with("/proc/");
            // Masks of files are /dev/null too.
            assert!(own.contains(&kind) || node && fields[3].len() < 9, "{line}");
        }
        let script = "ls /proc/1/root/; mount -t tmpfs none /opt; umount /proc/sys; mknod /tmp/n b 8 0; echo $?";
        let (_, out, err) = user.line(&[IMAGE, "sh", "-c", script]).unwrap();
        assert!(out.ends_with('1') && !out.contains("lost+found"), "{out}");
        assert_eq!(err.lines().count(), 3, "each is refused: {err}");
        let (code, ..) = user
            .line(&[IMAGE, "sh", "-c", "echo 1 > /proc/sys/vm/drop_caches"])
            .unwrap();
        assert_ne!(code, 0);
    }
);

user_test!(devices_and_memory_are_there, Who::Single, |user: &User| {
    for image in IMAGES {
        let script = "echo x > /dev/null; head -c 4 /dev/zero | wc -c; echo a > /dev/shm/f; cat /dev/shm/f; \
                      ls /dev/pts/ptmx /dev/mqueue; echo out > /dev/stdout; echo x > /dev/x || echo refused";
        let script = if image == "host" {
            script.to_owned()
        } else {
            script
                .replace("head", "busybox head")
                .replace("wc", "busybox wc")
        };
        let out = user.sh(&[], image, &script);
        for word in ["4", "a", "/dev/pts/ptmx", "out", "refused"] {
            assert!(out.lines().any(|line| line == word), "{word}: {out}");
        }
    }
});

user_test!(writes_go_nowhere_else, Who::Single, |user: &User| {
    let script = "echo new > /opt/there/file && rm -r /home/user && mkdir /home/user && ls -A /home/user && \
                  touch /new && mkdir /opt/more && cat /opt/there/file";
    // Before 6.6 a directory that was removed cannot be made again, and a note says so.
    let notes = user.prepare(&[IMAGE, "true"]).unwrap().notes();
    let script = if notes.iter().any(|note| note.contains("made again")) {
        script.replace(" && mkdir /home/user && ls -A /home/user", "")
    } else {
        script.to_owned()
    };
    for _ in 0..2 {
        assert_eq!(user.sh(&[], IMAGE, &script), "new");
        assert_eq!(
            user.sh(
                &[],
                IMAGE,
                "cat /opt/there/file; ls /new || ls -d /home/user"
            ),
            "text/home/user"
        );
    }
    let (code, _, err) = user.line(&["--read-only", IMAGE, "touch", "/new"]).unwrap();
    assert!(code != 0 && err.contains("Read-only"), "{err}");
    let (code, _, err) = user.line(&["host", "touch", "/usr/new"]).unwrap();
    assert!(code != 0 && err.contains("Read-only"), "{err}");
    user.sh(&["--read-only", "--tmpfs", "/opt"], IMAGE, "touch /opt/new");
    let size = user.sh(&["--tmpfs", "/opt:size=1m"], IMAGE, "df -k /opt");
    assert!(size.contains("1024"), "{size}");
    let out = user.line(&[
        "--storage-opt",
        "size=1m",
        IMAGE,
        "sh",
        "-c",
        "busybox dd if=/dev/zero of=/f bs=1k count=2k",
    ]);
    assert!(out.unwrap().2.contains("No space"));
});

user_test!(own_directories_are_bound, Who::Single, |user: &User| {
    let dir = user.home.join("data, with:odd".replace(':', "-"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("old"), "old").unwrap();
    let volume = format!("{}:/data", dir.display());
    for image in IMAGES {
        let target = volume.replace(":/data", ":/mnt/data");
        let out = user.sh(
            &["-v", &target],
            image,
            "stat -c %u /mnt/data/old; echo new > /mnt/data/new; cat /mnt/data/old",
        );
        assert_eq!(out, "0\nold");
        let new = fs::metadata(dir.join("new")).unwrap();
        assert_eq!(new.uid(), nix::unistd::geteuid().as_raw());
        fs::remove_file(dir.join("new")).unwrap();
        let (code, _, err) = user
            .line(&[
                "-v",
                &format!("{target}:ro"),
                image,
                "touch",
                "/mnt/data/new",
            ])
            .unwrap();
        assert!(code != 0 && err.contains("Read-only"), "{err}");
    }
    // With what is mounted below.
    let out = user.sh(&["-v", "/proc:/mnt/p:ro"], IMAGE, "ls -d /mnt/p/self");
    assert_eq!(out, "/mnt/p/self");
});

user_test!(a_program_that_is_not_there, Who::Single, |user: &User| {
    let error = user.line(&[IMAGE, "no-such-program"]).unwrap_err();
    assert_eq!(error.exit_code(), 127, "{error}");
    let error = user.line(&[IMAGE, "/etc/passwd"]).unwrap_err();
    assert_eq!(error.exit_code(), 126, "{error}");
    let error = user
        .line(&["--ulimit", "nofile=9999999999", IMAGE, "true"])
        .unwrap_err();
    assert_eq!(error.exit_code(), 125, "{error}");
    assert_eq!(user.line(&[IMAGE, "sh", "-c", "exit 7"]).unwrap().0, 7);
    // The children borrowed this process's memory, and with it the flag that entering a user namespace may clear.
    assert!(nix::sys::prctl::get_dumpable().unwrap());
});

user_test!(many_at_a_time, Who::Single, |user: &User| {
    let prepared = user
        .prepare(&[IMAGE, "sh", "-c", "echo $((6 * 7))"])
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let done = crate::support::communicate(prepared.start(piped()).unwrap());
                    assert_eq!(done.unwrap().stdout.as_deref(), Some(&b"42\n"[..]));
                }
            });
        }
    });
});

user_test!(
    a_pool_is_an_ordinary_users_too,
    Who::Ranged,
    |user: &User| {
        for image in IMAGES {
            let prepared = user.prepare(&["-u", "7:8", image]).unwrap();
            let pool = Pool::new(prepared, 2, Duration::from_secs(60)).unwrap();
            let script = "id -u; echo $A; pwd; cat f; echo > /dev/stderr; exit 3";
            let job = Job {
                args: ["sh", "-c", script].map(String::from).to_vec(),
                env: vec![("A".into(), "1".into())],
                cwd: Some("/tmp/made".into()),
                files: vec![("f".into(), b"file\n".to_vec())],
                stdin: Input::Null,
                stdout: Output::Pipe,
                stderr: Output::Pipe,
                name: None,
            };
            let mut container = pool.start(job, &mut || false).unwrap().unwrap();
            let done = container.communicate(None, None, None, &mut || false);
            let done = done.unwrap();
            assert_eq!(done.stdout.unwrap(), b"7\n1\n/tmp/made\nfile\n", "{image}");
            assert_eq!((done.stderr.unwrap(), done.exit.code), (b"\n".to_vec(), 3));
        }
    }
);

fn has_a_terminal(user: &User, options: &[&str], owner: &str) {
    for image in IMAGES {
        let script = "tty; readlink /proc/self/fd/0; stat -c %u /dev/console; echo said >/dev/tty";
        let out = user.sh(&[&["-t"], options].concat(), image, script);
        let expected = format!("/dev/pts/0\r\n/dev/pts/0\r\n{owner}\r\nsaid");
        assert_eq!(out, expected, "{image}");
    }
}

user_test!(a_terminal, Who::Single, |user: &User| {
    has_a_terminal(user, &[], "0");
});

user_test!(a_terminal_of_another_user, Who::Ranged, |user: &User| {
    has_a_terminal(user, &[], "0");
    has_a_terminal(user, &["-u", "33"], "33");
});
