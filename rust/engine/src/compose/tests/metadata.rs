//! Terminals, entrypoints, and what is kept beside the program.

use serde_json::{Value, json};

use super::*;

const IMAGE: &str = r#"{"Entrypoint": ["/e", "1"], "Cmd": ["c"], "StopSignal": "SIGQUIT",
    "Labels": {"a": "1", "io.fastbox.userns": "host"}, "ExposedPorts": {"80/tcp": {}, "9/udp": {}}}"#;

fn kept(spec: &Spec, key: &str) -> Value {
    annotation(spec, key).map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

#[test]
fn a_terminal_has_the_callers_size() {
    let spec = spec("{}", &["-t", "img", "x"]);
    let process = process(&spec);
    let size = process.console_size().unwrap();
    assert_eq!(process.terminal(), Some(true));
    assert_eq!((size.height(), size.width()), (40, 132));
    let env = process.env().clone().unwrap();
    assert!(env.contains(&"TERM=xterm".to_owned()), "{env:?}");

    let spec = super::spec("{}", &["-t", "-e", "TERM=vt100", "img", "x"]);
    let env = super::process(&spec).env().clone().unwrap();
    assert!(env.contains(&"TERM=vt100".to_owned()), "{env:?}");

    let spec = super::spec("{}", &["img", "x"]);
    let process = super::process(&spec);
    assert_eq!(
        (process.terminal(), process.console_size()),
        (Some(false), None)
    );
    assert!(
        !process
            .env()
            .clone()
            .unwrap()
            .contains(&"TERM=xterm".to_owned())
    );
}

#[test]
fn an_entrypoint_stands_for_the_images_command_too() {
    let args = |line: &[&str]| {
        process(&spec(IMAGE, line))
            .args()
            .clone()
            .unwrap()
            .join(" ")
    };
    assert_eq!(args(&["--entrypoint", "/x y", "img"]), "/x y");
    assert_eq!(args(&["--entrypoint", "/x", "img", "a", "b"]), "/x a b");
    assert_eq!(args(&["--entrypoint", "", "img", "a", "b"]), "a b");
    assert_eq!(
        error(IMAGE, &["--entrypoint", "", "img"]),
        "no command specified"
    );
}

#[test]
fn the_images_metadata_and_the_users() {
    let spec = spec(IMAGE, &["img"]);
    assert_eq!(
        annotation(&spec, annotation::USERNS),
        Some("auto"),
        "a label is no annotation"
    );
    let labels = json!({"a": "1", "io.fastbox.userns": "host"});
    assert_eq!(kept(&spec, annotation::LABELS), labels);
    assert_eq!(
        annotation(&spec, annotation::EXPOSED_PORTS),
        Some("80/tcp,9/udp")
    );
    assert_eq!(annotation(&spec, annotation::STOP_SIGNAL), Some("SIGQUIT"));
    assert_eq!(annotation(&spec, annotation::STOP_TIMEOUT), None);

    let line = [
        "-l",
        "a=2",
        "-l",
        "b",
        "--expose",
        "80",
        "--expose",
        "7-8/udp",
        "--stop-signal",
        "INT",
        "--stop-timeout",
        "3",
        "--annotation",
        "x.y=z",
        "img",
    ];
    let spec = super::spec(IMAGE, &line);
    let labels = json!({"a": "2", "b": "", "io.fastbox.userns": "host"});
    assert_eq!(kept(&spec, annotation::LABELS), labels);
    assert_eq!(
        annotation(&spec, annotation::EXPOSED_PORTS),
        Some("7/udp,8/udp,80/tcp,9/udp")
    );
    assert_eq!(annotation(&spec, annotation::STOP_SIGNAL), Some("2"));
    assert_eq!(annotation(&spec, annotation::STOP_TIMEOUT), Some("3"));
    assert_eq!(annotation(&spec, "x.y"), Some("z"));

    let none = super::spec("{}", &["img", "x"]);
    for key in [
        annotation::LABELS,
        annotation::EXPOSED_PORTS,
        annotation::STOP_SIGNAL,
        annotation::HEALTHCHECK,
    ] {
        assert_eq!(annotation(&none, key), None, "{key}");
    }
}

#[test]
fn a_check_of_health_is_kept() {
    let check = |line: &[&str]| {
        kept(
            &spec("{}", &[line, &["img", "x"]].concat()),
            annotation::HEALTHCHECK,
        )
    };
    let all = [
        "--health-cmd",
        "exit 1",
        "--health-interval",
        "5s",
        "--health-retries",
        "3",
        "--health-timeout",
        "1s",
        "--health-start-period",
        "2s",
        "--health-start-interval",
        "500ms",
    ];
    let fields = json!({
        "Test": ["CMD-SHELL", "exit 1"], "Interval": 5_000_000_000_u64, "Retries": 3, "Timeout": 1_000_000_000,
        "StartPeriod": 2_000_000_000, "StartInterval": 500_000_000,
    });
    assert_eq!(check(&all), fields);
    assert_eq!(check(&["--no-healthcheck"]), json!({"Test": ["NONE"]}));
    assert_eq!(check(&["--health-retries", "2"]), json!({"Retries": 2}));

    let image = r#"{"Healthcheck": {"Test": ["CMD", "a"], "Interval": 7, "Retries": 2}}"#;
    let of_image = |line: &[&str]| {
        kept(
            &super::spec(image, &[line, &["img", "x"]].concat()),
            annotation::HEALTHCHECK,
        )
    };
    assert_eq!(
        of_image(&[]),
        json!({"Test": ["CMD", "a"], "Interval": 7, "Retries": 2})
    );
    let given = [
        "--health-cmd",
        "b",
        "--health-interval",
        "0s",
        "--health-timeout",
        "1ms",
    ];
    let fields =
        json!({"Test": ["CMD-SHELL", "b"], "Interval": 7, "Retries": 2, "Timeout": 1_000_000});
    assert_eq!(of_image(&given), fields);
    assert_eq!(of_image(&["--no-healthcheck"]), json!({"Test": ["NONE"]}));
}
