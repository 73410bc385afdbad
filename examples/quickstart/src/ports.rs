//! Ports to listen on, chosen before anybody listens.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// The ports to choose from. They are below those that systems give to outgoing connections, which would otherwise take
/// one between its choice and its use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// How many ports a process tries before it comes to those of the next one.
const EACH: u16 = 20;

static TRIED: AtomicU16 = AtomicU16::new(0);

/// A loopback port that nobody listens on. Processes that run at the same time start at different ones.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    let slots = u32::from(COUNT / EACH);
    let slot = u16::try_from(process::id() % slots).unwrap_or_default();
    for _ in 0..COUNT {
        let offset = (slot * EACH + TRIED.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + offset)).is_ok() {
            return Ok(FIRST + offset);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "every port from 20000 to 29999 is taken"))
}

#[cfg(test)]
mod tests {
    use super::free_port;

    #[test]
    fn every_port_is_another_one() {
        let mut ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }
}
