//! Words as the Dockerfile reference has them: quotes, backslashes and variables.

use std::iter::Peekable;
use std::str::Chars;

/// The variables that `$NAME` stands for: `NAME=value`, as an image's Env has them.
pub(super) type Environment<'a> = &'a [String];

/// Splits at white space that is neither quoted nor escaped. Quotes and backslashes are kept.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            _ if quote.is_none() && c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            '\'' | '"' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ => {}
        }
        word.push(c);
        if c == '\\' && quote != Some('\'') {
            match chars.next() {
                Some(escaped) => word.push(escaped),
                // At the very end it escapes nothing.
                None => drop(word.pop()),
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// One word with its variables replaced and its quotes removed.
///
/// # Errors
/// What is wrong with it: a quote or brace that is never closed, an unknown substitution.
pub(super) fn expand(word: &str, env: Environment<'_>) -> Result<String, String> {
    let expanded = Expansion::new(word, env).until(None)?;
    Ok(expanded.into_iter().map(|(c, _)| c).collect())
}

/// The same, split afterwards at white space that was not quoted, so that one variable can stand
/// for several words.
///
/// # Errors
/// As [`expand`].
pub(super) fn expand_to_words(text: &str, env: Environment<'_>) -> Result<Vec<String>, String> {
    let expanded = Expansion::new(text, env).until(None)?;
    let words = expanded.split(|(c, quoted)| c.is_whitespace() && !quoted);
    let words = words.map(|word| word.iter().map(|(c, _)| c).collect::<String>());
    Ok(words.filter(|word| !word.is_empty()).collect())
}

struct Expansion<'a> {
    rest: Peekable<Chars<'a>>,
    env: Environment<'a>,
}

/// Characters, and whether each was quoted.
type Expanded = Vec<(char, bool)>;

impl<'a> Expansion<'a> {
    fn new(text: &'a str, env: Environment<'a>) -> Expansion<'a> {
        Expansion {
            rest: text.chars().peekable(),
            env,
        }
    }

    /// Up to and without `stop`, or to the end.
    fn until(&mut self, stop: Option<char>) -> Result<Expanded, String> {
        let mut out = Vec::new();
        while let Some(c) = self.rest.next() {
            match c {
                _ if stop == Some(c) => return Ok(out),
                '\'' => out.extend(self.single_quoted()?.map_quoted()),
                '"' => out.extend(self.double_quoted()?.map_quoted()),
                '$' => out.extend(self.variable()?.chars().map(|c| (c, false))),
                '\\' => out.extend(self.rest.next().map(|escaped| (escaped, true))),
                _ => out.push((c, false)),
            }
        }
        match stop {
            Some(stop) => Err(format!("a closing {stop} is missing")),
            None => Ok(out),
        }
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        let mut out = String::new();
        for c in self.rest.by_ref() {
            match c {
                '\'' => return Ok(out),
                _ => out.push(c),
            }
        }
        Err("a closing ' is missing".to_owned())
    }

    fn double_quoted(&mut self) -> Result<String, String> {
        let mut out = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return Ok(out),
                '$' => out.push_str(&self.variable()?),
                '\\' => match self.rest.peek() {
                    Some('"' | '$' | '\\') => out.extend(self.rest.next()),
                    Some(_) => out.push(c),
                    None => {}
                },
                _ => out.push(c),
            }
        }
        Err("a closing \" is missing".to_owned())
    }

    /// What stands after a `$`: `NAME`, `{NAME}`, or `{NAME:-word}` and its like.
    fn variable(&mut self) -> Result<String, String> {
        if self.rest.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(match name.is_empty() {
                true => "$".to_owned(),
                false => self.value(&name).unwrap_or_default().to_owned(),
            });
        }
        let name = self.name();
        if name.is_empty() {
            return Err("bad substitution: a variable's name must follow ${".to_owned());
        }
        let mut modifier = self.rest.next();
        let value = self.value(&name).map(str::to_owned);
        // With a colon, an empty value counts as none.
        let counts = match modifier {
            Some(':') => {
                modifier = self.rest.next();
                value.as_ref().is_some_and(|value| !value.is_empty())
            }
            _ => value.is_some(),
        };
        let word: String = match modifier {
            Some('}') => return Ok(value.unwrap_or_default()),
            Some('+' | '-' | '?') => self.until(Some('}'))?.iter().map(|(c, _)| c).collect(),
            Some(c) => {
                return Err(format!(
                    "unsupported modifier {c:?} in the substitution of {name}"
                ));
            }
            None => return Err("a closing } is missing".to_owned()),
        };
        match (modifier, counts) {
            (Some('+'), true) | (Some('-'), false) => Ok(word),
            (Some('+'), false) => Ok(String::new()),
            (Some('?'), false) => Err(match word.is_empty() {
                true => format!("{name} is not set"),
                false => format!("{name}: {word}"),
            }),
            _ => Ok(value.unwrap_or_default()),
        }
    }

    /// Letters, digits and `_`; one that begins with a digit is that digit alone.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            name.push(c);
            if name.len() == 1 && c.is_ascii_digit() {
                break;
            }
        }
        name
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        let pairs = self.env.iter().filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter_map(|(key, value)| (key == name).then_some(value));
        values.next()
    }
}

trait Quoted {
    fn map_quoted(self) -> Expanded;
}

impl Quoted for String {
    fn map_quoted(self) -> Expanded {
        self.chars().map(|c| (c, true)).collect()
    }
}
