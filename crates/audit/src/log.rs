//! The queue and its writer thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::SystemTime,
};

use uuid::{NoContext, Timestamp, Uuid};

use crate::{Event, Sink};

/// How many events may wait for the writer.
pub const QUEUE_CAPACITY: usize = 16_384;

/// The lines joined into one write, at most.
const BATCH: usize = 256;

/// The event could not be recorded; what it would have recorded must not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot record events now")]
pub struct AuditUnavailable;

/// A handle to the audit log. Clones share one queue and one writer.
#[derive(Clone)]
pub struct AuditLog {
    queue: SyncSender<Message>,
    state: Arc<State>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

#[derive(Default)]
struct State {
    failed: AtomicBool,
    lost: AtomicU64,
}

enum Message {
    Event(Box<(SystemTime, Event)>),
    Flush(Sender<()>),
}

impl AuditLog {
    /// Starts the writer thread over `sink`. `clock` gives the time of each event.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        sink: impl Sink,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE_CAPACITY);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::Builder::new().name("audit".into()).spawn(move || write_all(&messages, sink, &shared))?;
        Ok(Self { queue, state, clock: Arc::new(clock) })
    }

    /// Queues an event. It never blocks.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when the queue is full or the sink failed last time; the event is counted as
    /// [lost](Self::lost). A refused event is still offered
    /// to a failed sink, to find out whether it works again.
    pub fn record(&self, event: Event) -> Result<(), AuditUnavailable> {
        let message = Message::Event(Box::new(((self.clock)(), event)));
        let queued = self.queue.try_send(message);
        if queued.is_err() || self.state.failed.load(Ordering::Acquire) {
            self.state.lost.fetch_add(u64::from(queued.is_err()), Ordering::Relaxed);
            return Err(AuditUnavailable);
        }
        Ok(())
    }

    /// Whether events can be recorded now.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.state.failed.load(Ordering::Acquire)
    }

    /// How many events were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything recorded before the call has been handed to the sink.
    pub fn flush(&self) {
        let (done, wait) = channel();
        if self.queue.send(Message::Flush(done)).is_ok() {
            // A writer that is gone has nothing left to write.
            let _ = wait.recv();
        }
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

fn write_all(messages: &Receiver<Message>, mut sink: impl Sink, state: &State) {
    let mut lines = String::new();
    while let Ok(first) = messages.recv() {
        let mut waiting = Vec::new();
        let mut events = 0;
        for message in std::iter::once(first).chain(messages.try_iter().take(BATCH)) {
            match message {
                Message::Event(timed) => {
                    let (at, event) = *timed;
                    event.render(event_id(at), at, &mut lines);
                    lines.push('\n');
                    events += 1;
                }
                Message::Flush(done) => waiting.push(done),
            }
        }
        if !lines.is_empty() {
            keep(&mut sink, &lines, events, state);
            lines.clear();
        }
        for done in waiting {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}

fn keep(sink: &mut impl Sink, lines: &str, events: u64, state: &State) {
    let written = sink.write(lines.as_bytes());
    let failed_before = state.failed.swap(written.is_err(), Ordering::AcqRel);
    match written {
        Ok(()) if failed_before => tracing::info!("the audit sink records events again"),
        Ok(()) => {}
        Err(error) => {
            state.lost.fetch_add(events, Ordering::Relaxed);
            tracing::error!(%error, "the audit sink failed; calls are refused until it records again");
        }
    }
}

/// Time-ordered, so that events sort as they happened (RFC 9562 §5.7).
fn event_id(at: SystemTime) -> Uuid {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, since.as_secs(), since.subsec_nanos()))
}
