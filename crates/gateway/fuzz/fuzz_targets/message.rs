//! Any bytes as a message, in any pieces: what passes says the same to the gateway as to a JSON parser, and no parser that
//! ignores case finds a second meaning in it.
#![no_main]

/// The scanner is no public API; this is its very source.
#[expect(dead_code, reason = "the part that forwards is not here")]
#[path = "../../src/rpc/scan.rs"]
mod scan;

use libfuzzer_sys::fuzz_target;
use scan::{Call, Scanner, Unreadable};
use serde_json::{Map, Value};

fn read(message: &[u8], size: usize) -> Result<Call, Unreadable> {
    let mut scanner = Scanner::new();
    for piece in message.chunks(size) {
        scanner.feed(piece)?;
        let _ = scanner.call();
    }
    scanner.finish()?;
    Ok(scanner.into_call())
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    let folded = |found: &str| found.to_lowercase().replace('ſ', "s") == key.to_lowercase();
    assert!(
        object.keys().all(|found| found == key || !folded(found)),
        "a second spelling of {key}: {object:?}"
    );
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}

// The size of the pieces, then the message.
fuzz_target!(|input: &[u8]| {
    let Some((size, message)) = input.split_first() else { return };
    let call = read(message, message.len().max(1));
    assert_eq!(call, read(message, usize::from(*size).max(1)), "in pieces of {size}");
    let (Ok(call), Ok(value)) = (call, serde_json::from_slice::<Value>(message)) else { return };
    let message = value.as_object().expect("only objects pass");
    let empty = Map::new();
    let params = message.get("params").and_then(Value::as_object).unwrap_or(&empty);
    assert_eq!(call.method, text(message, "method"));
    assert_eq!(call.name, text(params, "name"));
    assert_eq!(call.uri, text(params, "uri"));
    assert_eq!(call.task, text(params, "taskId"));
    let id = call.id.map(|id| serde_json::from_str::<Value>(&id).expect("it stands in an answer"));
    assert_eq!(id.as_ref(), message.get("id").filter(|id| id.is_string() || id.is_number()));
});
