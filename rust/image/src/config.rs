//! What an image says of its containers.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The `config` of an image: OCI's fields, and those that only Docker's image format has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Config {
    /// The fields of the OCI image-spec (config.md).
    #[serde(flatten)]
    pub oci: oci_spec::image::Config,
    /// How to see whether a container works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Instructions for builds that begin with this image.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub on_build: Vec<String>,
    /// The shell of instructions in shell form; empty for the default.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub shell: Vec<String>,
    /// Whatever else is in a config, kept as it is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A health check, with Docker's names (moby's image specification 1.2). Times are in nanoseconds,
/// and 0 stands for the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", program, …]` or `["CMD-SHELL", line]`.
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: u64,
    /// After which a check has failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: u64,
    /// After the container's start, while failures do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: u64,
    /// Between two checks in the start period.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: u64,
    /// Failures in a row that make a container unhealthy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u64,
}

/// Docker writes an empty list as null.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
