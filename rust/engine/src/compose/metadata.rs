//! What is said of a container and does not change how it runs: annotations, labels, ports, the check of its health.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};

use super::{ImageView, annotation};
use crate::options::{Checked, Expose, StopSignal};

/// The user's annotations, with those that keep the rest.
pub(super) fn annotations(options: &Checked, image: &ImageView) -> HashMap<String, String> {
    let given = options.annotation.iter();
    let mut all: HashMap<String, String> = given
        .map(|entry| (entry.name.clone(), entry.value.clone()))
        .collect();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(key.to_owned(), value);
        }
    };
    put(annotation::LABELS, labels(options, image));
    put(annotation::EXPOSED_PORTS, ports(options, image));
    put(annotation::STOP_SIGNAL, stop_signal(options, image));
    put(
        annotation::STOP_TIMEOUT,
        options.stop_timeout.map(|seconds| seconds.to_string()),
    );
    put(annotation::HEALTHCHECK, healthcheck(options, image));
    all
}

/// The image's, then the user's.
fn labels(options: &Checked, image: &ImageView) -> Option<String> {
    let of_image = image.config.and_then(|config| config.labels().as_ref());
    let mut all: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in of_image.into_iter().flatten() {
        all.insert(name, value);
    }
    for label in &options.label {
        all.insert(&label.name, &label.value);
    }
    (!all.is_empty()).then(|| json!(all).to_string())
}

/// The image's and the user's.
fn ports(options: &Checked, image: &ImageView) -> Option<String> {
    let of_image = image
        .config
        .and_then(|config| config.exposed_ports().as_ref());
    let mut all: BTreeSet<String> = of_image.into_iter().flatten().cloned().collect();
    all.extend(options.expose.iter().flat_map(Expose::ports));
    let list: Vec<String> = all.into_iter().collect();
    (!list.is_empty()).then(|| list.join(","))
}

/// The user's, else the image's as it is.
fn stop_signal(options: &Checked, image: &ImageView) -> Option<String> {
    let of_image = || image.config?.stop_signal().clone();
    match options.stop_signal {
        Some(StopSignal(number)) => Some(number.to_string()),
        None => of_image().filter(|signal| !signal.is_empty()),
    }
}

/// The image's, each field of which the user's goes before; times in nanoseconds.
fn healthcheck(options: &Checked, image: &ImageView) -> Option<String> {
    if options.no_healthcheck {
        return Some(json!({ "Test": ["NONE"] }).to_string());
    }
    let mut check = image.healthcheck.cloned().unwrap_or_default();
    let time = |time: Option<Duration>| {
        // 0 stands for the default.
        let time = time.filter(|time| !time.is_zero())?;
        Some(json!(time.as_nanos() as u64))
    };
    let command = options.health_cmd.as_ref();
    let retries = options.health_retries.filter(|number| *number > 0);
    for (name, given) in [
        (
            "Test",
            command.map(|command| json!(["CMD-SHELL", command.0])),
        ),
        ("Interval", time(options.health_interval)),
        ("Timeout", time(options.health_timeout)),
        ("StartPeriod", time(options.health_start_period)),
        ("StartInterval", time(options.health_start_interval)),
        ("Retries", retries.map(|number| json!(number))),
    ] {
        if let Some(given) = given {
            check.insert(name.to_owned(), given);
        }
    }
    (!check.is_empty()).then(|| Value::Object(check).to_string())
}
