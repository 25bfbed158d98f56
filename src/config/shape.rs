//! Shape of settings: a deserializer of layered values. A list where a table belongs is refused, and no error repeats a
//! value by itself: it may be a secret.

use std::cell::RefCell;
use std::fmt;

use config::{Value, ValueKind};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};

use super::key;
use crate::domain::nearest::hint;

/// A value of the wrong shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongSetting {
    /// The right shape, or another reason.
    pub(super) reason: String,
    /// What stands in its place, if that is known. The reason leaves it out.
    pub(super) found: Option<Found>,
}

/// What stands in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    List,
    Table,
    Text(String),
    Other(String),
    /// The table of a secret with a key that it cannot have. The key itself may be the secret.
    Key,
}

/// The reason where nothing more precise may be said.
const ELSE: &str = "has the wrong shape; see config.example.toml";

impl WrongSetting {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), found: None }
    }

    fn must_be(shape: &str, found: Found) -> Self {
        Self { reason: format!("must be {shape}"), found: Some(found) }
    }
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for WrongSetting {}

/// serde's own messages repeat values and keys, so they are replaced.
impl de::Error for WrongSetting {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self::new(ELSE)
    }

    fn invalid_type(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn invalid_value(_found: Unexpected<'_>, _expected: &dyn Expected) -> Self {
        Self::new(ELSE)
    }

    fn invalid_length(_length: usize, _expected: &dyn Expected) -> Self {
        Self::new(ELSE)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let hint = hint(field, known.iter().copied());
        let reason = format!("has an unknown key; the keys are {}{hint}", known.join(", "));
        Self { reason, found: Some(Found::Key) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("{field} is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("{field} is there twice"))
    }
}

/// A key that no setting has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongKey {
    /// The key of its table; empty at the top.
    pub(super) table: String,
    /// Its own name.
    pub(super) name: String,
    /// The names that its table may have.
    pub(super) known: &'static [&'static str],
}

/// A value of the layers as a deserializer. It notes unknown keys, and goes on.
pub(super) struct SettingReader<'a> {
    value: Value,
    key: String,
    unknown: &'a RefCell<Vec<WrongKey>>,
}

impl<'a> SettingReader<'a> {
    /// A reader of all settings.
    pub(super) const fn new(value: Value, unknown: &'a RefCell<Vec<WrongKey>>) -> Self {
        Self { value, key: String::new(), unknown }
    }

    fn found(self) -> Found {
        match self.value.kind {
            ValueKind::Array(_) => Found::List,
            ValueKind::Table(_) => Found::Table,
            ValueKind::String(text) => Found::Text(text),
            _ => Found::Other(self.value.to_string()),
        }
    }
}

impl IntoDeserializer<'_, WrongSetting> for SettingReader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for SettingReader<'_> {
    type Error = WrongSetting;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        let Self { value, key, unknown } = self;
        let inner = |key: String, value: Value| SettingReader { value, key, unknown };
        match value.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(value),
            ValueKind::I64(value) => visitor.visit_i64(value),
            ValueKind::I128(value) => visitor.visit_i128(value),
            ValueKind::U64(value) => visitor.visit_u64(value),
            ValueKind::U128(value) => visitor.visit_u128(value),
            ValueKind::Float(value) => visitor.visit_f64(value),
            ValueKind::String(value) => visitor.visit_string(value),
            ValueKind::Array(list) => {
                let list = list.into_iter().enumerate().map(|(index, one)| inner(format!("{key}[{index}]"), one));
                visitor.visit_seq(SeqDeserializer::new(list))
            }
            ValueKind::Table(table) => {
                let mut pairs: Vec<_> = table
                    .into_iter()
                    .map(|(name, value)| {
                        let mut key = key.clone();
                        key::add(&mut key, &name);
                        (name, inner(key, value))
                    })
                    .collect();
                pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
                visitor.visit_map(MapDeserializer::new(pairs.into_iter()))
            }
        }
    }

    /// In the environment all values are text.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        match &self.value.kind {
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::String(text) if text == "true" => visitor.visit_bool(true),
            ValueKind::String(text) if text == "false" => visitor.visit_bool(false),
            ValueKind::Float(value) => Err(WrongSetting::must_be("true or false", Found::Other(format!("{value:?}")))),
            _ => Err(WrongSetting::must_be("true or false", self.found())),
        }
    }

    /// A number is the text of its digits.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        match self.found() {
            Found::Text(text) | Found::Other(text) => visitor.visit_string(text),
            found => Err(WrongSetting::must_be("a text in quotes", found)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        if self.value.kind == ValueKind::Nil { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, WrongSetting> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        match self.value.kind {
            ValueKind::Array(_) => self.deserialize_any(visitor),
            _ => Err(WrongSetting::must_be("a list", self.found())),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        match self.value.kind {
            ValueKind::Table(_) => self.deserialize_any(visitor),
            _ => Err(WrongSetting::must_be("a table", self.found())),
        }
    }

    /// serde would take a list as the fields of a struct, in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WrongSetting> {
        if let ValueKind::Table(table) = &self.value.kind {
            let mut unknown: Vec<_> = table.keys().filter(|name| !fields.contains(&name.as_str())).collect();
            unknown.sort();
            let unknown =
                unknown.into_iter().map(|name| WrongKey { table: self.key.clone(), name: name.clone(), known: fields });
            self.unknown.borrow_mut().extend(unknown);
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WrongSetting> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier
    }
}
