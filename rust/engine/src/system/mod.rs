//! What this machine is and can: [`info`] for facts, [`doctor`] for what is missing and what helps.

mod checks;
mod info;
mod machine;
mod trial;

pub use checks::{Check, doctor};
pub use info::{Info, info};

/// All checks as a JSON array: every field of [`Check`].
pub fn doctor_json() -> String {
    serde_json::to_string(&doctor()).expect("checks are plain text")
}
