//! The tools as clients see them. A change of a name, an argument or a schema is a change of this file.

use mcp_core::{Platform, PlatformConfig, PlatformServer};

#[test]
fn the_tool_list_is_the_committed_one() {
    let server = PlatformServer::per_request(Platform::new(PlatformConfig::new("eu-central-1")));
    let listed = serde_json::to_string_pretty(server.tools()).unwrap();
    let committed = include_str!("tools.json");
    assert!(listed == committed.trim_end(), "tests/tools.json differs; the list is now:\n{listed}");
}
