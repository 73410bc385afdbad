//! A service that records what it gets, byte by byte, and answers by a script.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
};

/// What a service does for a request.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Waits until told to go on.
    Wait(Arc<Notify>),
    /// Waits for more bytes or the end of the connection, and reports it.
    WaitForEnd,
    /// Closes the connection.
    Close,
}

type Script = Arc<dyn Fn(&str) -> Vec<Step> + Send + Sync>;

/// What happened at the service.
#[derive(Debug, PartialEq, Eq)]
enum Happened {
    Connected,
    Request(String),
    Ended,
}

/// A service that listens.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    happened: UnboundedReceiver<Happened>,
    connections: usize,
}

/// Answers with the body that came.
pub(crate) fn echo(request: &str) -> Vec<Step> {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    vec![Step::Send(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )]
}

impl Service {
    pub(crate) async fn start(script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (report, happened) = unbounded_channel();
        let script: Script = Arc::new(script);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&script), report.clone()));
            }
        });
        Self { address, happened, connections: 0 }
    }

    /// The next request, raw.
    pub(crate) async fn request(&mut self) -> String {
        loop {
            match self.happened.recv().await.unwrap() {
                Happened::Request(text) => return text,
                Happened::Connected => self.connections += 1,
                Happened::Ended => {}
            }
        }
    }

    /// Waits until a connection ends.
    pub(crate) async fn ended(&mut self) {
        while self.happened.recv().await.unwrap() != Happened::Ended {}
    }

    /// How many connections were made up to the last request that was taken.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether nothing more arrived.
    pub(crate) fn is_untouched(&mut self) -> bool {
        self.happened.try_recv().is_err()
    }
}

async fn serve(mut stream: TcpStream, script: Script, report: UnboundedSender<Happened>) {
    let _ = report.send(Happened::Connected);
    let mut read = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut read).await {
        let steps = script(&request);
        let _ = report.send(Happened::Request(request));
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
                Step::Wait(go_on) => go_on.notified().await,
                Step::WaitForEnd => {
                    let _ = stream.read(&mut [0; 64]).await;
                }
                Step::Close => {
                    let _ = report.send(Happened::Ended);
                    return;
                }
            }
        }
    }
    let _ = report.send(Happened::Ended);
}

/// A request up to its framed end.
async fn next_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(length) = whole(&String::from_utf8_lossy(read)) {
            let rest = read.split_off(length);
            return Some(String::from_utf8(std::mem::replace(read, rest)).unwrap());
        }
        if stream.read_buf(read).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn whole(text: &str) -> Option<usize> {
    let head = text.find("\r\n\r\n")? + 4;
    let lower = text[..head].to_ascii_lowercase();
    if lower.contains("transfer-encoding: chunked") {
        return Some(head + text[head..].find("0\r\n\r\n")? + 5);
    }
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = head + length.map_or(0, |length| length.parse::<usize>().unwrap());
    (text.len() >= end).then_some(end)
}
