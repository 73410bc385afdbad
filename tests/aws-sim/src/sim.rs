//! Starting and steering a simulator.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::SimConfig;
use crate::faults::{Fault, FaultEffect};
use crate::s3;
use crate::server::{CREDENTIALS_PATH, Server};
use crate::trail::Call;
use crate::world::{ConfigError, World};

/// The simulator.
#[derive(Clone, Copy, Debug)]
pub struct AwsSim;

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// The address is not of this machine alone.
    #[error("listen address {0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The directory for objects cannot be used.
    #[error("cannot prepare {}", path.display())]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The object store does not open.
    #[error("cannot open the object store in {}", .0.display())]
    Store(PathBuf),
}

impl AwsSim {
    /// Starts a simulator that tells the time by the machine's clock.
    ///
    /// # Errors
    /// When the configuration cannot be used, or the address or the directory.
    pub async fn start(config: SimConfig) -> Result<Running, StartError> {
        #[expect(clippy::disallowed_methods, reason = "the one default clock; tests pass their own")]
        let clock: Clock = Arc::new(SystemTime::now);
        Self::start_with_clock(config, clock).await
    }

    /// Starts a simulator with a clock of its own.
    ///
    /// # Errors
    /// As [`AwsSim::start`].
    pub async fn start_with_clock(config: SimConfig, clock: Clock) -> Result<Running, StartError> {
        let world = Arc::new(World::build(&config, clock)?);
        if !config.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(config.listen));
        }
        let (root, temporary) = prepare(&config)?;
        let s3 = s3::build(&world, &root).map_err(|_| StartError::Store(root.clone()))?;
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let stop = CancellationToken::new();
        let server = Server { world: Arc::clone(&world), s3 };
        let task = tokio::spawn(server.run(listener, stop.clone()));
        Ok(Running { addr, world, stop, task: Some(task), _temporary: temporary })
    }
}

/// A running simulator; it stops when dropped.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    world: Arc<World>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    _temporary: Option<TempDir>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Running {
    /// The endpoint for STS and (path style) S3, without a trailing slash.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// For `AWS_CONTAINER_CREDENTIALS_FULL_URI`: the task role's credentials.
    #[must_use]
    pub fn container_credentials_url(&self) -> String {
        format!("http://{}{CREDENTIALS_PATH}", self.addr)
    }

    /// Lets the next call of an operation, such as `sts:AssumeRole`, fail or wait.
    pub fn fail_next(&self, operation: &str, effect: FaultEffect) {
        self.fail(Fault { operation: operation.to_owned(), times: 1, effect });
    }

    /// Arms a fault.
    pub fn fail(&self, fault: Fault) {
        self.world.faults.arm(fault);
    }

    /// Forgets the faults that have not happened.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Lets every session issued so far be expired.
    pub fn expire_sessions(&self) {
        self.world.keyring.expire_all(self.world.now());
    }

    /// Every call answered so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world.trail.calls()
    }

    /// Stops and waits until every connection is closed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::warn!(%error, "the server task did not end well");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Makes the buckets' directories and writes the first objects.
fn prepare(config: &SimConfig) -> Result<(PathBuf, Option<TempDir>), StartError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Data { path, source }
    };
    let temporary = match config.data_dir {
        Some(_) => None,
        None => Some(TempDir::with_prefix("aws-sim-").map_err(failed(&std::env::temp_dir()))?),
    };
    let root = match (&config.data_dir, &temporary) {
        (Some(given), _) => given.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => std::env::temp_dir(),
    };
    for bucket in &config.buckets {
        let directory = root.join(&bucket.name);
        std::fs::create_dir_all(&directory).map_err(failed(&directory))?;
        for (key, text) in &bucket.objects {
            let file = directory.join(key);
            if let Some(parent) = file.parent() {
                std::fs::create_dir_all(parent).map_err(failed(parent))?;
            }
            std::fs::write(&file, text).map_err(failed(&file))?;
        }
    }
    Ok((root, temporary))
}
