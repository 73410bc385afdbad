//! What holds for every mapping and every query.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

#[path = "support/asked.rs"]
mod asked;
#[path = "support/sample.rs"]
mod sample;

use std::collections::BTreeSet;

use asked::{Asked, asked};
use proptest::{prelude::*, sample::Index};
use role_mapper::{
    ClaimTest, Condition, DenyReason, Mapping, MappingDocument, Query, RoleDecision, Rule, Scalar, decide,
};
use sample::{arn, document};
use serde_json::Value;

fn answer(document: &MappingDocument, asked: &Asked) -> RoleDecision {
    let Asked { issuer, subject, tenant, claims, service } = asked;
    decide(&Mapping::new(document).unwrap(), &Query { issuer, subject, tenant: *tenant, claims, service })
}

/// The tenant that a row or a claim names.
fn home<'d>(document: &'d MappingDocument, asked: &Asked) -> Option<&'d str> {
    let row = document.subjects.iter().find(|row| row.issuer == asked.issuer && row.subject == asked.subject);
    let claimed = document.tenants.iter().find(|row| Some(row.id.as_str()) == asked.tenant);
    row.map(|row| row.tenant.as_str()).or(claimed.map(|row| row.id.as_str()))
}

/// Whether a rule matches, by the words of its documentation and without an index.
fn matches(rule: &Rule, asked: &Asked) -> bool {
    let claims = Value::Object(asked.claims.clone());
    let is = |scalar: &Scalar, value: &Value| match scalar {
        Scalar::Flag(flag) => value == flag,
        Scalar::Number(number) => value == number,
        Scalar::Text(text) => value == text,
    };
    rule.subject.as_ref().is_none_or(|one| one.issuer == asked.issuer && one.subject == asked.subject)
        && rule.service.as_ref().is_none_or(|service| service == asked.service)
        && rule.conditions.iter().all(|condition| match condition {
            Condition::Claim { pointer, test: ClaimTest::Equals(scalar) } => {
                claims.pointer(pointer).is_some_and(|value| is(scalar, value))
            }
            Condition::Claim { pointer, test: ClaimTest::Contains(scalar) } => claims
                .pointer(pointer)
                .and_then(Value::as_array)
                .is_some_and(|items| items.iter().any(|item| is(scalar, item))),
            _ => unreachable!("no other condition is made here"),
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_grant_is_of_the_own_tenant(document in document(), asked in asked()) {
        if let RoleDecision::Grant(grant) = answer(&document, &asked) {
            let home = home(&document, &asked).unwrap();
            prop_assert_eq!(grant.tenant.as_str(), home);
            prop_assert_eq!(&grant.role_arn, &arn(home, grant.role.as_str()));
            let rule = document.rules.iter().find(|rule| rule.id == grant.by.get()).unwrap();
            prop_assert_eq!(rule.tenant.as_str(), home);
            prop_assert!(asked.tenant.is_none_or(|claimed| claimed == home));
        }
    }

    #[test]
    fn the_index_finds_what_reading_every_rule_finds(document in document(), asked in asked()) {
        let decision = answer(&document, &asked);
        let tenant = home(&document, &asked);
        let matching: Vec<_> = document
            .rules
            .iter()
            .filter(|rule| Some(rule.tenant.as_str()) == tenant && matches(rule, &asked))
            .collect();
        let lowest = matching.iter().map(|rule| rule.priority).min();
        let deciding: Vec<_> = matching.into_iter().filter(|rule| Some(rule.priority) == lowest).collect();
        let roles: BTreeSet<_> = deciding.iter().map(|rule| &rule.role).collect();
        let ids: BTreeSet<_> = deciding.iter().map(|rule| rule.id).collect();
        match decision {
            RoleDecision::Grant(grant) => {
                prop_assert_eq!(roles.len(), 1);
                prop_assert_eq!(Some(&grant.by.get()), ids.first());
            }
            RoleDecision::Deny(DenyReason::NoRule) => prop_assert!(ids.is_empty()),
            RoleDecision::Deny(DenyReason::Ambiguous(rules)) => {
                prop_assert!(roles.len() > 1);
                prop_assert_eq!(rules.iter().map(|id| id.get()).collect::<BTreeSet<_>>(), ids);
            }
            RoleDecision::Deny(DenyReason::TagClaim { .. }) => prop_assert_eq!(roles.len(), 1),
            RoleDecision::Deny(_) => {}
        }
    }

    #[test]
    fn a_deactivated_subject_or_tenant_gets_nothing(document in document(), asked in asked()) {
        let mut without_people = document.clone();
        without_people.subjects.iter_mut().for_each(|row| row.active = false);
        let is_listed = document.subjects.iter().any(|row| row.issuer == asked.issuer && row.subject == asked.subject);
        if is_listed {
            prop_assert!(matches!(answer(&without_people, &asked), RoleDecision::Deny(_)));
        }
        let mut without_tenants = document;
        without_tenants.tenants.iter_mut().for_each(|row| row.active = false);
        prop_assert!(matches!(answer(&without_tenants, &asked), RoleDecision::Deny(_)));
    }

    #[test]
    fn without_a_row_only_an_admitting_tenant_serves(document in document(), asked in asked()) {
        let mut strict = document;
        strict.subjects.clear();
        strict.tenants.iter_mut().for_each(|row| row.admit_unknown_subjects = false);
        prop_assert!(matches!(answer(&strict, &asked), RoleDecision::Deny(_)));
    }

    #[test]
    fn the_order_of_rows_means_nothing(
        (document, shuffled) in document().prop_flat_map(|document| {
            let MappingDocument { tenants, subjects, roles, rules } = document.clone();
            let parts = (
                Just(tenants).prop_shuffle(),
                Just(subjects).prop_shuffle(),
                Just(roles).prop_shuffle(),
                Just(rules).prop_shuffle(),
            );
            let shuffled = parts.prop_map(|(tenants, subjects, roles, rules)| {
                MappingDocument { tenants, subjects, roles, rules }
            });
            (Just(document), shuffled)
        }),
        asked in asked(),
    ) {
        prop_assert_eq!(answer(&document, &asked), answer(&shuffled, &asked));
        prop_assert_eq!(document.sorted(), shuffled.sorted());
    }

    #[test]
    fn a_rule_that_does_not_match_changes_nothing(document in document(), asked in asked(), which in any::<Index>()) {
        let before = answer(&document, &asked);
        let tenant = home(&document, &asked).map(str::to_owned);
        let unmatched = |rule: &Rule| Some(&rule.tenant) != tenant.as_ref() || !matches(rule, &asked);
        let mut without = document.clone();
        without.rules.retain(|rule| !unmatched(rule));
        prop_assert_eq!(&before, &answer(&without, &asked));

        let mut with = document;
        if !with.roles.is_empty() {
            let role = which.get(&with.roles);
            with.rules.push(Rule {
                id: 1_000_000,
                tenant: role.tenant.clone(),
                priority: i64::MIN,
                subject: None,
                conditions: vec![Condition::Claim {
                    pointer: "/absent".into(),
                    test: ClaimTest::Equals(Scalar::Text("x".into())),
                }],
                service: None,
                role: role.name.clone(),
            });
            prop_assert_eq!(before, answer(&with, &asked));
        }
    }

    #[test]
    fn toml_and_json_say_the_same(document in document()) {
        let toml = toml::to_string(&document).unwrap();
        prop_assert_eq!(&toml::from_str::<MappingDocument>(&toml).unwrap(), &document);
        let json = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(&serde_json::from_str::<MappingDocument>(&json).unwrap(), &document);
    }
}
