//! What the pages tell a person about their role: the mapping's answer, as the gateway would get it now.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use oauth_server::{AccountFacts, Facts, identity::Identity};
use role_mapper::{DenyReason, MappingSnapshots, Query, RoleDecision, decide};

use super::Clock;
use crate::config::Config;

/// Answers from the mapping in memory.
pub(super) struct MappedFacts {
    mapping: Arc<MappingSnapshots>,
    clock: Clock,
    /// The name of the service behind each resource.
    services: BTreeMap<String, String>,
}

impl MappedFacts {
    pub(super) fn new(config: &Config, mapping: Arc<MappingSnapshots>, clock: Clock) -> Self {
        let services = config.services.iter().map(|service| {
            let resource = format!("{}{}", config.public_url.as_str(), service.path.as_str());
            (resource, service.name.as_str().to_owned())
        });
        Self { mapping, clock, services: services.collect() }
    }
}

impl AccountFacts for MappedFacts {
    fn facts(&self, identity: &Identity, resource: &str) -> Facts {
        let Some(service) = self.services.get(resource) else {
            return refused("This service is no longer here.");
        };
        let Ok(current) = self.mapping.current((self.clock)()) else {
            return refused("This cannot be told right now.");
        };
        let query = Query {
            issuer: &identity.issuer,
            subject: &identity.subject,
            tenant: identity.tenant.as_deref(),
            claims: &identity.hints,
            service,
        };
        match decide(&current.mapping, &query) {
            RoleDecision::Grant(grant) => Facts::Served {
                role: grant.role.to_string(),
                requests_per_minute: grant.limits.requests_per_minute.map(NonZeroU32::get),
                burst: grant.limits.burst.map(NonZeroU32::get),
            },
            RoleDecision::Deny(reason) => refused(words(&reason)),
        }
    }
}

fn refused(reason: &str) -> Facts {
    Facts::NotServed { reason: reason.to_owned() }
}

/// What a person is told. Why exactly is for the operator, who finds it in the audit log.
fn words(reason: &DenyReason) -> &'static str {
    match reason {
        DenyReason::UnknownSubject | DenyReason::NoRule => "Nobody has given you access to this yet.",
        DenyReason::InactiveTenant => "Your organisation's access is switched off.",
        DenyReason::InactiveSubject => "Your access is switched off.",
        _ => "Your access is not set up correctly. Ask whoever runs this server.",
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, UNIX_EPOCH},
    };

    use oauth_server::{AccountFacts as _, Facts, identity::Identity};
    use role_mapper::{MappingDocument, MappingSnapshots, MappingStore as _, MemoryStore};
    use serde_json::json;
    use settings::Document;

    use super::MappedFacts;
    use crate::config::{Config, EXAMPLE, PREFIX};

    fn identity(subject: &str, groups: &[&str]) -> Identity {
        Identity {
            issuer: "https://example.okta.com".into(),
            subject: subject.into(),
            tenant: Some("acme".into()),
            display_name: None,
            email: None,
            hints: json!({ "groups": groups }).as_object().unwrap().clone(),
        }
    }

    #[tokio::test]
    async fn people_are_told_what_the_mapping_says() {
        let variables =
            [("OKTA_CLIENT_SECRET", "s"), ("CONNECT_DB_PASSWORD", "p"), ("CONNECT_SEAL_KEY", "k")];
        let config = Config::read(&Document::parse(EXAMPLE, PREFIX, variables).unwrap()).unwrap();
        let document: MappingDocument = serde_json::from_value(json!({
            "tenants": [{ "id": "acme", "name": "Acme", "admit_unknown_subjects": true }],
            "subjects": [
                { "issuer": "https://example.okta.com", "subject": "gone", "tenant": "acme", "active": false },
            ],
            "roles": [{
                "tenant": "acme", "name": "reader", "role_arn": "arn:aws:iam::111122223333:role/reader",
                "tags": { "tenant": "acme" }, "requests_per_minute": 60, "burst": 10,
            }],
            "rules": [{
                "id": 1, "tenant": "acme", "role": "reader",
                "conditions": [{ "pointer": "/groups", "contains": "readers" }],
            }],
        }))
        .unwrap();
        let store = Arc::new(MemoryStore::default());
        store.import(document).await.unwrap();
        let now = UNIX_EPOCH + Duration::from_hours(500_000);
        let snapshots = MappingSnapshots::load(store, Duration::from_mins(5), now).await.unwrap();
        let snapshots = Arc::new(snapshots);
        let facts = MappedFacts::new(&config, Arc::clone(&snapshots), Arc::new(move || now));
        let resource = "https://connect.example.com/mcp/platform";
        let served = Facts::Served { role: "reader".into(), requests_per_minute: Some(60), burst: Some(10) };
        let cases = [
            (identity("ada", &["readers"]), resource, None),
            (identity("ada", &["others"]), resource, Some("Nobody has given you access to this yet.")),
            (identity("gone", &["readers"]), resource, Some("Your access is switched off.")),
            (
                Identity { tenant: Some("other".into()), ..identity("ada", &["readers"]) },
                resource,
                Some("Your access is not set up correctly. Ask whoever runs this server."),
            ),
            (
                identity("ada", &["readers"]),
                "https://elsewhere.example",
                Some("This service is no longer here."),
            ),
        ];
        for (identity, resource, reason) in cases {
            let expected = reason.map_or(served.clone(), super::refused);
            assert_eq!(facts.facts(&identity, resource), expected, "{identity:?}");
        }
        let late = MappedFacts::new(&config, snapshots, Arc::new(move || now + Duration::from_mins(6)));
        let told = late.facts(&identity("ada", &["readers"]), resource);
        assert_eq!(told, super::refused("This cannot be told right now."));
    }
}
