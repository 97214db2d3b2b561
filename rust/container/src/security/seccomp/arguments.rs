//! Rules on arguments: from operators to interval sets and masked words, to graph nodes.

use std::collections::BTreeMap;

use super::graph::{Graph, Id};
use super::rules::{Condition, Operator, Rule, strictness};

/// Offset of the low word of argument `index` in `struct seccomp_data` (little endian).
fn low_word(index: u32) -> u32 {
    16 + 8 * index
}

/// Intervals, both ends included.
type Intervals = Vec<(u64, u64)>;

/// The verdict on one call: the first rule, from the strictest action on, all of whose
/// conditions hold; else `otherwise`. An unconditional rule decides alone.
pub fn verdict(graph: &mut Graph, rules: &[Rule], otherwise: Id, wide: bool) -> Id {
    if let Some(rule) = rules.iter().find(|rule| rule.conditions.is_empty()) {
        return graph.verdict(rule.action);
    }
    let mut order: Vec<&Rule> = rules.iter().collect();
    order.sort_by_key(|rule| strictness(rule.action));
    let mut next = otherwise;
    for same in order.chunk_by(|a, b| a.action == b.action).rev() {
        let yes = graph.verdict(same[0].action);
        next = any(graph, same, yes, next, wide);
    }
    next
}

/// Whether any of the rules holds. Those with a single interval condition are one interval set
/// an argument: thirty allowed values cost one binary tree.
fn any(graph: &mut Graph, rules: &[&Rule], yes: Id, no: Id, wide: bool) -> Id {
    let mut next = no;
    let mut sets: BTreeMap<u32, Intervals> = BTreeMap::new();
    for rule in rules {
        match rule.conditions.as_slice() {
            [one] if !matches!(one.operator, Operator::Masked(_)) => {
                sets.entry(one.index)
                    .or_default()
                    .extend(intervals(one, wide));
            }
            all => {
                next = all.iter().rev().fold(yes, |then, condition| {
                    holds(graph, condition, then, next, wide)
                });
            }
        }
    }
    for (index, set) in sets {
        next = within(graph, index, union(set), yes, next, wide);
    }
    next
}

fn holds(graph: &mut Graph, condition: &Condition, yes: Id, no: Id, wide: bool) -> Id {
    match condition.operator {
        Operator::Masked(mask) => masked(graph, condition, mask, yes, no, wide),
        _ => {
            let set = union(intervals(condition, wide));
            within(graph, condition.index, set, yes, no, wide)
        }
    }
}

fn masked(graph: &mut Graph, one: &Condition, mask: u64, yes: Id, no: Id, wide: bool) -> Id {
    let low = low_word(one.index);
    let mut next = masked_word(graph, low, mask as u32, one.value as u32, yes, no);
    if wide {
        let (mask, value) = ((mask >> 32) as u32, (one.value >> 32) as u32);
        next = masked_word(graph, low + 4, mask, value, next, no);
    }
    next
}

/// As libseccomp does, bits of the value outside the mask do not count.
fn masked_word(graph: &mut Graph, offset: u32, mask: u32, value: u32, yes: Id, no: Id) -> Id {
    if mask == 0 {
        return yes;
    }
    let test = graph.equal(value & mask, yes, no);
    let test = graph.and(mask, test);
    graph.load(offset, test)
}

/// The values for which a condition without a mask holds. A 32-bit ABI compares low words only.
fn intervals(condition: &Condition, wide: bool) -> Intervals {
    let (value, max) = if wide {
        (condition.value, u64::MAX)
    } else {
        (condition.value & u64::from(u32::MAX), u64::from(u32::MAX))
    };
    let below = value.checked_sub(1).map(|end| (0, end));
    let above = (value < max).then(|| (value + 1, max));
    match condition.operator {
        Operator::Equal | Operator::Masked(_) => vec![(value, value)],
        Operator::NotEqual => below.into_iter().chain(above).collect(),
        Operator::Less => below.into_iter().collect(),
        Operator::LessOrEqual => vec![(0, value)],
        Operator::Greater => above.into_iter().collect(),
        Operator::GreaterOrEqual => vec![(value, max)],
    }
}

/// The same values as ascending intervals that neither overlap nor touch.
fn union(mut set: Intervals) -> Intervals {
    set.sort_unstable();
    let mut out: Intervals = Vec::with_capacity(set.len());
    for (start, end) in set {
        match out.last_mut() {
            Some(last) if start <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => out.push((start, end)),
        }
    }
    out
}

/// Whether argument `index` is in the set: by the high word first, then by the low word.
fn within(graph: &mut Graph, index: u32, set: Intervals, yes: Id, no: Id, wide: bool) -> Id {
    let low = low_word(index);
    if !wide {
        return low_tree(graph, low, &set, 0, yes, no);
    }
    let mut starts = vec![0];
    for &(start, end) in &set {
        for high in [start >> 32, end >> 32] {
            starts.extend([high, high + 1]);
        }
    }
    starts.retain(|high| *high <= u64::from(u32::MAX));
    starts.sort_unstable();
    starts.dedup();
    let ranges: Vec<(u32, Id)> = starts
        .into_iter()
        .map(|high| (high as u32, low_tree(graph, low, &set, high, yes, no)))
        .collect();
    let tree = graph.ranges(&ranges);
    graph.load(low + 4, tree)
}

/// Whether a value with this high word is in the set.
fn low_tree(graph: &mut Graph, offset: u32, set: &Intervals, high: u64, yes: Id, no: Id) -> Id {
    let (first, last) = (high << 32, high << 32 | u64::from(u32::MAX));
    let mut ranges = vec![(0, no)];
    for &(start, end) in set {
        if end < first || start > last {
            continue;
        }
        let start = start.max(first) as u32;
        if start == 0 {
            ranges.clear();
        }
        ranges.push((start, yes));
        if end < last {
            ranges.push((end as u32 + 1, no));
        }
    }
    let tree = graph.ranges(&ranges);
    graph.load(offset, tree)
}
