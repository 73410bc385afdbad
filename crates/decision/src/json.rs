//! JSON that is safe in a header and read the same by everybody.

use std::fmt::Write as _;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Compact JSON in printable ASCII: everything else, which can only occur within strings, is escaped.
pub(crate) fn to_ascii(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    if json.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(json);
    }
    let mut ascii = String::with_capacity(json.len() * 2);
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a `String` cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    Ok(ascii)
}

/// Every member of a JSON object in order, duplicates included, for the caller to judge.
pub(crate) struct Members(pub(crate) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, UniqueMembers(value))) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// A JSON value in which no object has two members of one name. `serde_json` alone would keep the last silently
/// (SEC-49).
pub(crate) struct UniqueMembers(pub(crate) Value);

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadUnique).map(Self)
    }
}

struct ReadUnique;

impl<'de> Visitor<'de> for ReadUnique {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueMembers(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, UniqueMembers(value))) = members.next_entry()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_beyond_printable_ascii_is_escaped() {
        let cases = [
            ("plain ~", r#""plain ~""#),
            ("é", r#""\u00e9""#),
            ("\u{1f600}", r#""\ud83d\ude00""#),
            ("\u{7f}\u{85}\u{2028}\u{202e}", r#""\u007f\u0085\u2028\u202e""#),
            ("\r\n\0\"\\", r#""\r\n\u0000\"\\""#),
        ];
        for (text, json) in cases {
            assert_eq!(to_ascii(&text).unwrap(), json);
            assert_eq!(serde_json::from_str::<String>(json).unwrap(), text);
        }
    }

    #[test]
    fn duplicates_are_refused_at_every_depth() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"o":{"a":1,"a":2}}"#,
            r#"[{"a":[{"b":1,"b":1}]}]"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(serde_json::from_str::<UniqueMembers>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn other_values_are_read_as_serde_json_reads_them() {
        let json =
            r#"{"n":null,"b":true,"i":-3,"u":18446744073709551615,"f":1.5,"s":"x","a":[1,{"A":1,"a":2}]}"#;
        let UniqueMembers(value) = serde_json::from_str(json).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(json).unwrap());
    }
}
