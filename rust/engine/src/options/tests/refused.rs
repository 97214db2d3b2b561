//! Flags of Docker's that mean nothing here.

use super::super::refused::ALIASES;
use super::*;

#[test]
fn each_says_why() {
    for refused in REFUSED {
        let flag = format!("--{}", refused.flag);
        let line = match refused.takes_value {
            true => vec![flag.as_str(), "some-value"],
            false if refused.accepted == ["true"] => vec!["--disable-content-trust=false"],
            false => vec![flag.as_str()],
        };
        let text = error(&line);
        assert!(text.starts_with(&refused.label()), "{text}");
        assert!(text.ends_with(refused.why), "{text}");
        assert!(
            !refused.takes_value || text.contains("\"some-value\""),
            "{text}"
        );
        assert!(refused.why.chars().all(|c| c != '\n') && !refused.why.ends_with('.'));
    }
    assert_eq!(
        error(&["-p", "80:80"]),
        error(&["-p80:80"]),
        "short flags are known too"
    );
    assert!(
        error(&["-itd"]).contains("--tty")
            || error(&["-id"]).starts_with("-d, --detach cannot be had: ")
    );
}

#[test]
fn what_is_so_anyway_is_taken() {
    for line in [
        &["--restart", "no"][..],
        &["--restart="],
        &["--pull=missing", "--pull", "never"],
        &["--isolation", "default"],
        &["--log-driver=none"],
        &["--detach=false", "-d=0", "-P=f"],
        &["--disable-content-trust"],
        &["--volume-driver", "local"],
    ] {
        assert_eq!(options(line), options(&[]), "{line:?}");
    }
    assert_eq!(
        error(&["--detach=perhaps"]),
        "invalid argument \"perhaps\" for \"-d, --detach\" flag: invalid boolean: use true or false"
    );
    assert_eq!(
        parse(&["--publish"]),
        Err(OptionError::NeedsArgument {
            flag: "--publish".into()
        })
    );
}

#[test]
fn older_spellings_are_known() {
    assert_eq!(options(&["--net", "host"]), options(&["--network", "host"]));
    for (said, meant) in ALIASES {
        assert!(TABLE.iter().all(|row| row.flag != *said));
        assert!(
            TABLE.iter().any(|row| row.flag == *meant)
                || REFUSED.iter().any(|refused| refused.flag == *meant),
            "{meant}"
        );
    }
}

#[test]
fn a_flag_is_an_option_or_refused() {
    for refused in REFUSED {
        assert!(
            TABLE.iter().all(|row| row.flag != refused.flag),
            "{}",
            refused.flag
        );
        assert!(
            refused.short.is_none() || TABLE.iter().all(|row| row.short != refused.short),
            "{}",
            refused.flag
        );
    }
    assert!(REFUSED.is_sorted_by_key(|refused| refused.flag));
}

#[test]
fn keywords_say_why_too() {
    let refused = Options::default().set("volumes_from", Value::Str("db".into()));
    let text = refused.unwrap_err().to_string();
    assert!(
        text.starts_with("volumes_from \"db\" cannot be had: "),
        "{text}"
    );
}
