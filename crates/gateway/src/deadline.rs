//! A deadline that every piece of progress moves, on a timer that rarely moves.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The time that a wait may take. The clock is only read when there is something to wait for, and the timer is only set
/// anew when it goes off early.
pub(crate) struct Deadline {
    time: Duration,
    /// Absent until the wait begins.
    at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        let at = Instant::now() + time;
        Self { time, at: Some(at), timer: Box::pin(sleep_until(at)) }
    }

    /// Gives the next wait this much time.
    pub(crate) fn restart(&mut self, time: Duration) {
        self.time = time;
        self.at = None;
    }

    pub(crate) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = *self.at.get_or_insert_with(|| Instant::now() + self.time);
        if at < self.timer.deadline() {
            self.timer.as_mut().reset(at);
        }
        loop {
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(at);
        }
    }
}
