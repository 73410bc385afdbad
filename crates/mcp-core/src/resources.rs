//! The resources.

use rmcp::{
    ErrorData,
    model::{ReadResourceResult, Resource, ResourceContents},
};

use crate::{s3::Scope, tools};

const ME: &str = "quilt-platform://me";
const JSON: &str = "application/json";

pub(crate) fn definitions() -> Vec<Resource> {
    vec![
        Resource::new(ME, "me")
            .with_title("Who you are")
            .with_description("Your identity, tenant, role and session tags, as tool auth_status gives them.")
            .with_mime_type(JSON),
    ]
}

pub(crate) async fn read(uri: &str, scope: Scope<'_>) -> Result<ReadResourceResult, ErrorData> {
    if uri != ME {
        return Err(ErrorData::resource_not_found(
            "no such resource: resources/list names those there are",
            None,
        ));
    }
    let status = tools::status_of(scope).await;
    let text = serde_json::to_string_pretty(&status)
        .map_err(|_| ErrorData::internal_error("the status cannot be written as JSON", None))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, ME).with_mime_type(JSON)]))
}
