//! Where lines go.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// A place that keeps audit lines. It is owned by the writer thread and may block.
pub trait Sink: Send + 'static {
    /// Keeps whole lines, each with its line end.
    ///
    /// # Errors
    /// When the lines may not have been kept; the log then refuses events until a later write succeeds.
    fn write(&mut self, lines: &[u8]) -> io::Result<()>;
}

/// Standard output, where a container platform collects it.
#[derive(Debug, Default)]
pub struct StdoutSink;

impl Sink for StdoutSink {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(lines)?;
        out.flush()
    }
}

/// A file that is only ever appended to.
#[derive(Debug)]
pub struct FileSink(File);

impl FileSink {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }
}

impl Sink for FileSink {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)
    }
}

/// Lines kept in memory, for tests and demonstrations.
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<Vec<u8>>>);

impl MemorySink {
    /// Every line written so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Sink for MemorySink {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(lines);
        Ok(())
    }
}
