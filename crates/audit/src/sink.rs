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
    /// When not all lines have surely been kept. The log then refuses events, and offers the same lines again until a
    /// write succeeds: what was kept of them is there twice, with the same event ids.
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
pub struct FileSink {
    file: File,
    end: LineEnd,
}

impl FileSink {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, end: LineEnd::default() })
    }
}

impl Sink for FileSink {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.end.append(&mut self.file, lines)
    }
}

/// Whether a failed write may have left half a line.
#[derive(Debug, Default)]
struct LineEnd {
    torn: bool,
}

impl LineEnd {
    /// Appends lines, on a line of their own also after half a line: only what was torn is unreadable.
    fn append(&mut self, out: &mut impl Write, lines: &[u8]) -> io::Result<()> {
        if std::mem::replace(&mut self.torn, true) {
            out.write_all(b"\n")?;
        }
        out.write_all(lines)?;
        self.torn = false;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk {
        kept: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room - self.kept.len());
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.kept.extend(bytes.iter().take(taken));
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn half_a_line_does_not_spoil_the_next() {
        let mut disk = Disk { kept: Vec::new(), room: 12 };
        let mut end = LineEnd::default();
        end.append(&mut disk, b"{\"a\":1}\n").unwrap();
        assert!(end.append(&mut disk, b"{\"b\":2}\n").is_err());
        disk.room = 100;
        end.append(&mut disk, b"{\"b\":2}\n").unwrap();
        end.append(&mut disk, b"{\"c\":3}\n").unwrap();
        assert_eq!(disk.kept, b"{\"a\":1}\n{\"b\"\n{\"b\":2}\n{\"c\":3}\n");
    }
}
