//! What is set around the process.

use std::process::Command;

use crate::answers::{fetch, limits};
use crate::host::Host;

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn a_document_comes_from_its_own_host() {
    let host = Host::answering(JSON, r#"{"from":"the host"}"#).await;
    let document = fetch(&host, &limits()).await.unwrap();
    assert_eq!(document.body, br#"{"from":"the host"}"#);
}

/// SEC-41: a proxy in the environment -> not used, what was checked is what is connected to
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_is_not_used() {
    let proxy = Host::answering(JSON, r#"{"from":"the proxy"}"#).await;
    let address = format!("http://{}", proxy.address);
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "environment::a_document_comes_from_its_own_host"]);
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(variable, &address);
    }
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.requests(), [""; 0]);
}
