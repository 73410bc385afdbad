//! Rows to plain types and back.

use secrecy::{ExposeSecret, SecretSlice};

use super::entity::{client, code, grant, interaction, refresh_token, signing_key};
use crate::{
    clock::{from_millis, to_millis},
    identity::Identity,
    random::Digest,
    store::{
        Client, ClientAuthentication, Code, Grant, Interaction, RefreshToken, SecretMethod, SigningKeyRecord,
        Stage, StoreError,
    },
};

const CONSENT: &str = "consent";
const SIGN_IN: &str = "sign_in";

/// How a stage is written.
pub(super) fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Consent => CONSENT,
        Stage::SignIn => SIGN_IN,
    }
}

fn digest(text: &str, what: &'static str) -> Result<Digest, StoreError> {
    Digest::from_text(text).ok_or(StoreError::Corrupt { what })
}

fn json_text(value: &impl serde::Serialize, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt { what })
}

pub(super) fn client_row(client: &Client) -> Result<client::Model, StoreError> {
    Ok(client::Model {
        id: client.id.clone(),
        name: client.name.clone(),
        authentication: client.authentication.as_str().to_owned(),
        secret_digest: match &client.authentication {
            ClientAuthentication::None => None,
            ClientAuthentication::Secret { digest, .. } => Some(digest.to_text()),
        },
        redirect_uris: json_text(&client.redirect_uris, "client")?,
        refreshes: client.refreshes,
        registered_at: to_millis(client.registered_at),
        first_used_at: client.first_used_at.map(to_millis),
    })
}

pub(super) fn client(row: client::Model) -> Result<Client, StoreError> {
    let corrupt = || StoreError::Corrupt { what: "client" };
    let method = [SecretMethod::Basic, SecretMethod::Post]
        .into_iter()
        .find(|method| method.as_str() == row.authentication);
    let authentication = match (method, row.secret_digest) {
        (Some(method), Some(text)) => {
            ClientAuthentication::Secret { method, digest: digest(&text, "client")? }
        }
        (None, None) if row.authentication == ClientAuthentication::None.as_str() => {
            ClientAuthentication::None
        }
        _ => return Err(corrupt()),
    };
    Ok(Client {
        id: row.id,
        name: row.name,
        authentication,
        redirect_uris: serde_json::from_str(&row.redirect_uris).map_err(|_| corrupt())?,
        refreshes: row.refreshes,
        registered_at: from_millis(row.registered_at),
        first_used_at: row.first_used_at.map(from_millis),
    })
}

pub(super) fn interaction_row(found: &Interaction) -> interaction::Model {
    interaction::Model {
        id: found.id.clone(),
        stage: stage_text(found.stage).to_owned(),
        cookie_digest: found.cookie.to_text(),
        client_id: found.client_id.clone(),
        redirect_uri: found.redirect_uri.clone(),
        redirect_uri_given: found.redirect_uri_given,
        state: found.state.clone(),
        resource: found.resource.clone(),
        scope: found.scope.clone(),
        code_challenge: found.code_challenge.clone(),
        created_at: to_millis(found.created_at),
        expires_at: to_millis(found.expires_at),
    }
}

pub(super) fn interaction(row: interaction::Model) -> Result<Interaction, StoreError> {
    let stage = match row.stage.as_str() {
        CONSENT => Stage::Consent,
        SIGN_IN => Stage::SignIn,
        _ => return Err(StoreError::Corrupt { what: "interaction" }),
    };
    Ok(Interaction {
        id: row.id,
        stage,
        cookie: digest(&row.cookie_digest, "interaction")?,
        client_id: row.client_id,
        redirect_uri: row.redirect_uri,
        redirect_uri_given: row.redirect_uri_given,
        state: row.state,
        resource: row.resource,
        scope: row.scope,
        code_challenge: row.code_challenge,
        created_at: from_millis(row.created_at),
        expires_at: from_millis(row.expires_at),
    })
}

pub(super) fn grant_row(grant: &Grant) -> Result<grant::Model, StoreError> {
    Ok(grant::Model {
        id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        issuer: grant.identity.issuer.clone(),
        subject: grant.identity.subject.clone(),
        tenant: grant.identity.tenant.clone(),
        display_name: grant.identity.display_name.clone(),
        email: grant.identity.email.clone(),
        hints: json_text(&grant.identity.hints, "grant")?,
        identity_source: grant.identity_source.clone(),
        resource: grant.resource.clone(),
        scope: grant.scope.clone(),
        authenticated_at: to_millis(grant.authenticated_at),
        expires_at: to_millis(grant.expires_at),
        revoked_at: grant.revoked_at.map(to_millis),
    })
}

pub(super) fn grant(row: grant::Model) -> Result<Grant, StoreError> {
    let hints = serde_json::from_str(&row.hints).map_err(|_| StoreError::Corrupt { what: "grant" })?;
    Ok(Grant {
        id: row.id,
        client_id: row.client_id,
        identity: Identity {
            issuer: row.issuer,
            subject: row.subject,
            tenant: row.tenant,
            display_name: row.display_name,
            email: row.email,
            hints,
        },
        identity_source: row.identity_source,
        resource: row.resource,
        scope: row.scope,
        authenticated_at: from_millis(row.authenticated_at),
        expires_at: from_millis(row.expires_at),
        revoked_at: row.revoked_at.map(from_millis),
    })
}

pub(super) fn code_row(code: &Code) -> code::Model {
    code::Model {
        digest: code.digest.to_text(),
        grant_id: code.grant_id.clone(),
        redirect_uri: code.redirect_uri.clone(),
        code_challenge: code.code_challenge.clone(),
        expires_at: to_millis(code.expires_at),
        used_at: code.used_at.map(to_millis),
    }
}

pub(super) fn code(row: code::Model) -> Result<Code, StoreError> {
    Ok(Code {
        digest: digest(&row.digest, "code")?,
        grant_id: row.grant_id,
        redirect_uri: row.redirect_uri,
        code_challenge: row.code_challenge,
        expires_at: from_millis(row.expires_at),
        used_at: row.used_at.map(from_millis),
    })
}

pub(super) fn refresh_token_row(token: &RefreshToken) -> refresh_token::Model {
    refresh_token::Model {
        digest: token.digest.to_text(),
        grant_id: token.grant_id.clone(),
        expires_at: to_millis(token.expires_at),
        used_at: token.used_at.map(to_millis),
    }
}

pub(super) fn refresh_token(row: refresh_token::Model) -> Result<RefreshToken, StoreError> {
    Ok(RefreshToken {
        digest: digest(&row.digest, "refresh token")?,
        grant_id: row.grant_id,
        expires_at: from_millis(row.expires_at),
        used_at: row.used_at.map(from_millis),
    })
}

pub(super) fn signing_key_row(key: &SigningKeyRecord) -> signing_key::Model {
    signing_key::Model {
        kid: key.kid.clone(),
        algorithm: key.algorithm.clone(),
        current_for: key.current.then(|| key.algorithm.clone()),
        wrapped: key.wrapped.expose_secret().to_vec(),
        created_at: to_millis(key.created_at),
    }
}

pub(super) fn signing_key(row: signing_key::Model) -> SigningKeyRecord {
    SigningKeyRecord {
        current: row.current_for.is_some_and(|algorithm| algorithm == row.algorithm),
        kid: row.kid,
        algorithm: row.algorithm,
        wrapped: SecretSlice::from(row.wrapped),
        created_at: from_millis(row.created_at),
    }
}
