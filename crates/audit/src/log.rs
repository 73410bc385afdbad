//! The queue and its writer thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvError, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::{Duration, SystemTime},
};

use uuid::{Builder, Uuid};

use crate::{Event, Sink};

/// How many events may wait for the writer.
pub const QUEUE_CAPACITY: usize = 16_384;

/// The lines joined into one write, at most.
const BATCH: usize = 4_096;

/// How long the writer gathers events after the first one.
const GATHER: Duration = Duration::from_millis(3);

/// How long until a failed write is tried again, also when no event asks for it: whoever balances load sends nothing
/// to a process that says it is not ready.
const RETRY: Duration = Duration::from_secs(1);

/// The most bytes of lines that are kept for a failed sink. What comes then is lost, and counted.
const MAX_KEPT: usize = 8 * 1024 * 1024;

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
    /// [`AuditUnavailable`] when the queue is full, in which case the event is [lost](Self::lost), or when the sink
    /// failed last time: then it waits with the others for the sink to work again.
    pub fn record(&self, event: Event) -> Result<(), AuditUnavailable> {
        let message = Message::Event(Box::new(((self.clock)(), event)));
        let queued = self.queue.try_send(message);
        if queued.is_err() || self.state.failed.load(Ordering::Acquire) {
            self.state.lost.fetch_add(u64::from(queued.is_err()), Ordering::Relaxed);
            return Err(AuditUnavailable);
        }
        Ok(())
    }

    /// Whether events can be recorded now, as far as the last write tells.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.state.failed.load(Ordering::Acquire)
    }

    /// How many events were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything recorded before the call has been offered to the sink.
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

fn write_all(messages: &Receiver<Message>, sink: impl Sink, state: &State) {
    let mut writer = Writer { sink, ids: EventIds::new(), lines: String::new(), events: 0, state };
    loop {
        let first = match writer.wait(messages) {
            Ok(first) => first,
            Err(RecvError) => return writer.give_up(),
        };
        if matches!(first, Some(Message::Event(_))) {
            // Events that come meanwhile need not wake this thread: one by one, that would cost as much as the calls
            // they are about.
            thread::park_timeout(GATHER);
        }
        let mut waiting = Vec::new();
        for message in first.into_iter().chain(messages.try_iter().take(BATCH)) {
            match message {
                Message::Event(timed) => writer.add(timed.0, &timed.1),
                Message::Flush(done) => waiting.push(done),
            }
        }
        writer.write();
        for done in waiting {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}

/// The sink, and the lines that it has not kept yet.
struct Writer<'s, S> {
    sink: S,
    ids: EventIds,
    lines: String,
    /// How many events the lines are.
    events: u64,
    state: &'s State,
}

impl<S: Sink> Writer<'_, S> {
    /// The next message, or none when it is time to try again what failed.
    fn wait(&self, messages: &Receiver<Message>) -> Result<Option<Message>, RecvError> {
        if self.lines.is_empty() {
            return messages.recv().map(Some);
        }
        match messages.recv_timeout(RETRY) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RecvError),
        }
    }

    fn add(&mut self, at: SystemTime, event: &Event) {
        if self.lines.len() >= MAX_KEPT {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        event.render(self.ids.next(at), at, &mut self.lines);
        self.lines.push('\n');
        self.events += 1;
    }

    /// Offers the lines to the sink; they stay until it has kept them.
    fn write(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let written = self.sink.write(self.lines.as_bytes());
        let failed_before = self.state.failed.swap(written.is_err(), Ordering::AcqRel);
        match written {
            Ok(()) => {
                self.lines.clear();
                self.events = 0;
                if failed_before {
                    tracing::info!("the audit sink records events again");
                }
            }
            Err(error) if !failed_before => {
                tracing::error!(%error, "the audit sink failed; calls are refused until it records again");
            }
            Err(_) => {}
        }
    }

    /// Nobody can record any more.
    fn give_up(self) {
        self.state.lost.fetch_add(self.events, Ordering::Relaxed);
        if self.events > 0 {
            tracing::error!(events = self.events, "the audit sink never kept these events");
        }
    }
}

/// Makes event identifiers: time-ordered (RFC 9562 §5.7), counted within this log, and random between logs.
struct EventIds {
    log: u128,
    count: u32,
}

impl EventIds {
    fn new() -> Self {
        Self { log: Uuid::new_v4().as_u128() & 0xffff_ffff_ffff, count: 0 }
    }

    fn next(&mut self, at: SystemTime) -> Uuid {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.count = self.count.wrapping_add(1);
        let [_, _, _, _, _, _, tail @ ..] = ((u128::from(self.count) << 48) | self.log).to_be_bytes();
        Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}
