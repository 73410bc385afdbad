//! What a decision costs, and that it does not grow with the rules of others nor with the own ones that cannot match.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the bench")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use role_mapper::{Mapping, MappingDocument, Query, RoleDecision, decide};
use serde_json::{Value, json};

/// `rules` rules over `tenants` tenants: by turns for one subject, for one group and for one department of a service.
fn mapping(rules: usize, tenants: usize) -> Mapping {
    let ids = 0..tenants;
    let document = json!({
        "tenants": ids.clone().map(|t| json!({"id": format!("t{t}"), "name": "T", "admit_unknown_subjects": true}))
            .collect::<Vec<_>>(),
        "roles": ids.map(|t| json!({
            "tenant": format!("t{t}"), "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r",
            "tags": {"tenant": format!("t{t}"), "department": {"claim": "/department"}},
        })).collect::<Vec<_>>(),
        "rules": (0..rules).map(|n| rule(n, n % tenants, n / tenants)).collect::<Vec<_>>(),
    });
    let document: MappingDocument = serde_json::from_value(document).unwrap();
    Mapping::new(&document).unwrap()
}

fn rule(number: usize, tenant: usize, nth: usize) -> Value {
    let mut rule = json!({"id": number + 1, "tenant": format!("t{tenant}"), "role": "r"});
    let (field, value) = match nth % 3 {
        0 => ("conditions", json!([{"pointer": "/groups", "contains": format!("g{nth}")}])),
        1 => ("subject", json!({"issuer": "https://idp.example.com", "subject": format!("s{nth}")})),
        _ => ("conditions", json!([{"pointer": "/department", "equals": format!("d{nth}")}])),
    };
    rule.as_object_mut().unwrap().insert(field.to_owned(), value);
    rule
}

fn benchmark(criterion: &mut Criterion) {
    let groups: Vec<_> = (0..30).map(|n| format!("g{}", n * 3)).collect();
    let claims = json!({"groups": groups, "department": "lab"}).as_object().cloned().unwrap();
    let query = Query {
        issuer: "https://idp.example.com",
        subject: "ada",
        tenant: Some("t0"),
        claims: &claims,
        service: "platform",
    };
    let mut group = criterion.benchmark_group("decide");
    for (rules, tenants) in [(10, 1), (100_000, 1), (100_000, 100), (100_000, 10_000)] {
        let mapping = mapping(rules, tenants);
        assert!(matches!(decide(&mapping, &query), RoleDecision::Grant(_)));
        let name = BenchmarkId::from_parameter(format!("{rules} rules, {tenants} tenants"));
        group.bench_function(name, |bencher| bencher.iter(|| decide(black_box(&mapping), black_box(&query))));
    }
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
