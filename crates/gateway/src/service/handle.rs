//! One request, from its head to the head of its answer.

use std::{error::Error, mem, sync::Arc};

use audit::{Action, Event, Outcome, Party};
use bytes::Bytes;
use decision::{REQUEST_ID, RequestId};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version, header::ACCESS_CONTROL_REQUEST_METHOD,
    request::Parts,
};
use http_body::Body;
use oidc_verify::DpopUrl;

use super::{Gateway, Reached, Route};
use crate::{
    Authorized, Denied, GatewayBody, Permit, Presented, ServiceConfig, Wanted,
    body::{BodyFault, Opened, Watch, open, open_none, open_unread},
    credentials::{NoToken, Scheme, credentials},
    headers::{check_host, clean_request, clean_response},
    origin::{allow_calling, allow_metadata, allow_metadata_call, allow_reading},
    reply::{Refusal, document, empty},
    rpc::{Call, check_agreement},
    upstream::{Unanswered, UpstreamError},
};

/// A routed service, as this worker has it.
struct Target<'a> {
    config: &'a ServiceConfig,
    resource: &'a str,
    /// The URL that was called, as clients know it.
    url: &'a DpopUrl,
    reached: &'a Reached,
}

impl Gateway {
    /// The head is handed down by reference: every copy would make the future of each call larger.
    pub(super) async fn handle<B>(&self, parts: &mut Parts, body: B) -> Response<GatewayBody>
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
    {
        let id = self.worker.ids.next();
        let mut response = match self.shared.routes.get(parts.uri.path()) {
            None => self.refuse(Refusal::NotFound).into_response(None, &id),
            Some(Route::Document(body)) => self.document(parts, body, &id),
            Some(Route::Service { index, url, challenges }) => {
                match self.shared.origins.check(&parts.headers) {
                    Err(_) => self.refuse(Refusal::Origin).into_response(None, &id),
                    Ok(Some(origin)) if is_preflight(parts) => {
                        let mut response = empty(StatusCode::NO_CONTENT);
                        allow_calling(response.headers_mut(), origin, &parts.headers);
                        response
                    }
                    Ok(origin) => {
                        let answer = self.serve(*index, url, parts, body, &id).await;
                        let mut response = answer.unwrap_or_else(|refusal| {
                            self.refuse(refusal).into_response(Some(challenges), &id)
                        });
                        if let Some(origin) = origin {
                            allow_reading(response.headers_mut(), origin);
                        }
                        response
                    }
                }
            }
        };
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    fn refuse(&self, refusal: Refusal) -> Refusal {
        match &refusal {
            Refusal::Upstream(error, _) => {
                tracing::warn!(error = error as &dyn Error, "a service did not answer");
                self.shared.metrics.count_upstream_error(refusal.reason());
            }
            _ => self.shared.metrics.count_denied(refusal.reason()),
        }
        refusal
    }

    fn document(&self, request: &Parts, body: &Bytes, id: &RequestId) -> Response<GatewayBody> {
        let mut response = match request.method {
            Method::GET | Method::HEAD => document(body.clone()),
            Method::OPTIONS => {
                let mut response = empty(StatusCode::NO_CONTENT);
                allow_metadata_call(response.headers_mut(), &request.headers);
                return response;
            }
            _ => self.refuse(Refusal::MetadataMethod).into_response(None, id),
        };
        allow_metadata(response.headers_mut());
        response
    }

    /// The order matters: a client that has no token yet must learn how to get one before anything else is held
    /// against its request.
    async fn serve<B>(
        &self,
        index: usize,
        url: &DpopUrl,
        parts: &mut Parts,
        body: B,
        id: &RequestId,
    ) -> Result<Response<GatewayBody>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
    {
        let target = self.target(index, url).ok_or(Refusal::NotFound)?;
        check_host(&parts.headers, parts.version).map_err(|_| Refusal::Host)?;
        let authorized = self.authorize(&target, parts, id).await?;
        if !matches!(parts.method, Method::POST | Method::GET | Method::DELETE) {
            return Err(Refusal::Method);
        }
        let opened = open_body(parts, body, target.config).await?;
        if target.config.reads_bodies() {
            check_agreement(&parts.headers, &opened.call)
                .map_err(|error| Refusal::Disagreement(error, opened.call.id.clone()))?;
        }
        self.record_allowed(&target, &authorized, &parts.method, &opened.call, id)?;
        self.forward(&target, &authorized.permit, parts, opened, id).await
    }

    fn target<'a>(&'a self, index: usize, url: &'a DpopUrl) -> Option<Target<'a>> {
        Some(Target {
            config: self.shared.services.get(index)?,
            resource: self.shared.resources.get(index)?,
            url,
            reached: self.worker.reached.get(index)?,
        })
    }

    async fn authorize(
        &self,
        target: &Target<'_>,
        parts: &Parts,
        id: &RequestId,
    ) -> Result<Authorized, Refusal> {
        let (scheme, token) = credentials(&parts.headers).map_err(|missing| match missing {
            NoToken::Missing => Refusal::NoToken,
            NoToken::Malformed => Refusal::MalformedToken,
        })?;
        let presented = match scheme {
            Scheme::Bearer => Presented::Bearer,
            Scheme::Dpop => {
                Presented::Dpop { headers: &parts.headers, method: &parts.method, url: target.url }
            }
        };
        let wanted = Wanted {
            service: &target.config.name,
            resource: target.resource,
            audiences: &target.config.audiences,
            scopes: &target.config.scopes,
            is_dpop_required: target.config.dpop_required,
        };
        let shared = &self.shared;
        let authorized = shared.authorizer.authorize(&target.reached.cache, token, presented, wanted).await;
        authorized.map_err(|denied| {
            self.record_denied(target.config, &denied, id);
            Refusal::Denied(denied.denial, scheme)
        })
    }

    fn record_allowed(
        &self,
        target: &Target<'_>,
        authorized: &Authorized,
        method: &Method,
        call: &Call,
        id: &RequestId,
    ) -> Result<(), Refusal> {
        let party = Arc::clone(authorized.permit.party());
        let event = Event::new(Action::Allow, Outcome::Success, party)
            .request_id(id.as_str())
            .target(audit_target(&target.config.name, method, call));
        self.shared.audit.record(event).map_err(|_| Refusal::AuditUnavailable)?;
        self.shared.metrics.count_allowed(authorized.was_cached);
        Ok(())
    }

    /// What was refused is refused whether it can be recorded or not.
    fn record_denied(&self, service: &ServiceConfig, denied: &Denied, id: &RequestId) {
        if denied.party.is_none() && self.shared.strangers.check().is_err() {
            self.shared.metrics.count_unrecorded();
            return;
        }
        let name = service.name.as_str();
        tracing::info!(request_id = id.as_str(), service = name, reason = %denied.denial, "a call was refused");
        let party = denied.party.clone().unwrap_or_else(|| Arc::new(Party::default()));
        let event = Event::new(Action::Deny, Outcome::Denied, party)
            .request_id(id.as_str())
            .reason(denied.denial.reason())
            .target(name);
        if self.shared.audit.record(event).is_err() {
            tracing::warn!(reason = denied.denial.reason(), "a refusal could not be recorded");
        }
    }

    async fn forward(
        &self,
        target: &Target<'_>,
        permit: &Permit,
        parts: &mut Parts,
        opened: Opened,
        id: &RequestId,
    ) -> Result<Response<GatewayBody>, Refusal> {
        let Opened { body, call, watch } = opened;
        let upstream = &target.reached.upstream;
        let mut headers = mem::take(&mut parts.headers);
        clean_request(&mut headers, &upstream.target().host);
        permit.headers().insert_into(&mut headers, id);
        let mut request = Request::new(body);
        *request.method_mut() = mem::take(&mut parts.method);
        *request.uri_mut() = upstream.target().uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        match upstream.send(request, watch.as_deref()).await {
            Ok(response) => {
                let (mut parts, answer) = response.into_parts();
                clean_response(&mut parts.headers);
                parts.version = Version::HTTP_11;
                // What the service's reason phrase says is not ours to repeat.
                parts.extensions.clear();
                Ok(Response::from_parts(parts, GatewayBody::upstream(answer)))
            }
            Err(unanswered) => Err(Box::pin(explain(unanswered, call.id, watch.as_deref())).await),
        }
    }
}

/// Finds the identifier that the answer must carry, and whose fault it was.
async fn explain(unanswered: Unanswered, mut id: Option<String>, watch: Option<&Watch>) -> Refusal {
    if let (None, Some(watch)) = (&id, watch) {
        if let Some(unsent) = unanswered.unsent {
            unsent.into_body().find_id().await;
        }
        id = watch.id();
    }
    match unanswered.error {
        UpstreamError::Body(fault) => Refusal::Body(fault, id),
        error => Refusal::Upstream(error, id),
    }
}

async fn open_body<B>(parts: &Parts, body: B, service: &ServiceConfig) -> Result<Opened, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    let opened = if !service.reads_bodies() {
        open_unread(body, service.max_body)
    } else if parts.method == Method::POST {
        open(body, service.max_body, service.timeouts.idle).await
    } else {
        open_none(&body)
    };
    opened.map_err(|fault: BodyFault| Refusal::Body(fault, None))
}

fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Service, method and name, as far as they are known: `platform tools/call bucket_list`.
fn audit_target(service: &str, method: &Method, call: &Call) -> String {
    let method = call.method.as_deref().unwrap_or(method.as_str());
    let name = call.name.as_deref().or(call.uri.as_deref()).or(call.task.as_deref());
    let length = service.len() + method.len() + name.map_or(0, str::len) + 2;
    let mut target = String::with_capacity(length);
    target.push_str(service);
    for part in [Some(method), name].into_iter().flatten() {
        target.push(' ');
        target.push_str(part);
    }
    target
}
