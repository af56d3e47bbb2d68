//! One timer for all that can take too long on a circuit.

use std::{pin::Pin, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};
use undertone_wire::limits;

/// Silence after which a client asks whether the service is still there.
pub(crate) const CLIENT_PING: Duration = Duration::from_millis(limits::IDLE_PING_MS);
/// The service asks a little later, so that one of the two asks and not both.
pub(crate) const SERVICE_PING: Duration = Duration::from_millis(limits::IDLE_PING_MS + 15_000);
/// Silence that ends a circuit.
const SILENCE: Duration = Duration::from_millis(2 * limits::IDLE_PING_MS);
/// A peer that takes nothing of what waits for it for so long has gone, or means ill.
const STALL: Duration = Duration::from_secs(30);

/// What has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Nothing was heard for a while: ask.
    Quiet,
    /// Nothing was heard although we asked, or nothing was taken although it waits: leave.
    TimedOut,
    /// The time to finish is over.
    Overdue,
}

/// Watches one end of a circuit.
pub(crate) struct Watchdog {
    sleep: Pin<Box<Sleep>>,
    ping_after: Duration,
    heard: Instant,
    asked: bool,
    leave_by: Option<Instant>,
}

impl Watchdog {
    pub(crate) fn new(ping_after: Duration) -> Self {
        let heard = Instant::now();
        Self { sleep: Box::pin(sleep_until(heard + ping_after)), ping_after, heard, asked: false, leave_by: None }
    }

    /// A frame came. The timer is left alone, so that a busy circuit hardly touches it.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = false;
    }

    /// From now on there is only so much time.
    pub(crate) fn leave_within(&mut self, limit: Duration) {
        let leave_by = Instant::now() + limit;
        self.leave_by = Some(leave_by);
        self.ring_by(leave_by);
    }

    /// Something waits to leave: look after it in time.
    pub(crate) fn unsent(&mut self) {
        self.ring_by(Instant::now() + STALL);
    }

    /// Waits until it is time to judge. Nothing is lost by dropping it.
    pub(crate) async fn ring(&mut self) {
        self.sleep.as_mut().await;
    }

    /// What has taken too long, if anything: `stalled_since` is when the peer last took something of what waits for
    /// it, and `listening` whether we read at all.
    pub(crate) fn judge(&mut self, stalled_since: Option<Instant>, listening: bool) -> Option<Alarm> {
        let now = Instant::now();
        if !listening {
            // Who is not listened to cannot be heard.
            self.heard = now;
        }
        let stall = stalled_since.map(|since| since + STALL);
        let passed = |due: Option<Instant>| due.is_some_and(|due| now >= due);
        let alarm = if passed(self.leave_by) {
            Some(Alarm::Overdue)
        } else if passed(stall) || now >= self.heard + SILENCE {
            Some(Alarm::TimedOut)
        } else if !self.asked && now >= self.heard + self.ping_after {
            self.asked = true;
            Some(Alarm::Quiet)
        } else {
            None
        };
        let silence = self.heard + if self.asked { SILENCE } else { self.ping_after };
        let due = [stall, self.leave_by].into_iter().flatten().fold(silence, Instant::min);
        self.sleep.as_mut().reset(due);
        alarm
    }

    fn ring_by(&mut self, due: Instant) {
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next alarm, and the second at which it comes.
    async fn alarm(watchdog: &mut Watchdog, stalled_since: Option<Instant>, start: Instant) -> (Alarm, u64) {
        loop {
            watchdog.ring().await;
            if let Some(alarm) = watchdog.judge(stalled_since, true) {
                return (alarm, start.elapsed().as_secs());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_asked_about_once_and_then_ends() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(CLIENT_PING);
        tokio::time::advance(Duration::from_secs(20)).await;
        watchdog.heard();
        assert_eq!(alarm(&mut watchdog, None, start).await, (Alarm::Quiet, 80));
        assert_eq!(alarm(&mut watchdog, None, start).await, (Alarm::TimedOut, 140));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_ends_before_silence_does() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(CLIENT_PING);
        watchdog.unsent();
        assert_eq!(alarm(&mut watchdog, Some(start), start).await, (Alarm::TimedOut, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_only_so_much_time_to_leave() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(CLIENT_PING);
        watchdog.leave_within(Duration::from_secs(5));
        assert_eq!(alarm(&mut watchdog, None, start).await, (Alarm::Overdue, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_listened_to_is_not_called_silent() {
        let mut watchdog = Watchdog::new(CLIENT_PING);
        for _ in 0..10 {
            watchdog.ring().await;
            assert_eq!(watchdog.judge(None, false), None);
        }
    }
}
