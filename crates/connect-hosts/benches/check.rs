//! How long one redirect takes against a list of 20 entries.

use std::hint::black_box;

use connect_hosts::{AllowedHosts, RedirectPolicy};
use criterion::{Criterion, criterion_group, criterion_main};

const LIST: &str = "localhost,[::1],.benchling.com,.cloud.databricks.com,.azuredatabricks.net,chat.openai.com,chatgpt.com,\
    claude.ai,claude.com,cursor://,gemini.google.com,vscode.dev,windsurf://,quilt://,vscode://,insiders.vscode.dev,\
    app.example.com,.corp.example.com,zed://,copilot.example.com";

fn check(criterion: &mut Criterion) {
    let (hosts, ignored) = AllowedHosts::parse(LIST);
    assert!(ignored.is_empty(), "{ignored:?}");
    let policy = RedirectPolicy::new(hosts);
    let redirects = [
        ("hostname", "https://claude.ai/api/mcp/auth_callback"),
        ("wildcard", "https://acme.eu.benchling.com/oauth/callback?next=%2Fhome"),
        ("loopback", "http://127.0.0.1:33418/"),
        ("scheme", "cursor://anysphere.cursor-mcp/oauth/callback"),
        ("refused", "https://claude.ai.evil.example/api/mcp/auth_callback"),
    ];
    let mut group = criterion.benchmark_group("check");
    for (name, redirect) in redirects {
        group.bench_function(name, |bencher| bencher.iter(|| policy.check(black_box(redirect))));
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
