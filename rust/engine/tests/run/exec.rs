//! One more program in a container that runs.

use crate::support::{Place, place, status, within};
use fastbox_engine::run::{Container, Exec, Executed, Input, Output, Program};
use std::time::{Duration, Instant};

fn exec(command: &[&str]) -> Exec {
    Exec {
        args: command.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        cwd: None,
        user: None,
        stdin: Input::Null,
        stdout: Output::Pipe,
        stderr: Output::Pipe,
    }
}

fn start(container: &Container, exec: Exec) -> Executed {
    container.exec(exec, None, &mut || false).unwrap().unwrap()
}

fn output(on: &Place, options: &[&str], exec: Exec) -> (i32, String) {
    let (_prepared, container) = on.start(options, "read x");
    let mut executed = start(&container, exec);
    let time = Some(Duration::from_secs(20));
    let done = executed
        .communicate(None, time, None, &mut || false)
        .unwrap();
    let text = String::from_utf8(done.stdout.unwrap()).unwrap();
    (done.exit.code, text)
}

#[test]
fn it_sees_what_the_container_sees() {
    let Some(on) = place() else { return };
    let script = "tr '\\0' ' ' </proc/1/cmdline; echo; hostname; pwd; id -u; exit 5";
    let (code, text) = output(on, &["--hostname", "inside"], exec(&["sh", "-c", script]));
    assert_eq!((code, text.as_str()), (5, "sh -c read x \ninside\n/\n0\n"));
    let other = Exec {
        user: Some("user:audio".into()),
        cwd: Some("/var".into()),
        env: vec![("A".into(), "b".into())],
        ..exec(&["sh", "-c", "id -u; id -g; pwd; echo $A $HOME"])
    };
    assert_eq!(output(on, &[], other).1, "1000\n29\n/var\nb /home/user\n");
}

/// Limit of time, and end, of one that the kernel has not let in yet or that runs.
#[test]
fn it_ends_with_the_container() {
    let Some(on) = place() else { return };
    let (_prepared, container) = on.start(&[], "read x");
    let executed = start(&container, exec(&["sleep", "1000"]));
    executed.watch().unwrap();
    assert_eq!(status(executed.pid(), "Seccomp"), "2");
    let tree = format!("/proc/{}", executed.pid());
    drop(container);
    assert!(within(Duration::from_secs(5), || !std::path::Path::new(
        &tree
    )
    .exists()));
    let exit = executed.wait(None, &mut || false).unwrap().unwrap();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
}

#[test]
fn what_is_refused() {
    let Some(on) = place() else { return };
    let (_prepared, container) = on.start(&[], "read x");
    let refused = |exec| match container.exec(exec, None, &mut || false) {
        Err(error) => error,
        Ok(_) => panic!("it ran"),
    };
    assert_eq!(refused(exec(&["no-such"])).exit_code(), 127);
    assert_eq!(refused(exec(&["/etc/passwd"])).exit_code(), 126);
    assert!(refused(exec(&[])).to_string().contains("command"));
    let nobody = Exec {
        user: Some("no-such".into()),
        ..exec(&["true"])
    };
    assert!(refused(nobody).to_string().contains("no-such"));
    // Time that is up before it begins: nothing of it is left.
    let past = container.exec(exec(&["sleep", "1000"]), Some(Instant::now()), &mut || {
        false
    });
    assert!(past.unwrap().is_none());
    let (code, text) = {
        let mut executed = start(
            &container,
            exec(&["sh", "-c", "ps -o args | grep -c 'sleep 100[0]'"]),
        );
        let done = executed
            .communicate(None, None, None, &mut || false)
            .unwrap();
        (
            done.exit.code,
            String::from_utf8(done.stdout.unwrap()).unwrap(),
        )
    };
    assert_eq!((code, text.as_str()), (1, "0\n"));
    container.kill(9).unwrap();
    assert!(within(Duration::from_secs(5), || {
        let error = container.exec(exec(&["true"]), None, &mut || false).err();
        error.is_some_and(|error| error.to_string().contains("has ended"))
    }));
}
