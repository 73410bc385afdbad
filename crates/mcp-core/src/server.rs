//! The MCP server.

use std::{borrow::Cow, sync::Arc};

use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams,
        CompleteResult, CustomRequest, CustomResult, ErrorCode, Implementation, ListPromptsRequestMethod,
        ListPromptsResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
        ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};

use crate::{CallContext, Platform, resources, s3::Scope, tools};

const INSTRUCTIONS: &str = "Tools and data of the Quilt platform. Every call runs under your own IAM role: what it \
                            lists and reads is what that role may. Start with bucket_list; auth_status says who you \
                            are and which role you have.";

/// The methods that have parameters to get wrong.
const METHODS: [&str; 6] =
    ["initialize", "ping", "resources/list", "resources/read", "tools/call", "tools/list"];

/// Answers MCP requests, each for the caller of its [`CallContext`].
#[derive(Clone, Debug)]
pub struct PlatformServer {
    platform: Platform,
    tools: Arc<[Tool]>,
    caller: Caller,
}

/// Where the context of a request comes from.
#[derive(Clone, Debug)]
enum Caller {
    PerRequest,
    Fixed(Arc<CallContext>),
}

impl PlatformServer {
    /// Serves many callers: each HTTP request must carry a [`CallContext`] in its extensions.
    #[must_use]
    pub fn per_request(platform: Platform) -> Self {
        Self { platform, tools: tools::definitions().into(), caller: Caller::PerRequest }
    }

    /// Serves one caller, whatever arrives: for a server that a person runs for themselves.
    #[must_use]
    pub fn for_one_caller(platform: Platform, context: CallContext) -> Self {
        Self { platform, tools: tools::definitions().into(), caller: Caller::Fixed(Arc::new(context)) }
    }

    /// The tools offered.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    fn scope<'a>(&'a self, request: &'a RequestContext<RoleServer>) -> Result<Scope<'a>, ErrorData> {
        let context = match &self.caller {
            Caller::Fixed(context) => context,
            Caller::PerRequest => request
                .extensions
                .get::<Parts>()
                .and_then(|parts| parts.extensions.get::<CallContext>())
                .ok_or_else(|| ErrorData::internal_error("the request has no caller", None))?,
        };
        Ok(Scope { platform: &self.platform, context })
    }
}

impl ServerHandler for PlatformServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("quilt-platform", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    /// The revisions that the tests speak.
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        const TESTED: &[ProtocolVersion] = &[
            ProtocolVersion::V_2025_03_26,
            ProtocolVersion::V_2025_06_18,
            ProtocolVersion::V_2025_11_25,
            ProtocolVersion::V_2026_07_28,
        ];
        Cow::Borrowed(TESTED)
    }

    /// `private`: a shared cache between callers must never answer for another's list.
    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = ListToolsResult::with_all_items(self.tools.to_vec());
        if request.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28) {
            list.ttl_ms = Some(0);
            list.cache_scope = Some(CacheScope::Private);
        }
        Ok(list)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let scope = self.scope(&request)?;
        let call = tools::call(&params.name, params.arguments.unwrap_or_default(), scope);
        // The caller went away or cancelled: the call is dropped where it stands, and recorded so.
        match request.ct.run_until_cancelled(call).await {
            Some(Some(result)) => Ok(result.into()),
            Some(None) => {
                Err(ErrorData::invalid_params("unknown tool: tools/list names the tools there are", None))
            }
            None => Err(ErrorData::internal_error("the call was cancelled", None)),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::definitions()))
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let scope = self.scope(&request)?;
        resources::read(&params.uri, scope).await.map(Into::into)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    /// A known method arrives here when its parameters are not what MCP defines: that is not an unknown method.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if METHODS.contains(&request.method.as_str()) {
            return Err(ErrorData::invalid_params("the parameters are not those of this method", None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "there is no such method", None))
    }
}
