//! The tools: what each is called, takes and gives, and how a call of any of them runs.

mod auth_status;
mod bucket_list;
mod guard;
mod object_read;
mod object_text;
mod s3_object_list;
mod schema;

use std::any::Any;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{failure::ToolFailure, s3::Scope};
use guard::Recorded;

pub(crate) use auth_status::status_of;

/// One tool.
trait PlatformTool {
    const NAME: &'static str;
    const TITLE: &'static str;
    const DESCRIPTION: &'static str;
    type Arguments: DeserializeOwned + JsonSchema + Any + Send;
    type Output: Serialize + JsonSchema + Any + Send;

    fn run(
        arguments: Self::Arguments,
        scope: Scope<'_>,
    ) -> impl Future<Output = Result<Answer<Self::Output>, ToolFailure>> + Send;
}

/// What a tool gives: the structured output and the same in a form for reading.
struct Answer<O> {
    output: O,
    content: Vec<ContentBlock>,
}

impl<O> Answer<O> {
    fn text(output: O, text: impl Into<String>) -> Self {
        Self { output, content: vec![ContentBlock::text(text)] }
    }
}

/// The arguments of a tool that takes none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

/// Every tool, in the order in which they are listed.
pub(crate) fn definitions() -> Vec<Tool> {
    vec![
        definition::<auth_status::AuthStatus>(),
        definition::<bucket_list::BucketList>(),
        definition::<object_read::ObjectRead>(),
        definition::<s3_object_list::S3ObjectList>(),
    ]
}

/// Runs a tool; `None` when there is no tool of that name.
pub(crate) async fn call(name: &str, arguments: JsonObject, scope: Scope<'_>) -> Option<CallToolResult> {
    let result = match name {
        auth_status::AuthStatus::NAME => run::<auth_status::AuthStatus>(arguments, scope).await,
        bucket_list::BucketList::NAME => run::<bucket_list::BucketList>(arguments, scope).await,
        object_read::ObjectRead::NAME => run::<object_read::ObjectRead>(arguments, scope).await,
        s3_object_list::S3ObjectList::NAME => run::<s3_object_list::S3ObjectList>(arguments, scope).await,
        _ => return None,
    };
    Some(result)
}

fn definition<T: PlatformTool>() -> Tool {
    let annotations = ToolAnnotations::with_title(T::TITLE)
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(T::NAME, T::DESCRIPTION, schema::input::<T::Arguments>())
        .with_title(T::TITLE)
        .with_raw_output_schema(schema::output::<T::Output>())
        .with_annotations(annotations)
}

async fn run<T: PlatformTool>(arguments: JsonObject, scope: Scope<'_>) -> CallToolResult {
    let record = Recorded::start(T::NAME, scope.context);
    let outcome = match serde_json::from_value(arguments.into()) {
        Ok(arguments) => T::run(arguments, scope).await,
        Err(error) => Err(ToolFailure::arguments(&error)),
    };
    let result = outcome.and_then(|answer| {
        let output = serde_json::to_value(&answer.output);
        let output = output.map_err(|error| ToolFailure::arguments(&error))?;
        Ok((output, answer.content))
    });
    match record.finish(result) {
        Ok((output, content)) => {
            let mut result = CallToolResult::success(content);
            result.structured_content = Some(output);
            result
        }
        // A failure is a result that the model can read and act on, not a protocol error.
        Err(failure) => CallToolResult::error(vec![ContentBlock::text(failure.to_string())]),
    }
}

/// A time as RFC 3339 text.
fn timestamp(time: Option<&DateTime>) -> Option<String> {
    time.and_then(|time| time.fmt(DateTimeFormat::DateTime).ok())
}

/// A name as part of a text: it stays on its line and in its order, whatever whoever chose it put in (SEC-54).
fn one_line(name: &str) -> String {
    let mut line = String::with_capacity(name.len());
    for character in name.chars() {
        let moves = matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if moves || character.is_control() {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line
}
