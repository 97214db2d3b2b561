//! What the caller itself may not have, it cannot give: limits above its own, a better place when memory runs out.

use super::EngineError;
use crate::options::{Checked, Ulimit};
use fastbox_container::security::caps;
use std::fs;

/// The capability to go beyond limits (capabilities(7)).
const SYS_RESOURCE: u8 = 24;

/// Looks at the caller's limits only where options ask for others.
///
/// # Errors
/// [`EngineError::Limit`] for the first that takes a right that the caller does not have.
pub(super) fn give(options: &Checked) -> Result<(), EngineError> {
    if options.ulimits.is_empty() && options.oom_score_adj.is_none() {
        return Ok(());
    }
    let any = caps::available().contains(SYS_RESOURCE);
    let own = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    for ulimit in &options.ulimits {
        let most = match any {
            // What nobody may exceed (proc_sys_fs(5)).
            true if ulimit.name == "nofile" => {
                number("/proc/sys/fs/nr_open").map(|most| (most, "fs.nr_open is"))
            }
            true => None,
            false => hard(&own, ulimit.name).map(|most| {
                (
                    most,
                    "raising it takes CAP_SYS_RESOURCE, and the caller's own is",
                )
            }),
        };
        if let Some((most, why)) = most.filter(|(most, _)| ulimit.hard > *most) {
            return Err(EngineError::Limit {
                flag: "--ulimit",
                value: shown(ulimit),
                why: format!("more than the hard limit can be: {why} {most}"),
            });
        }
    }
    let own = number::<i64>("/proc/self/oom_score_adj").unwrap_or(0);
    match options.oom_score_adj {
        Some(score) if !any && score.0 < own => Err(EngineError::Limit {
            flag: "--oom-score-adj",
            value: score.0.to_string(),
            why: format!("less than the caller's own {own}: that takes CAP_SYS_RESOURCE"),
        }),
        _ => Ok(()),
    }
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn shown(ulimit: &Ulimit) -> String {
    let number = |n: u64| match n {
        u64::MAX => "-1".to_owned(),
        n => n.to_string(),
    };
    format!(
        "{}={}:{}",
        ulimit.name,
        number(ulimit.soft),
        number(ulimit.hard)
    )
}

/// The hard limit as /proc/self/limits has it; None where there is none (proc_pid_limits(5)).
fn hard(limits: &str, name: &str) -> Option<u64> {
    let title = match name {
        "core" => "Max core file size",
        "cpu" => "Max cpu time",
        "data" => "Max data size",
        "fsize" => "Max file size",
        "locks" => "Max file locks",
        "memlock" => "Max locked memory",
        "msgqueue" => "Max msgqueue size",
        "nice" => "Max nice priority",
        "nproc" => "Max processes",
        "rss" => "Max resident set",
        "rtprio" => "Max realtime priority",
        "rttime" => "Max realtime timeout",
        "sigpending" => "Max pending signals",
        "stack" => "Max stack size",
        _ => "Max open files",
    };
    let line = limits.lines().find_map(|line| line.strip_prefix(title))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_found() {
        let own = fs::read_to_string("/proc/self/limits").unwrap();
        let finite = own
            .lines()
            .skip(1)
            .filter(|line| !line.contains("unlimited  "));
        assert!(
            hard(&own, "nofile").is_some() || finite.count() == 0,
            "{own}"
        );
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max cpu time              unlimited            77                   seconds   \n\
                    Max nice priority         0                    unlimited            \n";
        assert_eq!((hard(text, "cpu"), hard(text, "nice")), (Some(77), None));
    }
}
