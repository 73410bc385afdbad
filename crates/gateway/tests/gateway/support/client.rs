//! A client that sends bytes as they are.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The only value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        match self.all(name).as_slice() {
            [] => "",
            [one] => one,
            several => panic!("{name} is repeated: {several:?}"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A connection to the gateway.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until `end` was read; everything up to it.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            let filled = self.fill().await;
            assert_ne!(filled, 0, "closed after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads one whole answer, framed by length, by chunks or by the end of the connection.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        if !answer.header("content-length").is_empty() {
            let length: usize = answer.header("content-length").parse().unwrap();
            while self.read.len() < length {
                assert_ne!(self.fill().await, 0, "closed within the body");
            }
            let rest = self.read.split_off(length);
            answer.body = String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
        } else if answer.header("transfer-encoding") == "chunked" {
            while let size = self.until("\r\n").await
                && size != "0\r\n"
            {
                let chunk = usize::from_str_radix(size.trim(), 16).unwrap();
                while self.read.len() < chunk + 2 {
                    assert_ne!(self.fill().await, 0, "closed within a chunk");
                }
                let rest = self.read.split_off(chunk + 2);
                let text = std::mem::replace(&mut self.read, rest);
                answer.body.push_str(std::str::from_utf8(&text[..chunk]).unwrap());
            }
            self.until("\r\n").await;
        } else if status != 204 {
            while self.fill().await > 0 {}
            answer.body = String::from_utf8(std::mem::take(&mut self.read)).unwrap();
        }
        answer
    }

    /// Whether the gateway closed the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.fill().await == 0 && self.read.is_empty()
    }

    async fn fill(&mut self) -> usize {
        self.stream.read_buf(&mut self.read).await.unwrap_or(0)
    }
}

/// Sends bytes over a new connection and reads one answer.
pub(crate) async fn call(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut connection = Connection::open(address).await;
    connection.send(request).await;
    connection.answer().await
}

/// A POST to the service with a token, further header lines (each with its line end) and a body.
pub(crate) fn post(token: &str, lines: &str, body: &str) -> String {
    format!(
        "POST /mcp/platform/mcp HTTP/1.1\r\nHost: connect.example.com\r\nAuthorization: Bearer {token}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
