//! Ports to listen on, chosen before anybody listens.

use std::{
    env,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

/// The ports to choose from. They are below those that systems give to outgoing connections, which would otherwise take
/// one between its choice and its use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// How many ports a process tries before it comes to those of the next one.
const EACH: u16 = 20;

static TRIED: AtomicU16 = AtomicU16::new(0);

/// The ports of this process: who holds the lock of a port's file holds the port, until the process ends.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A loopback port that nobody listens on and that no other process of this machine is given meanwhile.
///
/// # Errors
/// When there is none, or the temporary directory cannot be written.
pub fn free_port() -> io::Result<u16> {
    let directory = env::temp_dir().join("connect-server-ports");
    fs::create_dir_all(&directory)?;
    let slots = u32::from(COUNT / EACH);
    let slot = u16::try_from(process::id() % slots).unwrap_or_default();
    for _ in 0..COUNT {
        let offset = (slot * EACH + TRIED.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        let port = FIRST + offset;
        // A file that cannot be opened is somebody else's.
        let Ok(file) = File::create(directory.join(port.to_string())) else { continue };
        if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return Ok(port);
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
