//! Schemas in the form that every client understands.

use std::{any::Any, sync::Arc};

use rmcp::{
    handler::server::{
        common::schema_for_empty_input,
        tool::{schema_for_input, schema_for_output},
    },
    model::JsonObject,
};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// The schema of a tool's arguments.
pub(super) fn input<T: JsonSchema + Any>() -> Arc<JsonObject> {
    // The schema of a struct is an object; the snapshot in the tests would show if one were not.
    let schema = schema_for_input::<T>().unwrap_or_else(|_| schema_for_empty_input());
    let mut schema = tidy(&schema);
    // Some clients refuse a tool without this member.
    schema.entry("properties").or_insert_with(|| json!({}));
    Arc::new(schema)
}

/// The schema of a tool's output.
pub(super) fn output<T: JsonSchema + Any>() -> Arc<JsonObject> {
    Arc::new(tidy(&schema_for_output::<T>()))
}

/// Without the formats of Rust's integers, which JSON Schema does not know and validators warn about.
fn tidy(schema: &JsonObject) -> JsonObject {
    let mut schema = Value::Object(schema.clone());
    remove_formats(&mut schema);
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

fn remove_formats(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let format = members.get("format").and_then(Value::as_str);
            if format.is_some_and(|format| format.starts_with("int") || format.starts_with("uint")) {
                members.remove("format");
            }
            members.values_mut().for_each(remove_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_formats),
        _ => {}
    }
}
