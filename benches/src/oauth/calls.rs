//! The clients: connections that each send the next form as soon as the answer to the last one is there.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use benches::Outcome;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// A form for a path.
pub(crate) struct Call {
    pub(crate) path: &'static str,
    pub(crate) form: String,
}

/// What the clients saw.
pub(crate) struct Seen {
    pub(crate) elapsed: Duration,
    /// The answers, in the order of the calls.
    pub(crate) answers: Vec<Value>,
}

/// Sends every call once over so many connections.
pub(crate) fn send(server: SocketAddr, calls: Vec<Call>, connections: usize) -> Outcome<Seen> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let calls = Arc::new(calls);
        let start = now();
        let mut clients = JoinSet::new();
        for client in 0..connections {
            clients.spawn(work(server, Arc::clone(&calls), client, connections));
        }
        let mut answers = Vec::new();
        for answered in clients.join_all().await {
            answers.extend(answered?);
        }
        let elapsed = start.elapsed();
        answers.sort_unstable_by_key(|(index, _)| *index);
        Ok(Seen { elapsed, answers: answers.into_iter().map(|(_, answer)| answer).collect() })
    })
}

async fn work(
    server: SocketAddr,
    calls: Arc<Vec<Call>>,
    client: usize,
    clients: usize,
) -> Outcome<Vec<(usize, Value)>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut answers = Vec::new();
    for (index, Call { path, form }) in calls.iter().enumerate().skip(client).step_by(clients) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost:{}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             user-agent: oauth-bench\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n{form}",
            server.port(),
            form.len()
        );
        stream.write_all(request.as_bytes()).await?;
        answers.push((index, answer(&mut stream).await?));
    }
    Ok(answers)
}

async fn answer(stream: &mut TcpStream) -> Outcome<Value> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err("the server closed a connection".into());
        }
        let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
        let body = bytes.get(end + 4..).unwrap_or_default();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.ok_or("an answer has no content-length")?.parse()? {
            continue;
        }
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(format!("an answer is not 200: {}", String::from_utf8_lossy(&bytes)).into());
        }
        return Ok(serde_json::from_slice(body)?);
    }
}

#[expect(clippy::disallowed_methods, reason = "the bench measures time")]
fn now() -> Instant {
    Instant::now()
}
