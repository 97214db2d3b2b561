//! How a field of [`Options`](super::Options) takes a [`Value`]: the type of a row is the type of its field.

use serde::Serialize;

use super::{Value, ValueError};

/// The shape of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A switch; on a command line it takes no separate argument.
    Bool,
    /// A text.
    Str,
    /// A whole number.
    Int,
    /// A decimal number.
    Float,
    /// Bytes, as a number or with a unit.
    Size,
    /// Seconds, as a number or with units.
    Duration,
    /// One of a few words.
    Choice,
    /// Texts; the flag may be repeated.
    List,
    /// Names with values; the flag may be repeated.
    Map,
    /// The same, each with a value, which may be a number.
    Values,
    /// Names with a number or a pair of numbers; the flag may be repeated.
    Limits,
}

impl Kind {
    /// The Python types that are accepted, in the words of a type annotation.
    pub fn python(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Str | Kind::Choice => "str",
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Size => "int | str",
            Kind::Duration => "float | str",
            Kind::List => "Sequence[str]",
            Kind::Map => "Mapping[str, str | None] | Sequence[str]",
            Kind::Values => "Mapping[str, str | int] | Sequence[str]",
            Kind::Limits => "Mapping[str, int | tuple[int, int]] | Sequence[str]",
        }
    }

    /// Whether the flag may be repeated, and each time adds to what it gave.
    pub fn repeats(self) -> bool {
        matches!(self, Kind::List | Kind::Map | Kind::Values | Kind::Limits)
    }

    /// The same in words for a message.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Kind::Bool => "a bool",
            Kind::Str | Kind::Choice => "a str",
            Kind::Int => "an int",
            Kind::Float => "a number",
            Kind::Size => "an int of bytes or a str such as '512m'",
            Kind::Duration => "a number of seconds or a str such as '1m30s'",
            Kind::List => "a list of str",
            Kind::Map | Kind::Values | Kind::Limits => "a dict or a list of str",
        }
    }
}

/// Why a field did not take a value; the table adds the option's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The value's type is none of those the kind takes.
    Type,
    /// The value itself is wrong.
    Value(ValueError),
}

impl From<ValueError> for Refusal {
    fn from(error: ValueError) -> Refusal {
        Refusal::Value(error)
    }
}

/// A field of the options.
pub trait Field {
    /// The shape of its values.
    const KIND: Kind;
    /// The words allowed, where the kind is [`Kind::Choice`].
    const CHOICES: &'static [&'static str] = &[];
    /// Takes a value: a scalar is replaced (the last one given wins, as in Docker), a list grows.
    fn accept(&mut self, value: Value) -> Result<(), Refusal>;
    /// Whether anything was given.
    fn is_set(&self) -> bool;
}

/// A type that one value fills.
pub(super) trait Scalar: Sized {
    const KIND: Kind;
    const CHOICES: &'static [&'static str] = &[];
    /// From text without zero bytes.
    fn from_text(text: &str) -> Result<Self, ValueError>;
    /// From a whole number; by default not possible.
    fn from_int(_: i64) -> Result<Self, Refusal> {
        Err(Refusal::Type)
    }
    /// From a number with a fraction; by default not possible.
    fn from_float(_: f64) -> Result<Self, Refusal> {
        Err(Refusal::Type)
    }
}

/// A type of which an option takes several.
pub(super) trait Item: Sized {
    const KIND: Kind;
    /// From text without zero bytes.
    fn from_text(text: &str) -> Result<Self, ValueError>;
    /// From a pair without zero bytes; by default not possible.
    fn from_pair(_: &str, _: Option<&str>) -> Result<Self, Refusal> {
        Err(Refusal::Type)
    }
}

fn text(value: &str) -> Result<&str, ValueError> {
    if value.contains('\0') {
        Err(ValueError::ZeroByte)
    } else {
        Ok(value)
    }
}

impl Field for bool {
    const KIND: Kind = Kind::Bool;
    fn accept(&mut self, value: Value) -> Result<(), Refusal> {
        *self = match value {
            Value::Bool(value) => value,
            // The words of Go's ParseBool, which Docker's flags take.
            Value::Str(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
                "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
                _ => return Err(ValueError::Bool.into()),
            },
            _ => return Err(Refusal::Type),
        };
        Ok(())
    }
    fn is_set(&self) -> bool {
        *self
    }
}

/// A switch that is on until it is given as `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OnByDefault(pub bool);

impl Default for OnByDefault {
    fn default() -> OnByDefault {
        OnByDefault(true)
    }
}

impl Field for OnByDefault {
    const KIND: Kind = Kind::Bool;
    fn accept(&mut self, value: Value) -> Result<(), Refusal> {
        self.0.accept(value)
    }
    fn is_set(&self) -> bool {
        !self.0
    }
}

impl<T: Scalar> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    fn accept(&mut self, value: Value) -> Result<(), Refusal> {
        *self = Some(match value {
            Value::Str(value) => T::from_text(text(&value)?)?,
            Value::Int(value) => T::from_int(value)?,
            Value::Float(value) => T::from_float(value)?,
            Value::Bool(_) | Value::List(_) | Value::Map(_) => return Err(Refusal::Type),
        });
        Ok(())
    }
    fn is_set(&self) -> bool {
        self.is_some()
    }
}

impl<T: Item> Field for Vec<T> {
    const KIND: Kind = T::KIND;
    fn accept(&mut self, value: Value) -> Result<(), Refusal> {
        match value {
            Value::Str(value) => self.push(T::from_text(text(&value)?)?),
            Value::List(values) => {
                for value in &values {
                    self.push(T::from_text(text(value)?)?);
                }
            }
            Value::Map(pairs) => {
                for (name, value) in &pairs {
                    let value = value.as_deref().map(text).transpose()?;
                    self.push(T::from_pair(text(name)?, value)?);
                }
            }
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => return Err(Refusal::Type),
        }
        Ok(())
    }
    fn is_set(&self) -> bool {
        !self.is_empty()
    }
}
