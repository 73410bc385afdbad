//! Random queries that often hit the rules of `sample.rs`.

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};
use serde_json::{Map, Value, json};

use crate::sample::{ISSUERS, SERVICES, SUBJECTS, TENANTS, WORDS};

/// A query that owns its parts.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) issuer: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) tenant: Option<&'static str>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) service: &'static str,
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    (
        select(&ISSUERS[..]),
        select(&SUBJECTS[..]),
        option::of(select(&TENANTS[..])),
        claims(),
        select(&SERVICES[..]),
    )
        .prop_map(|(issuer, subject, tenant, claims, service)| Asked {
            issuer,
            subject,
            tenant,
            claims,
            service,
        })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let scalar = || {
        prop_oneof![
            4 => select(&WORDS[..]).prop_map(|word| json!(word)),
            1 => any::<bool>().prop_map(|flag| json!(flag)),
            1 => (0..3_i64).prop_map(|number| json!(number)),
            1 => Just(json!(null)),
        ]
    };
    let list = vec(scalar(), 0..4).prop_map(Value::from);
    let value = prop_oneof![scalar(), list];
    let members = btree_map(select(vec!["text", "list", "a/b"]), value.clone(), 0..4);
    (members, btree_map(select(vec!["text", "list"]), value, 0..3)).prop_map(
        |(members, deep): (BTreeMap<_, Value>, BTreeMap<_, Value>)| {
            let mut claims: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            claims.insert("deep".into(), json!(deep));
            claims
        },
    )
}
