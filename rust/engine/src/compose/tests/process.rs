//! What runs, as whom, with which rights.

use oci_spec::runtime::Capability;

use super::*;

#[test]
fn entrypoint_and_command() {
    let both = r#"{"Entrypoint": ["/e", "1"], "Cmd": ["c", "2"]}"#;
    for (config, line, want) in [
        (both, &["img"][..], "/e 1 c 2"),
        (both, &["img", "x", "-y"], "/e 1 x -y"),
        (r#"{"Cmd": ["c"]}"#, &["img"], "c"),
        (r#"{"Cmd": ["c", "2"]}"#, &["img", "ls"], "ls"),
        (r#"{"Entrypoint": ["/e"]}"#, &["img"], "/e"),
        ("{}", &["img", "ls", ""], "ls "),
    ] {
        assert_eq!(
            process(&spec(config, line))
                .args()
                .as_ref()
                .unwrap()
                .join(" "),
            want
        );
    }
    assert_eq!(error("{}", &["img"]), "no command specified");
    assert_eq!(
        error(r#"{"Entrypoint": [], "Cmd": []}"#, &["img"]),
        "no command specified"
    );
}

#[test]
fn environment_by_dockers_rules() {
    let env = |config: &str, line: &[&str]| process(&spec(config, line)).env().clone().unwrap();
    let path = format!("PATH={}", super::environment::PATH);
    assert_eq!(env("{}", &["img", "x"]), [path.as_str(), "HOME=/root"]);
    let image = r#"{"Env": ["PATH=/p", "A=1", "B=2", "HOME=", "LOST"]}"#;
    let got = env(
        image,
        &[
            "-e", "A=9", "-e", "C=", "-e", "B", "-h", "web", "-u", "www", "img", "x",
        ],
    );
    assert_eq!(
        got,
        ["PATH=/p", "HOSTNAME=web", "A=9", "HOME=/var/www", "C="]
    );
    let got = env(
        "{}",
        &[
            "-e",
            "HOME=/mine",
            "-e",
            "HOSTNAME=other",
            "-e",
            "PATH=/q",
            "-h",
            "web",
            "img",
            "x",
        ],
    );
    assert_eq!(got, ["PATH=/q", "HOSTNAME=other", "HOME=/mine"]);
}

#[test]
fn users_by_the_images_own_files() {
    let ids = |user: &str| {
        let spec = spec("{}", &["-u", user, "img", "x"]);
        let user = process(&spec).user();
        let home = process(&spec)
            .env()
            .as_ref()
            .unwrap()
            .iter()
            .find_map(|v| v.strip_prefix("HOME="))
            .unwrap()
            .to_owned();
        (
            user.uid(),
            user.gid(),
            user.additional_gids().clone().unwrap(),
            home,
        )
    };
    for (user, uid, gid, groups, home) in [
        ("", 0, 0, &[0][..], "/root"),
        ("root", 0, 0, &[0], "/root"),
        ("0", 0, 0, &[0], "/root"),
        ("ann", 1000, 1001, &[1001, 4, 29], "/home/ann"),
        ("1000", 1000, 1001, &[1001, 4, 29], "/home/ann"),
        ("ann:audio", 1000, 29, &[29], "/home/ann"),
        ("ann:12", 1000, 12, &[12], "/home/ann"),
        ("5555", 5555, 0, &[0], "/"),
        ("5555:6666", 5555, 6666, &[6666], "/"),
        (":audio", 0, 29, &[29], "/root"),
        ("homeless", 9, 9, &[9], "/"),
        ("2147483647", 2147483647, 0, &[0], "/"),
    ] {
        assert_eq!(
            ids(user),
            (uid, gid, groups.to_vec(), home.to_owned()),
            "{user}"
        );
    }
    for (user, text) in [
        (
            "bob",
            "unable to find user bob: no matching entries in passwd file",
        ),
        (
            "bad",
            "unable to find user bad: no matching entries in passwd file",
        ),
        (
            "ann:none",
            "unable to find group none: no matching entries in group file",
        ),
        (
            "ann:a:b",
            "unable to find group a:b: no matching entries in group file",
        ),
        (
            "2147483648",
            "2147483648: uids and gids must be in range 0-2147483647",
        ),
        ("-1", "-1: uids and gids must be in range 0-2147483647"),
        (
            "0:99999999999",
            "99999999999: uids and gids must be in range 0-2147483647",
        ),
    ] {
        assert_eq!(error("{}", &["-u", user, "img", "x"]), text);
    }
    let image = r#"{"User": "www"}"#;
    assert_eq!(process(&spec(image, &["img", "x"])).user().uid(), 33);
    assert_eq!(
        process(&spec(image, &["-u", "ann", "img", "x"]))
            .user()
            .uid(),
        1000
    );
}

#[test]
fn working_directory() {
    let cwd =
        |config: &str, line: &[&str]| process(&spec(config, line)).cwd().display().to_string();
    assert_eq!(cwd("{}", &["img", "x"]), "/");
    assert_eq!(cwd(r#"{"WorkingDir": "/srv/"}"#, &["img", "x"]), "/srv");
    assert_eq!(
        cwd(r#"{"WorkingDir": "/srv"}"#, &["-w", "/a/../b", "img", "x"]),
        "/b"
    );
    let text =
        "the working directory 'srv' of the image is invalid, it needs to be an absolute path";
    assert_eq!(error(r#"{"WorkingDir": "srv"}"#, &["img", "x"]), text);
}

#[test]
fn hostile_configs_are_refused() {
    for (config, field) in [
        (r#"{"Env": ["A=\u0000"]}"#, "environment"),
        (r#"{"Cmd": ["\u0000"]}"#, "command"),
        (r#"{"Entrypoint": ["a\u0000"]}"#, "entrypoint"),
        (
            r#"{"Cmd": ["x"], "WorkingDir": "/\u0000"}"#,
            "working directory",
        ),
    ] {
        assert_eq!(
            error(config, &["img"]),
            format!("the image's {field} contains a zero byte")
        );
    }
}

#[test]
fn capabilities_of_root_and_others() {
    let sets = |line: &[&str]| process(&spec("{}", line)).capabilities().clone().unwrap();
    let root = sets(&["img", "x"]);
    assert_eq!(root.bounding().as_ref().unwrap().len(), 14);
    assert_eq!(root.effective(), root.bounding());
    assert_eq!(root.permitted(), root.bounding());
    let other = sets(&["-u", "ann", "img", "x"]);
    assert_eq!(other.bounding(), root.bounding());
    for set in [
        other.effective(),
        other.permitted(),
        root.inheritable(),
        root.ambient(),
    ] {
        assert!(set.as_ref().unwrap().is_empty());
    }
    let one = sets(&["--cap-drop", "ALL", "--cap-add", "net_admin", "img", "x"]);
    assert_eq!(
        one.effective().as_ref().unwrap().iter().collect::<Vec<_>>(),
        [&Capability::NetAdmin]
    );
    assert!(error("{}", &["--cap-add", "FLY", "img", "x"]).contains("FLY"));
    // With the caller's ids no more than the caller has; ALL is all of that.
    let more = ["--cap-add", "sys_resource", "img", "x"];
    assert!(error("{}", &[&["--userns", "host"], &more[..]].concat()).contains("CAP_SYS_RESOURCE"));
    sets(&more);
    sets(&["--userns", "host", "--cap-add", "ALL", "img", "x"]);
}
