//! A host on loopback that answers whatever it is told to, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is written to each connection after the head of its request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then nothing more.
    Hang(Vec<u8>),
    /// These bytes, then others again and again.
    Endless(Vec<u8>, Vec<u8>),
}

#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Host {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&host.requests);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, answer.clone(), Arc::clone(&requests)));
            }
        });
        host
    }

    /// A host that answers 200 with `headers` and `body`.
    pub(crate) async fn answering(headers: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        Self::start(Answer::Bytes([head.as_bytes(), body.as_bytes()].concat())).await
    }

    /// The heads of the requests, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

async fn serve(mut connection: TcpStream, answer: Answer, requests: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    requests.lock().unwrap().push(String::from_utf8(head).unwrap());
    // The other side may have gone: that is its right.
    let (first, endless) = match &answer {
        Answer::Bytes(bytes) | Answer::Hang(bytes) => (bytes, None),
        Answer::Endless(first, again) => (first, Some(again)),
    };
    let mut is_open = connection.write_all(first).await.is_ok();
    while let (true, Some(again)) = (is_open, endless) {
        is_open = connection.write_all(again).await.is_ok();
        // One thread serves and reads: it must come to the reading.
        tokio::task::yield_now().await;
    }
    if let Answer::Hang(_) = answer {
        let _until_it_goes = connection.read_u8().await;
    }
}
