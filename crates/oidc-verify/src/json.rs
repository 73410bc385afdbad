//! JSON that means one thing: no duplicate member, bounded depth, an object at the top.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays may nest this deep, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 16;

/// Why a text is not acceptable JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("is not a JSON object")]
    NotAnObject,
    #[error("has an object with two members of one name")]
    DuplicateMember,
    #[error("nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads exactly one JSON object.
pub(crate) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let refused = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0, refused: &refused }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(refused.get().unwrap_or(JsonError::NotAnObject)),
    }
}

/// Builds a [`Value`] inside `depth` open objects and arrays.
#[derive(Clone, Copy)]
struct Strict<'c> {
    depth: usize,
    refused: &'c Cell<Option<JsonError>>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, reason: JsonError) -> E {
        self.refused.set(Some(reason));
        E::custom(reason)
    }

    fn descend<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.descend()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.descend()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            // RFC 7515 §4 and RFC 7519 §4: names must be unique; parsers disagree on which of two wins.
            if object.insert(name, value).is_some() {
                return Err(self.refuse(JsonError::DuplicateMember));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonError, MAX_DEPTH, parse_object};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn only_one_plain_object_is_read() {
        let cases: &[(&str, Result<Value, JsonError>)] = &[
            ("{}", Ok(json!({}))),
            (
                r#" {"a":[1,-2,1.5,true,null,"x\u0000"],"b":{"a":{}}} "#,
                Ok(json!({"a":[1,-2,1.5,true,null,"x\u{0}"],"b":{"a":{}}})),
            ),
            (r#"{"a":1,"a":1}"#, Err(JsonError::DuplicateMember)),
            (r#"{"a":1,"\u0061":2}"#, Err(JsonError::DuplicateMember)),
            (r#"{"x":[{"a":1,"b":2,"a":3}]}"#, Err(JsonError::DuplicateMember)),
            ("", Err(JsonError::NotAnObject)),
            ("[]", Err(JsonError::NotAnObject)),
            ("null", Err(JsonError::NotAnObject)),
            ("\"{}\"", Err(JsonError::NotAnObject)),
            ("{}{}", Err(JsonError::NotAnObject)),
            ("{} x", Err(JsonError::NotAnObject)),
            ("{\"a\":1,}", Err(JsonError::NotAnObject)),
            ("{'a':1}", Err(JsonError::NotAnObject)),
            ("{\"a\":NaN}", Err(JsonError::NotAnObject)),
            ("{\"a\":1e999}", Err(JsonError::NotAnObject)),
            ("{\"a\":01}", Err(JsonError::NotAnObject)),
            ("{\"a\":\"\\ud800\"}", Err(JsonError::NotAnObject)),
            ("\u{feff}{}", Err(JsonError::NotAnObject)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_object(text.as_bytes()).map(Value::Object), *expected, "{text}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::NotAnObject));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse_object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse_object(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(parse_object(nested(100_000).as_bytes()), Err(JsonError::TooDeep));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_where_names_are_unique(names in proptest::collection::btree_set(".*", 0..6), number: i64) {
            let object: Value = names.into_iter().map(|name| (name.clone(), json!([name, number]))).collect();
            let text = object.to_string();
            prop_assert_eq!(parse_object(text.as_bytes()).map(Value::Object), Ok(object));
        }

        #[test]
        fn any_bytes_are_refused_or_read_as_serde_json_reads_them(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(members) = parse_object(&bytes) {
                prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), Value::Object(members));
            }
        }
    }
}
