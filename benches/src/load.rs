//! The load: connections that each send the next request as soon as the answer to the last one is there.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::Outcome;

/// What the clients saw in a round.
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// In ascending order.
    latencies: Vec<Duration>,
}

impl Seen {
    /// The latency that this share of the requests did not exceed.
    pub(crate) fn latency(&self, per_mille: usize) -> Duration {
        let at = (self.latencies.len() * per_mille / 1000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// One request for each token: a tool call of about 1 kB with forged decision headers.
pub(crate) fn requests(tokens: &[String]) -> Vec<Vec<u8>> {
    let filler = "0123456789abcdef".repeat(56);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{{"name":"object_read","arguments":{{"uri":"s3://b/k","note":"{filler}"}}}}}}"#
    );
    let request = |token: &String| {
        format!(
            "POST /mcp/platform/mcp HTTP/1.1\r\nhost: connect.example.com\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nuser-agent: gateway-bench\r\n\
             mcp-protocol-version: 2025-11-25\r\nx-decided-role: arn:aws:iam::999999999999:role/admin\r\n\
             x-source-identity: root\r\nX_Session_Tags: {{}}\r\nx-request-id: mine\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    tokens.iter().map(request).collect()
}

/// Runs a round over so many connections.
pub(crate) fn round(
    proxy: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
    time: Duration,
) -> Outcome<Seen> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let start = now();
        let mut clients = JoinSet::new();
        for client in 0..connections {
            clients.spawn(call_until(proxy, Arc::clone(requests), client, start + time));
        }
        let mut latencies = Vec::new();
        for client in clients.join_all().await {
            latencies.extend(client?);
        }
        let elapsed = start.elapsed();
        latencies.sort_unstable();
        Ok(Seen { requests: u64::try_from(latencies.len())?, elapsed, latencies })
    })
}

async fn call_until(
    proxy: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    client: usize,
    end: Instant,
) -> Outcome<Vec<Duration>> {
    let mut stream = TcpStream::connect(proxy).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    let mut latencies = Vec::new();
    // Clients start at different people and pass through all of them.
    for request in requests.iter().cycle().skip(client * 7) {
        let start = now();
        if start >= end {
            break;
        }
        stream.write_all(request).await?;
        read_answer(&mut stream, &mut buffer).await?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Outcome {
    let mut filled = 0;
    let mut whole = None;
    while whole.is_none_or(|whole| filled < whole) {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(free).await?;
        if read == 0 {
            return Err("the proxy closed a connection".into());
        }
        filled += read;
        if whole.is_none() {
            whole = length(buffer.get(..filled).unwrap_or_default())?;
        }
    }
    Ok(())
}

/// The length of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..head).unwrap_or_default())?;
    if !text.starts_with("HTTP/1.1 200 ") {
        return Err(format!("an answer is not 200: {}", String::from_utf8_lossy(answer)).into());
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .ok_or("an answer has no content-length")?;
    Ok(Some(head + 4 + length.parse::<usize>()?))
}

#[expect(clippy::disallowed_methods, reason = "the bench measures time")]
fn now() -> Instant {
    Instant::now()
}
