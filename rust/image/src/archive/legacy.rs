//! The docker-archive of Docker before 1.10: `repositories` names the uppermost layer of each image,
//! and each layer's `json` the one below it. The config is made of them as Docker makes it, so that
//! the image has the same id. (Images written by Docker before 1.8.3 get another one: it rewrote
//! their whole config.)

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::config::{Member, with_diff_ids};
use super::{Incoming, MOST_LAYERS, Source, parse};
use crate::digest::Digest;
use crate::error::{ImageError, shown};
use crate::reference::Reference;
use crate::stream::{self, Keep};
use crate::tar::Input;

const REPOSITORIES: &str = "repositories";

/// What is needed of a layer's `json`.
#[derive(Deserialize)]
struct Layer {
    #[serde(default)]
    parent: String,
    #[serde(default)]
    created: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    container_config: Option<ContainerConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerConfig {
    #[serde(default)]
    cmd: Option<Vec<String>>,
}

/// A step of the image's history, with Docker's order of fields.
#[derive(Serialize)]
struct Step {
    created: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    author: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    created_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: Vec<String>,
}

pub(super) fn images(source: &Source) -> Result<Vec<Incoming>, ImageError> {
    let text = source.named_document(REPOSITORIES, "the docker-archive")?;
    let repositories: BTreeMap<String, BTreeMap<String, String>> = parse(REPOSITORIES, &text)?;
    let mut heads: BTreeMap<&str, Vec<Reference>> = BTreeMap::new();
    for (repository, tags) in &repositories {
        for (tag, head) in tags {
            let name = Reference::parse(&format!("{repository}:{tag}"))?;
            heads.entry(head).or_default().push(name);
        }
    }
    let images = heads.into_iter();
    images
        .map(|(head, names)| image(source, head, names))
        .collect()
}

fn image(source: &Source, head: &str, names: Vec<Reference>) -> Result<Incoming, ImageError> {
    let mut chain: Vec<(String, Vec<u8>, Layer)> = Vec::new();
    let mut seen = HashSet::new();
    let mut next = head.to_owned();
    while !next.is_empty() {
        if Digest::parse(&next).is_none() || next.len() != 64 {
            let reason = format!("{:?} is not 64 hex digits", shown(next.as_bytes()));
            return Err(ImageError::document(REPOSITORIES, reason));
        }
        if !seen.insert(next.clone()) || chain.len() == MOST_LAYERS {
            let reason = "its parents go round in a circle, or are too many";
            return Err(ImageError::document(format!("{next}/json"), reason));
        }
        let name = format!("{next}/json");
        let by = chain
            .last()
            .map_or(REPOSITORIES.to_owned(), |(id, ..)| format!("{id}/json"));
        let text = source.named_document(&name, &by)?;
        let layer: Layer = parse(&name, &text)?;
        let parent = layer.parent.clone();
        chain.push((next, text, layer));
        next = parent;
    }
    let top = chain
        .first()
        .map(|(_, text, _)| text.clone())
        .unwrap_or_default();
    let mut history = Vec::new();
    let mut diff_ids = Vec::new();
    let mut members = Vec::new();
    for (id, _, layer) in chain.into_iter().rev() {
        let member = format!("{id}/layer.tar");
        diff_ids.push(diff_id(source, &member, &format!("{id}/json"))?.to_string());
        members.push(Member {
            name: member.into_bytes(),
            blob: None,
            size: None,
        });
        let command = layer.container_config.and_then(|config| config.cmd);
        history.push(Step {
            created: layer.created,
            author: layer.author,
            created_by: command.unwrap_or_default().join(" "),
            comment: layer.comment,
        });
    }
    let name = format!("{head}/json");
    let config = config(&name, &top, diff_ids, history)?;
    Ok(Incoming {
        names,
        layers: with_diff_ids(&name, &config, members)?,
        config,
        manifest: None,
    })
}

/// The digest of a layer's uncompressed archive, which nothing states.
fn diff_id(source: &Source, member: &str, by: &str) -> Result<Digest, ImageError> {
    let section = source.open(member.as_bytes())?;
    let section = section.ok_or_else(|| ImageError::Missing {
        name: member.to_owned(),
        by: by.to_owned(),
    })?;
    let streamed = stream::run(section, Keep::Nothing, None, |mut archive| {
        while archive.skip(u64::MAX)? > 0 {}
        Ok(())
    })?;
    Ok(streamed.diff.0)
}

fn config(
    name: &str,
    top: &[u8],
    diff_ids: Vec<String>,
    history: Vec<Step>,
) -> Result<Vec<u8>, ImageError> {
    let mut fields: BTreeMap<String, Box<RawValue>> = parse(name, top)?;
    for field in ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"] {
        fields.remove(field);
    }
    let rootfs = RootFs {
        r#type: "layers",
        diff_ids,
    };
    let failed = |error: serde_json::Error| ImageError::document(name, error);
    let rootfs = serde_json::value::to_raw_value(&rootfs).map_err(failed)?;
    let history = serde_json::value::to_raw_value(&history).map_err(failed)?;
    fields.insert("rootfs".to_owned(), rootfs);
    fields.insert("history".to_owned(), history);
    let text = serde_json::to_string(&fields).map_err(failed)?;
    Ok(as_go_writes(&text).into_bytes())
}

/// JSON without the spaces between its parts, and with the escapes that Go's encoder makes in
/// strings (encoding/json, HTMLEscape).
fn as_go_writes(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if !quoted && c.is_ascii_whitespace() {
            continue;
        }
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            _ => out.push(c),
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_as_docker_has_it() {
        let written = as_go_writes("{ \"a\" : \"x < \\\" & \\\\\" ,\n \"b\": [1, 2] }");
        assert_eq!(written, r#"{"a":"x \u003c \" \u0026 \\","b":[1,2]}"#);
    }
}
