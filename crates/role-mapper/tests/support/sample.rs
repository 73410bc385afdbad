//! Small random mappings without a fault.

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::{Strategy, any, prop_oneof},
    sample::{Index, select},
};
use role_mapper::{
    ClaimTest, Condition, MappingDocument, Role, Rule, Scalar, Subject, SubjectMatch, TagSource, Tenant,
};

pub(crate) const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
pub(crate) const ISSUERS: [&str; 2] = ["https://one.example", "https://two.example"];
pub(crate) const SUBJECTS: [&str; 3] = ["ada", "bob", "auth0|x/é"];
pub(crate) const SERVICES: [&str; 2] = ["platform", "search"];
const ROLES: [&str; 3] = ["admin", "reader", "writer"];
pub(crate) const WORDS: [&str; 3] = ["lab", "readers", "x y"];

/// The ARN says which tenant and role it is.
pub(crate) fn arn(tenant: &str, role: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{tenant}/{role}")
}

pub(crate) fn document() -> impl Strategy<Value = MappingDocument> {
    btree_set(select(&TENANTS[..]), 1..=3).prop_flat_map(|tenants| {
        let tenants: Vec<_> = tenants.into_iter().collect();
        let rows: Vec<_> = tenants.iter().map(|id| tenant(id)).collect();
        let of_each: Vec<_> = tenants.iter().map(|id| roles(id)).collect();
        (rows, subjects(tenants), of_each, vec(rule(), 0..12), any::<Index>()).prop_map(
            |(tenants, subjects, of_each, drafts, first)| {
                let roles: Vec<Role> = of_each.into_iter().flatten().collect();
                MappingDocument { tenants, subjects, rules: number(drafts, &roles, first.index(50)), roles }
            },
        )
    })
}

fn tenant(id: &str) -> impl Strategy<Value = Tenant> + use<> {
    let id = id.to_owned();
    (proptest::bool::weighted(0.8), any::<bool>(), "[A-Za-z][ -~é]{0,12}").prop_map(
        move |(active, admit_unknown_subjects, name)| Tenant {
            id: id.clone(),
            name,
            active,
            admit_unknown_subjects,
        },
    )
}

fn subjects(tenants: Vec<&'static str>) -> impl Strategy<Value = Vec<Subject>> {
    let row = (select(tenants), proptest::bool::weighted(0.8), option::of("[ -~é]{0,12}"));
    btree_map((select(&ISSUERS[..]), select(&SUBJECTS[..])), row, 0..6).prop_map(|rows| {
        rows.into_iter()
            .map(|((issuer, subject), (tenant, active, display_name))| Subject {
                issuer: issuer.into(),
                subject: subject.into(),
                tenant: tenant.into(),
                active,
                display_name,
            })
            .collect()
    })
}

fn roles(tenant: &'static str) -> impl Strategy<Value = Vec<Role>> {
    btree_set(select(&ROLES[..]), 0..=3)
        .prop_flat_map(move |names| names.into_iter().map(move |name| role(tenant, name)).collect::<Vec<_>>())
}

fn role(tenant: &'static str, name: &'static str) -> impl Strategy<Value = Role> + use<> {
    let source = prop_oneof![
        select(&WORDS[..]).prop_map(|word| TagSource::Literal(word.into())),
        select(vec!["/text", "/deep/text"]).prop_map(|claim| TagSource::Claim { claim: claim.into() }),
    ];
    let limits = option::of((1..1000_i64, option::of(1..100_i64)));
    (
        btree_map(select(vec!["tenant", "team", "Größe"]), source, 0..3),
        option::of("[a-z]{1,9}"),
        900..=3600_i64,
        limits,
    )
        .prop_map(move |(tags, session_policy, duration_seconds, limits)| Role {
            tenant: tenant.into(),
            name: name.into(),
            role_arn: arn(tenant, name),
            tags: tags.into_iter().map(|(key, source)| (key.to_owned(), source)).collect(),
            session_policy,
            duration_seconds,
            requests_per_minute: limits.map(|(rate, _)| rate),
            burst: limits.and_then(|(_, burst)| burst),
        })
}

type Draft = (i64, Option<SubjectMatch>, Vec<Condition>, Option<&'static str>, Index);

fn rule() -> impl Strategy<Value = Draft> {
    let subject = (select(&ISSUERS[..]), select(&SUBJECTS[..]))
        .prop_map(|(issuer, subject)| SubjectMatch { issuer: issuer.into(), subject: subject.into() });
    (
        select(vec![-1_i64, 10, 100]),
        option::weighted(0.4, subject),
        vec(condition(), 0..3),
        option::weighted(0.3, select(&SERVICES[..])),
        any::<Index>(),
    )
}

fn condition() -> impl Strategy<Value = Condition> {
    let scalar = prop_oneof![
        3 => select(&WORDS[..]).prop_map(|word| Scalar::Text(word.into())),
        1 => any::<bool>().prop_map(Scalar::Flag),
        1 => (0..3_i64).prop_map(Scalar::Number),
    ];
    let test = prop_oneof![scalar.clone().prop_map(ClaimTest::Equals), scalar.prop_map(ClaimTest::Contains)];
    (select(vec!["/text", "/list", "/deep/text", "/deep/list", "/a~1b"]), test)
        .prop_map(|(pointer, test)| Condition::Claim { pointer: pointer.into(), test })
}

/// Gives rules their numbers and roles; without a role there are no rules.
fn number(drafts: Vec<Draft>, roles: &[Role], first: usize) -> Vec<Rule> {
    let drafts = if roles.is_empty() { Vec::new() } else { drafts };
    let numbered = drafts.into_iter().zip((first..).step_by(3));
    numbered
        .map(|((priority, subject, conditions, service, role), id)| {
            let role = role.get(roles);
            Rule {
                id: i64::try_from(id).unwrap() + 1,
                tenant: role.tenant.clone(),
                priority,
                subject,
                conditions,
                service: service.map(str::to_owned),
                role: role.name.clone(),
            }
        })
        .collect()
}
