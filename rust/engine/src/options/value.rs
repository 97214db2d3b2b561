//! The neutral value that the command line and Python both produce.

use std::fmt;

/// A value before it is checked against the type of its option.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text; every kind of option can be written as text, as on a command line.
    Str(String),
    /// Several texts, for options that may be given more than once.
    List(Vec<String>),
    /// Pairs; `None` stands for a name without a value.
    Map(Vec<(String, Option<String>)>),
}

impl Value {
    /// What Python calls a value of this shape, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::List(_) => "list",
            Value::Map(_) => "dict",
        }
    }
}

/// The value as a user would have written it on a command line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v}"),
            Value::Str(v) => f.write_str(v),
            Value::List(v) => f.write_str(&v.join(", ")),
            Value::Map(v) => {
                for (i, (name, value)) in v.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    match value {
                        Some(value) => write!(f, "{comma}{name}={value}")?,
                        None => write!(f, "{comma}{name}")?,
                    }
                }
                Ok(())
            }
        }
    }
}
