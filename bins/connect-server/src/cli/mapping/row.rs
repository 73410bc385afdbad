//! Rows and keys from `field=value` arguments.

use role_mapper::{MappingDocument, Row, RowKey};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::RowKind;
use crate::cli::CliError;

type Fields = Map<String, Value>;

/// The row with `arguments` laid over what is stored under the same key.
pub(super) fn changed(
    kind: RowKind,
    arguments: &[String],
    stored: &MappingDocument,
) -> Result<Row, CliError> {
    let given = fields(arguments)?;
    let key = key_of(kind, &given)?;
    match kind {
        RowKind::Tenant => merged(&stored.tenants, &key, given, Row::Tenant),
        RowKind::Subject => merged(&stored.subjects, &key, given, Row::Subject),
        RowKind::Role => merged(&stored.roles, &key, given, Row::Role),
        RowKind::Rule => merged(&stored.rules, &key, given, Row::Rule),
    }
}

/// The key that `arguments` name, and nothing else.
pub(super) fn key(kind: RowKind, arguments: &[String]) -> Result<RowKey, CliError> {
    let given = fields(arguments)?;
    let names = key_names(kind);
    if let Some(other) = given.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(CliError::Input(format!(
            "{other} is not part of the key: give {} only",
            names.join(" and ")
        )));
    }
    key_of(kind, &given)
}

fn key_names(kind: RowKind) -> &'static [&'static str] {
    match kind {
        RowKind::Tenant | RowKind::Rule => &["id"],
        RowKind::Subject => &["issuer", "subject"],
        RowKind::Role => &["tenant", "name"],
    }
}

fn key_of(kind: RowKind, given: &Fields) -> Result<RowKey, CliError> {
    let text = |name: &str| match given.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
        None => Err(CliError::Input(format!("{name}=… is missing: it is part of the key"))),
    };
    Ok(match kind {
        RowKind::Tenant => RowKey::Tenant { id: text("id")? },
        RowKind::Subject => RowKey::Subject { issuer: text("issuer")?, subject: text("subject")? },
        RowKind::Role => RowKey::Role { tenant: text("tenant")?, name: text("name")? },
        RowKind::Rule => {
            let id = text("id")?;
            let number =
                id.parse().map_err(|_| CliError::Input(format!("id is {id:?}, expected a whole number")))?;
            RowKey::Rule { id: number }
        }
    })
}

fn merged<T: Clone + Serialize + DeserializeOwned>(
    stored: &[T],
    key: &RowKey,
    given: Fields,
    row: fn(T) -> Row,
) -> Result<Row, CliError> {
    let wrong = |error: serde_json::Error| CliError::Input(format!("{key}: {error}"));
    let mut fields = match stored.iter().find(|candidate| row((*candidate).clone()).key() == *key) {
        Some(row) => match serde_json::to_value(row).map_err(wrong)? {
            Value::Object(fields) => fields,
            _ => Fields::new(),
        },
        None => Fields::new(),
    };
    fields.extend(given);
    // An empty value takes a field away.
    fields.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(fields)).map(row).map_err(wrong)
}

fn fields(arguments: &[String]) -> Result<Fields, CliError> {
    let mut fields = Fields::new();
    for argument in arguments {
        let Some((name, text)) = argument.split_once('=') else {
            return Err(CliError::Input(format!("{argument:?} is not of the form field=value")));
        };
        if fields.insert(name.to_owned(), value(name, text)).is_some() {
            return Err(CliError::Input(format!("{name} is given twice")));
        }
    }
    Ok(fields)
}

/// Fields that are numbers; anywhere else digits are text.
const NUMBERS: [&str; 5] = ["burst", "duration_seconds", "id", "priority", "requests_per_minute"];

/// A TOML value where one is meant, or else the text itself; nothing at all is null.
fn value(name: &str, text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let is_structured = text.starts_with(['[', '{', '"', '\'']) || ["true", "false"].contains(&text);
    if !is_structured && !NUMBERS.contains(&name) {
        return Value::String(text.to_owned());
    }
    let table = toml::from_str::<Fields>(&format!("value = {text}")).ok();
    table.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use role_mapper::{MappingDocument, Row, RowKey};
    use serde_json::json;

    use super::{RowKind, changed, key};

    fn arguments(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn stored() -> MappingDocument {
        serde_json::from_value(json!({
            "tenants": [{"id": "acme", "name": "Acme", "admit_unknown_subjects": true}],
            "subjects": [{"issuer": "https://idp", "subject": "ada", "tenant": "acme", "display_name": "Ada"}],
        }))
        .unwrap()
    }

    #[test]
    fn setting_one_field_keeps_the_others() {
        let row =
            changed(RowKind::Subject, &arguments("issuer=https://idp subject=ada active=false"), &stored());
        let Ok(Row::Subject(subject)) = row else { panic!("{row:?}") };
        assert!(!subject.active);
        assert_eq!((subject.tenant.as_str(), subject.display_name.as_deref()), ("acme", Some("Ada")));
    }

    #[test]
    fn an_empty_value_takes_a_field_away() {
        let row =
            changed(RowKind::Subject, &arguments("issuer=https://idp subject=ada display_name="), &stored());
        let Ok(Row::Subject(subject)) = row else { panic!("{row:?}") };
        assert_eq!(subject.display_name, None);
    }

    #[test]
    fn values_are_toml_or_text() {
        let fields = [
            "id=7".to_owned(),
            "tenant=acme".to_owned(),
            "role=reader".to_owned(),
            "conditions=[{ pointer = \"/groups\", contains = \"readers\" }]".to_owned(),
        ];
        let row = changed(RowKind::Rule, &fields, &stored());
        let Ok(Row::Rule(rule)) = row else { panic!("{row:?}") };
        assert_eq!((rule.id, rule.conditions.len()), (7, 1));
    }

    #[test]
    fn digits_are_text_where_text_is_meant() {
        let row =
            changed(RowKind::Subject, &arguments("issuer=https://idp subject=1234 tenant=acme"), &stored());
        let Ok(Row::Subject(subject)) = row else { panic!("{row:?}") };
        assert_eq!(subject.subject, "1234");
    }

    #[test]
    fn mistakes_name_the_field() {
        let cases = [
            (RowKind::Tenant, "name=Acme", "id=… is missing"),
            (RowKind::Rule, "id=seven", "expected a whole number"),
            (RowKind::Tenant, "id=acme nmae=x", "unknown field `nmae`"),
            (RowKind::Tenant, "id=acme id=b", "id is given twice"),
            (RowKind::Tenant, "acme", "not of the form field=value"),
        ];
        for (kind, text, expected) in cases {
            let error = changed(kind, &arguments(text), &stored()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_key_is_exactly_its_fields() {
        assert_eq!(
            key(RowKind::Role, &arguments("tenant=acme name=r")).unwrap(),
            RowKey::Role { tenant: "acme".into(), name: "r".into() }
        );
        let error = key(RowKind::Role, &arguments("tenant=acme name=r tags=x")).unwrap_err().to_string();
        assert_eq!(error, "tags is not part of the key: give tenant and name only");
    }
}
