//! The instructions one by one.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{INSTRUCTIONS, SHELL, Target, health, ports, words};

impl Target<'_> {
    /// Applies one instruction; the error says what is wrong with it.
    pub(super) fn apply(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let name = name.to_ascii_uppercase();
        let (flags, rest) = match name.as_str() {
            // Its flags belong to the instruction it keeps.
            "ONBUILD" => (Vec::new(), rest.trim()),
            _ => flags(rest.trim()),
        };
        if let Some(flag) = flags.first()
            && name != "HEALTHCHECK"
        {
            return Err(format!("{name} has no flag {flag}"));
        }
        let env = self.config.oci.env().clone().unwrap_or_default();
        match name.as_str() {
            "CMD" => self.command(rest),
            "ENTRYPOINT" => self.entrypoint(rest),
            "ENV" => self.env(pairs(&name, rest, &env)?),
            "EXPOSE" => self.expose(&words::expand_to_words(some(&name, rest)?, &env)?),
            "HEALTHCHECK" => {
                self.config.healthcheck = Some(health::parse(&flags, some(&name, rest)?)?);
                Ok(())
            }
            "LABEL" => {
                let labels = self.oci().labels_mut().get_or_insert_default();
                labels.extend(pairs(&name, rest, &env)?);
                Ok(())
            }
            "ONBUILD" => self.on_build(some(&name, rest)?),
            "STOPSIGNAL" => self.stop_signal(words::expand(some(&name, rest)?, &env)?),
            "USER" => {
                let user = words::expand(some(&name, rest)?, &env)?;
                self.oci().set_user(Some(user));
                Ok(())
            }
            "VOLUME" => self.volumes(some(&name, rest)?, &env),
            "WORKDIR" => self.directory(words::expand(some(&name, rest)?, &env)?),
            _ => Err(format!("{name} is no change; use {INSTRUCTIONS}")),
        }
    }

    fn command(&mut self, rest: &str) -> Result<(), String> {
        let command = self.command_line(rest)?;
        self.has_command |= !rest.is_empty();
        self.oci().set_cmd(Some(command));
        Ok(())
    }

    fn entrypoint(&mut self, rest: &str) -> Result<(), String> {
        let entrypoint = self.command_line(rest)?;
        self.oci()
            .set_entrypoint((!entrypoint.is_empty()).then_some(entrypoint));
        if !self.has_command {
            // It was made for another entrypoint.
            self.oci().set_cmd(None);
        }
        Ok(())
    }

    /// A program and its arguments in JSON form, or a line for the shell.
    fn command_line(&self, rest: &str) -> Result<Vec<String>, String> {
        if let Some(command) = json(rest)? {
            return Ok(command);
        }
        let mut command = match self.config.shell.is_empty() {
            true => SHELL.map(str::to_owned).to_vec(),
            false => self.config.shell.clone(),
        };
        command.extend((!rest.is_empty()).then(|| rest.to_owned()));
        Ok(command)
    }

    fn env(&mut self, pairs: Vec<(String, String)>) -> Result<(), String> {
        let mut env = self.oci().env().clone().unwrap_or_default();
        for (key, value) in pairs {
            let pair = format!("{key}={value}");
            let same = |known: &String| known.split_once('=').is_some_and(|(k, _)| k == key);
            match env.iter().position(same) {
                Some(place) => env[place] = pair,
                None => env.push(pair),
            }
        }
        self.oci().set_env(Some(env));
        Ok(())
    }

    fn expose(&mut self, words: &[String]) -> Result<(), String> {
        let mut all = self.oci().exposed_ports().clone().unwrap_or_default();
        for word in words {
            all.extend(ports::parse(word)?);
        }
        all.sort();
        all.dedup();
        self.oci().set_exposed_ports(Some(all));
        Ok(())
    }

    fn on_build(&mut self, rest: &str) -> Result<(), String> {
        let first = rest.split_whitespace().next().unwrap_or_default();
        let first = first.to_ascii_uppercase();
        if matches!(first.as_str(), "ONBUILD" | "MAINTAINER" | "FROM") {
            return Err(format!("{first} cannot be a trigger of ONBUILD"));
        }
        self.config.on_build.push(rest.to_owned());
        Ok(())
    }

    fn stop_signal(&mut self, signal: String) -> Result<(), String> {
        if !is_signal(&signal) {
            return Err(format!(
                "no signal is called {signal:?}; use one like SIGTERM or 15"
            ));
        }
        self.oci().set_stop_signal(Some(signal));
        Ok(())
    }

    fn volumes(&mut self, rest: &str, env: words::Environment<'_>) -> Result<(), String> {
        let given = match json(rest)? {
            Some(paths) => paths,
            None => rest.split_whitespace().map(str::to_owned).collect(),
        };
        let mut volumes = self.oci().volumes().clone().unwrap_or_default();
        for path in given {
            let path = words::expand(path.trim(), env)?;
            if path.is_empty() {
                return Err("the path of a VOLUME is empty".to_owned());
            }
            volumes.push(path);
        }
        volumes.sort();
        volumes.dedup();
        self.oci().set_volumes(Some(volumes));
        Ok(())
    }

    /// A relative path goes on from the one before.
    fn directory(&mut self, path: String) -> Result<(), String> {
        if path.is_empty() {
            return Err("the path of WORKDIR is empty".to_owned());
        }
        let path = match path.starts_with('/') {
            true => path,
            false => {
                let before = self.oci().working_dir().clone().unwrap_or_default();
                joined(&format!("/{before}/{path}"))
            }
        };
        self.oci().set_working_dir(Some(path));
        Ok(())
    }
}

