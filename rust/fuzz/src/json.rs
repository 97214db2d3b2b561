//! Changes to a JSON document that leave it one.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Changes a few values of a document; `words` are the strings and keys that mean something in it.
/// None where it is no document.
pub fn mutate(document: &[u8], words: &[&str], random: &mut Random) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(document).ok()?;
    for _ in 0..=random.below(3) {
        change(&mut value, words, random);
    }
    Some(value.to_string().into_bytes())
}

/// Changes one value somewhere within.
fn change(value: &mut Value, words: &[&str], random: &mut Random) {
    let donor = somewhere(value, random).clone();
    let place = somewhere_mut(value, random);
    match (random.below(10), place) {
        (0, place) => *place = scalar(words, random),
        (1, place) => *place = donor,
        (2, place) => *place = Value::Array(vec![place.take()]),
        (3, Value::Array(list)) => list.push(donor),
        (4 | 5, Value::Array(list)) if !list.is_empty() => {
            let copy = list[random.below(list.len())].clone();
            list.insert(random.below(list.len() + 1), copy);
        }
        (6, Value::Array(list)) if !list.is_empty() => {
            list.remove(random.below(list.len()));
        }
        (3 | 4, Value::Object(map)) => {
            map.insert(random.pick(words).to_owned(), donor);
        }
        (5, Value::Object(map)) => {
            map.insert(random.pick(words).to_owned(), scalar(words, random));
        }
        (6, Value::Object(map)) => remove(map, random),
        (7.., Value::String(text)) => splice(text, words, random),
        (_, place @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
            *place = scalar(words, random);
        }
        (_, Value::Array(list)) => list.push(scalar(words, random)),
        (_, Value::Object(map)) => {
            let key = map.keys().nth(random.below(map.len())).cloned();
            if let Some(old) = key.and_then(|key| map.remove(&key)) {
                map.insert(random.pick(words).to_owned(), old);
            }
        }
        (_, Value::String(text)) => *text = random.pick(words).to_owned(),
    }
}

/// A value at a random depth.
fn somewhere<'a>(value: &'a Value, random: &mut Random) -> &'a Value {
    let next = match value {
        Value::Array(list) if random.below(8) > 0 => list.get(random.below(list.len())),
        Value::Object(map) if random.below(8) > 0 => map.values().nth(random.below(map.len())),
        _ => None,
    };
    next.map_or(value, |next| somewhere(next, random))
}

fn somewhere_mut<'a>(value: &'a mut Value, random: &mut Random) -> &'a mut Value {
    let inside = match value {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    if inside == 0 || random.below(8) == 0 {
        return value;
    }
    let at = random.below(inside);
    let next = match value {
        Value::Array(list) => &mut list[at],
        Value::Object(map) => map.values_mut().nth(at).expect("at is below its length"),
        scalar => return scalar,
    };
    somewhere_mut(next, random)
}

fn remove(map: &mut Map<String, Value>, random: &mut Random) {
    if let Some(key) = map.keys().nth(random.below(map.len())).cloned() {
        map.remove(&key);
    }
}

fn splice(text: &mut String, words: &[&str], random: &mut Random) {
    let word = match random.below(3) {
        0 => random.pick(&[
            "/", "..", ":", "=", " ", "\0", "$", ",", "-", "é", "\n", "%", "@",
        ]),
        _ => random.pick(words),
    };
    let at = random.below(text.len() + 1);
    let at = (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    match random.below(3) {
        0 => text.truncate(at),
        1 => text.insert_str(at, word),
        _ => text.replace_range(at.., word),
    }
}

fn scalar(words: &[&str], random: &mut Random) -> Value {
    match random.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(1.5),
        5 => json!(u32::MAX),
        6 => json!(u64::MAX),
        7 => json!(i64::MIN),
        8 => json!({}),
        9 => json!([]),
        10 => json!(""),
        11 => json!(random.bits() >> random.below(64)),
        _ => json!(random.pick(words)),
    }
}
