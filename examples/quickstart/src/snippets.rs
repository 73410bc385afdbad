//! Settings to paste into MCP clients.

/// What to paste where, for a server at this URL.
pub(crate) fn snippets(url: &str) -> String {
    format!(
        r#"
Claude Code     claude mcp add --transport http platform {url}
                then /mcp, platform, Authenticate

Cursor          ~/.cursor/mcp.json
                {{ "mcpServers": {{ "platform": {{ "url": "{url}" }} }} }}

VS Code         .vscode/mcp.json
                {{ "servers": {{ "platform": {{ "type": "http", "url": "{url}" }} }} }}

MCP Inspector   npx @modelcontextprotocol/inspector
                Transport Type: Streamable HTTP, URL: {url}
"#
    )
}
