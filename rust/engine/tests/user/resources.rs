//! What an ordinary user can have of limits and kernel objects, and what not, and why.

use crate::support::{IMAGE, User, Who};
use crate::user_test;
use fastbox_container::cgroup::{Driver, Kind};

fn refused(user: &User, options: &[&str], parts: &[&str]) {
    let line = [options, &[IMAGE, "true"]].concat();
    let error = user.prepare(&line).err().map(|error| error.to_string());
    for part in parts {
        let error = error.as_deref();
        assert!(
            error.is_some_and(|e| e.contains(part)),
            "{options:?}: {part}: {error:?}"
        );
    }
}

user_test!(
    parameters_and_limits_of_processes,
    Who::Single,
    |user: &User| {
        let sh = |options: &[&str], script: &str| user.sh(options, IMAGE, script);
        let somaxconn = ["--sysctl", "net.core.somaxconn=77"];
        assert_eq!(sh(&somaxconn, "cat /proc/sys/net/core/somaxconn"), "77");
        assert_eq!(
            sh(&["--ulimit", "nofile=50:60"], "ulimit -Sn; ulimit -Hn"),
            "50\n60"
        );
        assert_eq!(sh(&["--ulimit", "nofile=5"], "ulimit -n"), "5");
        assert_eq!(
            sh(&["--oom-score-adj", "900"], "cat /proc/self/oom_score_adj"),
            "900"
        );
        assert_eq!(
            sh(
                &["--shm-size", "1m"],
                "df -k /dev/shm | tail -n1 | awk '{print $2}'"
            ),
            "1024"
        );
        assert_eq!(
            sh(&["--add-host", "a:::1"], "tail -n1 /etc/hosts"),
            "::1\ta"
        );
        refused(
            user,
            &["--ulimit", "nofile=1000000000"],
            &["--ulimit nofile=1000000000:1000000000", "CAP_SYS_RESOURCE"],
        );
        refused(
            user,
            &["--oom-score-adj", "-999"],
            &["--oom-score-adj -999", "CAP_SYS_RESOURCE"],
        );
    }
);

user_test!(devices, Who::Single, |user: &User| {
    let script = "head -c3 /dev/some/zero | wc -c; ls /dev/pts/ptmx /dev/null /dev/shm >/dev/null && ls -d /dev/some";
    let device = ["--device", "/dev/zero:/dev/some/zero"];
    assert_eq!(user.sh(&device, IMAGE, script), "3\n/dev/some");
    let elsewhere = ["--device", "/dev/zero:/opt/zero"];
    assert_eq!(
        user.sh(&elsewhere, IMAGE, "head -c3 /opt/zero | wc -c"),
        "3"
    );
    refused(
        user,
        &["--device", "/dev/zero:/dev/x:r"],
        &["--device /dev/zero:r", "no list of devices"],
    );
    refused(user, &["--device", "/dev/no-such"], &["/dev/no-such"]);
});

user_test!(limits_without_groups, Who::Single, |user: &User| {
    if Driver::probe().kind() != Kind::None {
        return;
    }
    for (options, flag) in [
        (["-c", "512"], "--cpu-shares 512: "),
        (["--cpuset-cpus", "0"], "--cpuset-cpus 0: "),
        (["--blkio-weight", "100"], "--blkio-weight 100: "),
        (
            ["--memory-reservation", "64m"],
            "--memory-reservation 67108864: ",
        ),
        (["--cgroup-parent", "/a"], "--cgroup-parent a: "),
    ] {
        refused(user, &options, &[flag, "cgroup"]);
    }
});
