//! Namespaces shared with a running container.

use crate::support::{IMAGE, Place, base, busybox, piped, place, within};
use fastbox_engine::paths::Paths;
use fastbox_engine::run::{Container, Engine, Input, Prepared};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A container of this name that has said that it is ready, and runs until its input ends.
fn named(
    on: &Place,
    name: &str,
    options: &[&str],
    script: &str,
) -> (Arc<Prepared>, Container, OwnedFd) {
    let script = format!("{script}; echo ready; cat");
    let line = [options, &[IMAGE, "sh", "-c", &script]].concat();
    let prepared = on.prepare(&line).unwrap();
    let mut request = piped(Input::Pipe);
    request.name = Some(name.into());
    let mut container = prepared.start(request).unwrap();
    let out = container.take_stdout().unwrap();
    let mut ready = [0u8; 6];
    assert_eq!(nix::unistd::read(&out, &mut ready), Ok(6));
    (prepared, container, out)
}

fn link(pid: i32, namespace: &str) -> String {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/{namespace}")).unwrap();
    link.display().to_string()
}

#[test]
fn shared_memory() {
    let Some(on) = place() else { return };
    for (name, ids) in [
        ("donor-own", &[][..]),
        ("donor-host", &["--userns", "host"]),
    ] {
        let options = [ids, &["--ipc", "shareable"]].concat();
        let (_prepared, container, _out) = named(
            on,
            name,
            &options,
            "echo hello >/dev/shm/x; chmod 600 /dev/shm/x",
        );
        let by_id = &container.id()[..20];
        for donor in [name, by_id, container.id()] {
            let join = ["--ipc", &format!("container:{donor}")];
            let out = on.sh(
                &join,
                "readlink /proc/self/ns/ipc; cat /dev/shm/x; echo more >>/dev/shm/x; stat -c %u /dev/shm/x; id -u; \
                 set -- /proc/[0-9]*; echo $#; hostname | wc -c",
            );
            assert_eq!(
                out,
                format!("{}\nhello\n0\n0\n1\n13", link(container.pid(), "ipc"))
            );
            // It changes in the other one, too.
            let file = format!("/proc/{}/root/dev/shm/x", container.pid());
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello\nmore\n");
            std::fs::write(&file, "hello\n").unwrap();
        }
        // Low ports, ping and further rights as ever.
        let join = format!("container:{name}");
        on.sh(
            &["--ipc", &join, "--init", "--read-only"],
            "nc -l -p 80 -w 1 </dev/null; ls /sys/class/net",
        );
        drop(container);
    }
}

#[test]
fn processes() {
    let Some(on) = place() else { return };
    for (name, ids) in [("seen-own", &[][..]), ("seen-host", &["--userns", "host"])] {
        let (_prepared, container, _out) = named(on, name, ids, "sleep 1234 & trap 'exit 5' TERM");
        let join = format!("container:{name}");
        let join = ["--pid", join.as_str()];
        let out = on.sh(
            &join,
            "readlink /proc/self/ns/pid; until grep -q sleep /proc/[0-9]*/comm; do :; done; id -u; test $$ -gt 1 && echo joined; kill -0 1 && echo may; \
             cat /proc/1/comm",
        );
        assert_eq!(
            out,
            format!("{}\n0\njoined\nmay\nsh", link(container.pid(), "pid"))
        );
        // What it leaves behind ends with it, though the other goes on.
        let done = on.run(
            &join,
            &["sh", "-c", "setsid sleep 4321 >/dev/null 2>&1 & until test $(cat /proc/[0-9]*/comm | grep -c sleep) = 2; do :; done; exit 3"],
        );
        assert_eq!(done.code, 3, "{done:?}");
        let sleepers = "cat /proc/[0-9]*/comm | grep -c sleep";
        assert_eq!(on.run(&join, &["sh", "-c", sleepers]).out, "1\n");
        // With the first process of the namespace everything in it ends.
        let line = [&join[..], &[IMAGE, "sleep", "1000"]].concat();
        let prepared = on.prepare(&line).unwrap();
        let joined = prepared.start(piped(Input::Null)).unwrap();
        container.kill(nix::libc::SIGKILL).unwrap();
        let end = joined
            .wait(Some(Duration::from_secs(10)), &mut || false)
            .unwrap()
            .unwrap();
        assert_eq!(end.code, 137);
        // Of a plan that joins one that has ended nothing starts.
        let error = prepared.start(piped(Input::Null)).err().unwrap();
        assert!(
            error.to_string().contains("it has ended") && error.exit_code() == 125,
            "{error}"
        );
        drop(container);
    }
}

