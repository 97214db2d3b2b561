//! How long the steps of a start took, for people and for programs that draw them.

use serde_json::{Value, json};

/// A step of a start. Steps of two threads overlap.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// What was done; of some steps also to what.
    pub label: String,
    /// Microseconds from the beginning of the first step to that of this one.
    pub begin_us: f64,
    /// How many it took.
    pub took_us: f64,
}

const BAR: usize = 40;

/// A line for each step in the order of their beginnings: when it began, how long it took, and where in the whole.
pub fn waterfall(steps: &[Timing]) -> Vec<String> {
    let steps = in_order(steps);
    let end = steps
        .iter()
        .map(|step| step.begin_us + step.took_us)
        .fold(0.0, f64::max);
    let wide = steps.iter().map(|step| step.label.chars().count());
    let wide = wide.chain([5]).max().unwrap_or(5);
    let line = |label: &str, begin: f64, took: f64| {
        let place = |at: f64| (at / end.max(f64::MIN_POSITIVE) * BAR as f64) as usize;
        let (from, to) = (place(begin).min(BAR - 1), place(begin + took).min(BAR));
        let bar = format!("{}{}", " ".repeat(from), "=".repeat((to - from).max(1)));
        format!("{label:wide$}  {begin:9.1}  {took:9.1} µs  |{bar:BAR$}|")
    };
    let lines = steps
        .iter()
        .map(|step| line(&step.label, step.begin_us, step.took_us));
    lines.chain([line("total", 0.0, end)]).collect()
}

/// The steps as Chrome's trace viewer and Perfetto read them: the JSON object form of the Trace Event Format, with
/// complete events ("X") in microseconds. Steps that overlap are in rows of their own.
pub fn chrome_trace(steps: &[Timing]) -> String {
    let mut rows: Vec<f64> = Vec::new();
    let event = |step: &Timing| {
        // The clock's own grain: a step may end a moment after the next began.
        let free = rows.iter().position(|end| *end <= step.begin_us + 0.001);
        let row = free.unwrap_or(rows.len());
        rows.resize(rows.len().max(row + 1), 0.0);
        rows[row] = step.begin_us + step.took_us;
        json!({
            "name": step.label,
            "cat": "fastbox",
            "ph": "X",
            "ts": step.begin_us,
            "dur": step.took_us,
            "pid": 1,
            "tid": row + 1,
        })
    };
    let events: Vec<Value> = in_order(steps).iter().map(event).collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ns" }).to_string()
}

fn in_order(steps: &[Timing]) -> Vec<Timing> {
    let mut steps = steps.to_vec();
    steps.sort_by(|one, other| one.begin_us.total_cmp(&other.begin_us));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(label: &str, begin_us: f64, took_us: f64) -> Timing {
        Timing {
            label: label.to_owned(),
            begin_us,
            took_us,
        }
    }

    #[test]
    fn what_overlaps_is_shown_beside() {
        let steps = [
            step("cgroup", 0.0, 100.0),
            step("mount /proc", 100.0, 50.0),
            step("network namespace", 20.0, 180.0),
        ];
        let trace: Value = serde_json::from_str(&chrome_trace(&steps)).unwrap();
        let rows: Vec<_> = trace["traceEvents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (event["name"].as_str().unwrap(), event["tid"].as_u64()))
            .collect();
        assert_eq!(
            rows,
            [
                ("cgroup", Some(1)),
                ("network namespace", Some(2)),
                ("mount /proc", Some(1))
            ]
        );
        let lines = waterfall(&steps);
        assert!(lines[1].starts_with("network namespace       20.0      180.0 µs  |    ="));
        assert!(lines[3].starts_with("total                    0.0      200.0 µs  |====="));
        let ends: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|wide| *wide == ends[0]), "{lines:#?}");
    }

    #[test]
    fn nothing_is_drawn_of_no_steps() {
        assert_eq!(waterfall(&[]).len(), 1);
        assert_eq!(
            chrome_trace(&[]),
            r#"{"displayTimeUnit":"ns","traceEvents":[]}"#
        );
    }
}
