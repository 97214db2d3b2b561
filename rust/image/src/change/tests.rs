use serde_json::{Value, json};

use super::apply;
use crate::config::Config;

fn changed(changes: &[&str]) -> Value {
    let mut config = Config::default();
    apply(&mut config, changes).unwrap();
    serde_json::to_value(config).unwrap()
}

fn refused(change: &str) -> String {
    let mut config = Config::default();
    apply(&mut config, &[change]).unwrap_err().to_string()
}

#[test]
fn commands_in_both_forms() {
    for (change, expected) in [
        (r#"CMD ["a", "b c"]"#, json!({"Cmd": ["a", "b c"]})),
        ("cmd  a  $b ", json!({"Cmd": ["/bin/sh", "-c", "a  $b"]})),
        ("CMD []", json!({"Cmd": []})),
        ("CMD", json!({"Cmd": ["/bin/sh", "-c"]})),
        ("CMD [a", json!({"Cmd": ["/bin/sh", "-c", "[a"]})),
        (r#"ENTRYPOINT ["x"]"#, json!({"Entrypoint": ["x"]})),
        ("ENTRYPOINT []", json!({})),
        (
            "ENTRYPOINT x",
            json!({"Entrypoint": ["/bin/sh", "-c", "x"]}),
        ),
    ] {
        assert_eq!(changed(&[change]), expected, "{change}");
    }
    assert!(refused("CMD [1]").contains("not a string"));
    assert!(refused(r#"CMD ["a"] b"#).contains("\"b\" follows"));
}

#[test]
fn an_entrypoint_drops_only_an_older_command() {
    let both = json!({"Cmd": ["c"], "Entrypoint": ["e"]});
    let (command, entrypoint) = (r#"CMD ["c"]"#, r#"ENTRYPOINT ["e"]"#);
    assert_eq!(changed(&[command, entrypoint]), both);
    assert_eq!(changed(&[entrypoint, command]), both);
    let mut config: Config = serde_json::from_value(json!({"Cmd": ["old"]})).unwrap();
    apply(&mut config, &[entrypoint]).unwrap();
    assert_eq!(
        serde_json::to_value(config).unwrap(),
        json!({"Entrypoint": ["e"]})
    );
}

#[test]
fn what_a_config_has_besides_is_kept() {
    let before = json!({"User": "me", "Shell": ["/bin/ash", "-ec"], "ArgsEscaped": true,
                        "OnBuild": null, "Hostname": "x", "Labels": {"a": "b"}});
    let mut config: Config = serde_json::from_value(before).unwrap();
    apply(&mut config, &["CMD x y", "LABEL c=d"]).unwrap();
    assert_eq!(
        serde_json::to_value(config).unwrap(),
        json!({"User": "me", "Shell": ["/bin/ash", "-ec"], "ArgsEscaped": true, "Hostname": "x",
               "Labels": {"a": "b", "c": "d"}, "Cmd": ["/bin/ash", "-ec", "x y"]})
    );
}

/// Pieces of instructions in any order: an error or a config, and one that can be read again.
#[test]
fn no_text_is_too_strange() {
    const PIECES: [&str; 36] = [
        "ENV ",
        "CMD ",
        "LABEL ",
        "EXPOSE ",
        "VOLUME ",
        "USER ",
        "WORKDIR ",
        "HEALTHCHECK ",
        "ONBUILD ",
        "STOPSIGNAL ",
        "ENTRYPOINT ",
        "--interval=",
        "9999999999h",
        "a",
        "=",
        "\"",
        "'",
        "\\",
        "$",
        "${",
        "}",
        ":-",
        ":?",
        "[",
        "]",
        "{",
        ",",
        "\n",
        " ",
        "\u{a0}",
        "é",
        "\0",
        "65535",
        "-",
        "1e400",
        "#",
    ];
    let mut state = 1u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..state % 13 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            text.push_str(PIECES[(state >> 33) as usize % PIECES.len()]);
        }
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let mut config = Config::default();
        match apply(&mut config, &[&text]) {
            Ok(()) => {
                let value = serde_json::to_value(&config).unwrap();
                let again: Config = serde_json::from_value(value.clone()).unwrap();
                assert_eq!(serde_json::to_value(again).unwrap(), value, "{text:?}");
            }
            Err(error) => assert!(error.to_string().starts_with("invalid change"), "{text:?}"),
        }
    }
}

#[test]
fn environment_and_labels() {
    for (change, expected) in [
        ("a=b", json!(["a=b"])),
        (r#"a=b c="d e""#, json!(["a=b", "c=d e"])),
        ("a b  c ", json!(["a=b  c"])),
        (r"a=b\ c", json!(["a=b c"])),
        (r#"a='$x "y"'"#, json!([r#"a=$x "y""#])),
        (r#"a="x\"y\z\\""#, json!([r#"a=x"y\z\"#])),
        ("a=", json!(["a="])),
        ("a=1 b=2 a=3", json!(["a=3", "b=2"])),
        (r#"a="b"'c'd"#, json!(["a=bcd"])),
        ("a b=c", json!(["a=b=c"])),
        (r#""a b"=c"#, json!(["a b=c"])),
    ] {
        assert_eq!(
            changed(&[&format!("ENV {change}")])["Env"],
            expected,
            "{change}"
        );
    }
    let labels = changed(&[r#"LABEL a.b="c d" e=f"#, "LABEL g h i"]);
    assert_eq!(
        labels["Labels"],
        json!({"a.b": "c d", "e": "f", "g": "h i"})
    );
}

#[test]
fn variables_are_those_of_before() {
    let env = |value: &str| {
        let last = changed(&["ENV x=1 empty=", &format!("ENV y={value}")])["Env"].clone();
        last[2]
            .as_str()
            .unwrap()
            .strip_prefix("y=")
            .unwrap()
            .to_owned()
    };
    for (text, expected) in [
        ("$x", "1"),
        ("${x}2", "12"),
        ("$none", ""),
        (r"\$x", "$x"),
        (r#""a $x""#, "a 1"),
        ("'$x'", "$x"),
        ("${none:-d}", "d"),
        ("${none-d}", "d"),
        ("${empty:-d}", "d"),
        ("${empty-d}", ""),
        ("${x:+d}", "d"),
        ("${none:+d}", ""),
        ("${none:-$x}", "1"),
        ("${x:?no}", "1"),
        ("$", "$"),
        ("a$1b", "ab"),
    ] {
        assert_eq!(env(text), expected, "{text}");
    }
    // All of one instruction see what was there before it.
    assert_eq!(
        changed(&["ENV a=1", "ENV a=2 b=$a"])["Env"],
        json!(["a=2", "b=1"])
    );
    let all = changed(&[
        "ENV d=/data u=me p='80 81' s=9",
        "WORKDIR $d",
        "USER $u",
        "EXPOSE $p",
        "VOLUME $d",
        "STOPSIGNAL $s",
        "LABEL $u=$d",
        "CMD $d",
    ]);
    assert_eq!(all["WorkingDir"], "/data");
    assert_eq!(all["User"], "me");
    assert_eq!(all["ExposedPorts"], json!({"80/tcp": {}, "81/tcp": {}}));
    assert_eq!(all["Volumes"], json!({"/data": {}}));
    assert_eq!(all["StopSignal"], "9");
    assert_eq!(all["Labels"], json!({"me": "/data"}));
    assert_eq!(all["Cmd"][2], "$d");
}

#[test]
fn directories_ports_volumes() {
    let directory = |changes: &[&str]| changed(changes)["WorkingDir"].clone();
    assert_eq!(
        directory(&["WORKDIR /a", "WORKDIR b", "WORKDIR ../c"]),
        "/a/c"
    );
    assert_eq!(directory(&["WORKDIR a"]), "/a");
    assert_eq!(directory(&[r#"WORKDIR "/a b""#]), "/a b");
    assert_eq!(
        changed(&["EXPOSE 80 53/UDP 8000-8001"])["ExposedPorts"],
        json!({"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}})
    );
    let volumes = json!({"/a": {}, "/b": {}});
    assert_eq!(changed(&["VOLUME /a /b"])["Volumes"], volumes);
    assert_eq!(
        changed(&[r#"VOLUME ["/a", "/b"]"#, "VOLUME /a"])["Volumes"],
        volumes
    );
}

#[test]
fn health_and_triggers() {
    let check = changed(&["HEALTHCHECK --interval=1m30s --retries=3 --timeout=1.5s CMD a b"]);
    assert_eq!(
        check["Healthcheck"],
        json!({"Test": ["CMD-SHELL", "a b"], "Interval": 90_000_000_000u64, "Retries": 3,
               "Timeout": 1_500_000_000})
    );
    let check = changed(&[r#"HEALTHCHECK CMD ["a"]"#]);
    assert_eq!(check["Healthcheck"], json!({"Test": ["CMD", "a"]}));
    assert_eq!(
        changed(&["HEALTHCHECK NONE"])["Healthcheck"],
        json!({"Test": ["NONE"]})
    );
    let triggers = changed(&["ONBUILD RUN a", "onbuild copy --from=x a b"]);
    assert_eq!(triggers["OnBuild"], json!(["RUN a", "copy --from=x a b"]));
}

#[test]
fn lines_are_joined_and_comments_left_out() {
    let text = "ENV a=1 \\\n  # a comment\n\n  b=2\nUSER me\\";
    let both = changed(&[text]);
    assert_eq!(both["Env"], json!(["a=1", "b=2"]));
    assert_eq!(both["User"], "me");
    assert_eq!(changed(&["# only this", ""]), json!({}));
    // Each change is a line of one text, so one can go on in the next.
    assert_eq!(
        changed(&["ENV a=1\\", "2 b=3"])["Env"],
        json!(["a=12", "b=3"])
    );
}

#[test]
fn mistakes_are_named() {
    for (change, words) in [
        ("RUN x", "RUN is no change"),
        ("FROM x", "FROM is no change"),
        ("ENV", "ENV needs a value"),
        ("ENV a", "NAME=VALUE"),
        ("ENV a=b c", "\"c\" has no ="),
        ("ENV =b", "empty"),
        ("ENV a=\"b", "closing"),
        ("ENV a='b", "closing"),
        ("ENV a=${b", "closing }"),
        ("ENV a=${}", "bad substitution"),
        ("ENV a=\"${b:?set it}\"", "b: set it"),
        ("ENV a=${b/c}", "modifier"),
        ("LABEL", "LABEL needs"),
        ("USER", "USER needs"),
        ("WORKDIR", "WORKDIR needs"),
        ("WORKDIR $nothing", "empty"),
        ("EXPOSE", "EXPOSE needs"),
        ("EXPOSE x", "number"),
        ("EXPOSE 70000", "65535"),
        ("EXPOSE 90-80", "range"),
        ("EXPOSE 80/icmp", "protocol"),
        ("EXPOSE 8080:80", "host"),
        ("VOLUME", "VOLUME needs"),
        ("VOLUME [\"\"]", "empty"),
        ("VOLUME [1]", "not a string"),
        ("STOPSIGNAL", "STOPSIGNAL needs"),
        ("STOPSIGNAL SIGNONE", "no signal"),
        ("STOPSIGNAL 0", "no signal"),
        ("STOPSIGNAL RTMIN+16", "no signal"),
        ("HEALTHCHECK", "needs"),
        ("HEALTHCHECK CMD", "command"),
        ("HEALTHCHECK RUN x", "not CMD or NONE"),
        ("HEALTHCHECK NONE x", "alone"),
        ("HEALTHCHECK --interval=1 CMD x", "duration"),
        ("HEALTHCHECK --interval=1us CMD x", "1ms"),
        ("HEALTHCHECK --retries=0 CMD x", "from 1"),
        ("HEALTHCHECK --often CMD x", "needs a value"),
        ("HEALTHCHECK --often=1 CMD x", "no flag"),
        ("CMD --flag x", "no flag --flag"),
        ("ONBUILD", "ONBUILD needs"),
        ("ONBUILD ONBUILD RUN x", "trigger"),
        ("ONBUILD FROM x", "trigger"),
    ] {
        let error = refused(change);
        assert!(error.contains(words), "{change}: {error}");
        assert!(
            error.contains(change.split(' ').next().unwrap()),
            "{change}: {error}"
        );
    }
    for signal in ["TERM", "sigterm", "15", "SIGRTMIN+3", "RTMAX-1", "SIGRTMIN"] {
        assert_eq!(
            changed(&[&format!("STOPSIGNAL {signal}")])["StopSignal"],
            signal
        );
    }
}