#[test]
fn refused() {
    let Some(on) = place() else { return };
    let (_prepared, container, _out) = named(on, "private-ipc", &[], "true");
    for (options, text) in [
        (&["--ipc", "container:private-ipc"][..], "it is private"),
        (
            &["--ipc", "container:no-such-container"],
            "No such container: no-such-container",
        ),
        (
            &["--pid", "container:no-such-container"],
            "No such container: no-such-container",
        ),
        (&["--pid", "container:../names"], "No such container"),
        (
            &["--pid", "container:private-ipc", "--userns", "auto"],
            "--userns auto",
        ),
        (
            &["--pid", "container:private-ipc", "--preset", "untrusted"],
            "--preset untrusted",
        ),
        (
            &["--pid", "container:private-ipc", "--strict"],
            "the user ids of the container",
        ),
    ] {
        let error = on.refused(options, &["true"]);
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{options:?}: {error}"
        );
    }
    let (_other, second, _out) = named(on, "other-ids", &["--ipc", "shareable"], "true");
    let error = on.refused(
        &[
            "--pid",
            "container:private-ipc",
            "--ipc",
            "container:other-ids",
        ],
        &["true"],
    );
    assert!(error.to_string().contains("different user ids"), "{error}");
    drop((container, second));
    assert!(within(Duration::from_secs(5), || on
        .line(&["--pid", "container:private-ipc", IMAGE, "true"])
        .is_err()));
}

/// One of another engine, as of another process; its ids are nobody else's as long as somebody has joined it.
#[test]
fn of_another_owner() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    let paths = Paths::at(&dir.join("root"), &dir.join("run")).unwrap();
    let [on, other] = [(); 2].map(|()| Place {
        engine: Engine::at(paths.clone()).unwrap(),
        paths: paths.clone(),
        dir: dir.clone(),
    });
    on.import(IMAGE, base(&busybox().unwrap()));
    let (prepared, container, _out) = named(
        &other,
        "elsewhere",
        &["--ipc", "shareable"],
        "echo x >/dev/shm/x",
    );
    let first_id = |pid: i32| {
        let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
        map.split_whitespace().nth(1).unwrap().to_owned()
    };
    let range = first_id(container.pid());
    let (_plan, mut joined) = on.start(
        &["--ipc", "container:elsewhere"],
        "cat /dev/shm/x; read x; cat /dev/shm/x",
    );
    assert_eq!(first_id(joined.pid()), range);
    drop((container, prepared));
    other.engine.settle();
    // It goes on, and nobody gets its range: of seventy new ones none is that.
    for _ in 0..70 {
        let (_plan, one) = other.start(&[], "read x");
        assert_ne!(first_id(one.pid()), range);
    }
    drop(joined.take_stdin());
    let exit = joined
        .wait(Some(Duration::from_secs(10)), &mut || false)
        .unwrap()
        .unwrap();
    assert_eq!(exit.code, 0);
}

/// Those of the joined container must not reach into the caller through one that is being started.
#[test]
fn a_start_is_not_traced() {
    let Some(on) = place() else { return };
    let spy = "while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe 2>/dev/null) in \
               ''|/bin/busybox|*memfd*) ;; *) echo $p $(readlink $p/exe);; esac; done; done";
    let (_prepared, mut container, out) = named(
        on,
        "hostile",
        &["--cap-add", "SYS_PTRACE"],
        &format!("({spy}) & true"),
    );
    for _ in 0..30 {
        on.run(&["--pid", "container:hostile"], &["true"]);
    }
    drop(container.take_stdin());
    container
        .wait(Some(Duration::from_secs(10)), &mut || false)
        .unwrap();
    let mut seen = [0u8; 256];
    let n = nix::unistd::read(&out, &mut seen).unwrap();
    assert_eq!(std::str::from_utf8(&seen[..n]).unwrap(), "");
}
