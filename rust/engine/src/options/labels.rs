//! `--label` and `--annotation`.

use super::ValueError;
use super::field::{Item, Kind, Refusal};

/// What every annotation of ours begins with: nobody else's may.
const OURS: &str = "io.fastbox.";

/// One `--label`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// Not empty.
    pub name: String,
    /// May be empty.
    pub value: String,
}

impl Item for Label {
    const KIND: Kind = Kind::Map;

    fn from_text(text: &str) -> Result<Label, ValueError> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match name {
            "" => Err(ValueError::LabelName),
            _ => Ok(Label {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
        }
    }

    fn from_pair(name: &str, value: Option<&str>) -> Result<Label, Refusal> {
        if name.is_empty() || name.contains('=') {
            return Err(ValueError::LabelName.into());
        }
        Ok(Label {
            name: name.to_owned(),
            value: value.unwrap_or_default().to_owned(),
        })
    }
}

/// One `--annotation`: an entry of the OCI document's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// Not empty, and none of ours.
    pub name: String,
    /// May be empty.
    pub value: String,
}

impl Item for Annotation {
    const KIND: Kind = Kind::Map;

    fn from_text(text: &str) -> Result<Annotation, ValueError> {
        let (name, value) = text.split_once('=').ok_or(ValueError::Annotation)?;
        annotation(name, value)
    }

    fn from_pair(name: &str, value: Option<&str>) -> Result<Annotation, Refusal> {
        Ok(annotation(name, value.ok_or(ValueError::Annotation)?)?)
    }
}

fn annotation(name: &str, value: &str) -> Result<Annotation, ValueError> {
    if name.is_empty() || name.contains('=') {
        return Err(ValueError::Annotation);
    }
    if name.starts_with(OURS) {
        return Err(ValueError::OurAnnotation);
    }
    Ok(Annotation {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}
