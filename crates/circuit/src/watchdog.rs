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
    listening: bool,
    stalled_since: Option<Instant>,
    leave_by: Option<Instant>,
}

impl Watchdog {
    pub(crate) fn new(ping_after: Duration) -> Self {
        let now = Instant::now();
        Self {
            sleep: Box::pin(sleep_until(now + ping_after)),
            ping_after,
            heard: now,
            asked: false,
            listening: true,
            stalled_since: None,
            leave_by: None,
        }
    }

    /// A frame came.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = false;
    }

    /// From now on there is only so much time.
    pub(crate) fn leave_within(&mut self, limit: Duration) {
        self.leave_by = Some(Instant::now() + limit);
    }

    /// To be called before each wait: since when the peer takes nothing, and whether we listen at all. The timer is
    /// moved only forwards in time unless it must ring earlier, so a busy circuit hardly touches it.
    pub(crate) fn watch(&mut self, stalled_since: Option<Instant>, listening: bool) {
        self.stalled_since = stalled_since;
        self.listening = listening;
        if self.due() < self.sleep.deadline() {
            self.rearm();
        }
    }

    /// Waits for the next alarm. Nothing is lost by dropping it.
    pub(crate) async fn alarm(&mut self) -> Alarm {
        loop {
            self.sleep.as_mut().await;
            let now = Instant::now();
            if !self.listening {
                // Who is not listened to cannot be heard.
                self.heard = now;
            }
            let alarm = self.judge(now);
            self.asked |= alarm == Some(Alarm::Quiet);
            self.rearm();
            if let Some(alarm) = alarm {
                return alarm;
            }
        }
    }

    fn judge(&self, now: Instant) -> Option<Alarm> {
        if self.leave_by.is_some_and(|by| now >= by) {
            Some(Alarm::Overdue)
        } else if self.stalled_since.is_some_and(|since| now >= since + STALL) || now >= self.heard + SILENCE {
            Some(Alarm::TimedOut)
        } else if !self.asked && now >= self.heard + self.ping_after {
            Some(Alarm::Quiet)
        } else {
            None
        }
    }

    fn due(&self) -> Instant {
        let silence = self.heard + if self.asked { SILENCE } else { self.ping_after };
        let stall = self.stalled_since.map(|since| since + STALL);
        [stall, self.leave_by].into_iter().flatten().fold(silence, Instant::min)
    }

    fn rearm(&mut self) {
        let due = self.due();
        self.sleep.as_mut().reset(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_asked_about_once_and_then_ends() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(CLIENT_PING);
        tokio::time::advance(Duration::from_secs(20)).await;
        watchdog.heard();
        assert_eq!(watchdog.alarm().await, Alarm::Quiet);
        assert_eq!(start.elapsed().as_secs(), 80);
        assert_eq!(watchdog.alarm().await, Alarm::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 140);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_rings_before_silence_does() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(CLIENT_PING);
        watchdog.watch(Some(start), true);
        assert_eq!(watchdog.alarm().await, Alarm::TimedOut);
        assert_eq!(start.elapsed(), STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_listened_to_is_not_called_silent() {
        let mut watchdog = Watchdog::new(CLIENT_PING);
        watchdog.watch(None, false);
        assert!(tokio::time::timeout(Duration::from_secs(600), watchdog.alarm()).await.is_err());
    }
}