/// A path without `.`, `..` and empty parts.
fn joined(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn some<'a>(name: &str, rest: &'a str) -> Result<&'a str, String> {
    match rest.is_empty() {
        true => Err(format!("{name} needs a value")),
        false => Ok(rest),
    }
}

/// The words before the first that does not begin with `--`, and what follows them.
fn flags(mut rest: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    while rest.starts_with("--") {
        let (flag, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = after.trim_start();
        if flag == "--" {
            break;
        }
        flags.push(flag.to_owned());
    }
    (flags, rest)
}

/// A JSON array of strings; None where the text is not JSON.
pub(super) fn json(text: &str) -> Result<Option<Vec<String>>, String> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Vec<Value>>();
    let Some(Ok(array)) = values.next() else {
        return Ok(None);
    };
    let rest = text[values.byte_offset()..].trim();
    if !rest.is_empty() {
        return Err(format!("{rest:?} follows the JSON array"));
    }
    let strings = array.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        other => Err(format!("{other} in the array is not a string")),
    });
    strings.collect::<Result<_, _>>().map(Some)
}

/// `a=b c="d e"`, or the old form `a b`, in which all after the first space is one value.
fn pairs(
    name: &str,
    rest: &str,
    env: words::Environment<'_>,
) -> Result<Vec<(String, String)>, String> {
    let words = words::split(some(name, rest)?);
    let old = words.first().is_some_and(|first| !first.contains('='));
    let mut pairs = Vec::new();
    if old {
        let (key, value) = rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| format!("{name} needs a name and a value: NAME=VALUE"))?;
        pairs.push((key, value.trim_start()));
    }
    for word in words.iter().filter(|_| !old) {
        let pair = word.split_once('=');
        pairs.push(pair.ok_or_else(|| format!("{word:?} has no =; use NAME=VALUE"))?);
    }
    let mut expanded = Vec::new();
    for (key, value) in pairs {
        if key.is_empty() {
            return Err(format!("a name of {name} is empty"));
        }
        expanded.push((words::expand(key, env)?, words::expand(value, env)?));
    }
    Ok(expanded)
}

/// A number, or a name with or without SIG, as `SIGRTMIN+3` (signal(7)).
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u32>() {
        return (1..=64).contains(&number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let of_real_time = |name: &str, sign: char, most: u32| {
        let distance = name.strip_prefix(sign).map(str::parse::<u32>);
        name.is_empty() || distance.is_some_and(|d| d.is_ok_and(|d| (1..=most).contains(&d)))
    };
    match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => of_real_time(rest, '+', 15),
        (_, Some(rest)) => of_real_time(rest, '-', 14),
        _ => format!("SIG{name}").parse::<Signal>().is_ok(),
    }
}
