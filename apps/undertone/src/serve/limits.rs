//! How much may be asked by who has proven nothing: of one origin, and of all together. No clock and no sockets here.
//!
//! Behind these limits nobody knows an address. Here one is kept in memory for as long as it has circuits, or has used
//! up part of an allowance; it is never logged, stored or passed on.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

/// Circuits in all, at some 10 KB each. Where the system allows fewer open files, there are fewer.
pub const CIRCUITS_MAX: usize = 32_768;
/// Handshakes under way in all. Each costs 0.3 ms of a core and waits for its client up to 15 s: so many keep two cores
/// busy for 150 ms, which is how long the others may have to wait.
const HANDSHAKES_MAX: usize = 1_024;
/// Origins that are remembered (about 100 bytes each). Who comes when so many are is refused, until some are forgotten.
const ORIGINS_MAX: usize = 65_536;
/// Origins that have nothing to be remembered for are forgotten so often.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What an origin may do.
struct Allowance {
    /// Circuits at once.
    circuits: u32,
    /// Handshakes under way at once.
    handshakes: u32,
    /// Handshakes.
    handshaking: Rate,
    /// What visitors do: create a channel, fetch a contact's keys, leave a letter.
    visits: Rate,
    /// Attempts to register.
    registrations: Rate,
}

/// An address out there: one person, or a household or office behind one.
const NETWORK: Allowance = Allowance {
    // Some fifty devices with a handful of circuits each.
    circuits: 256,
    // All of them at once, after their line was down. So 32 addresses are needed to use up what there is in all.
    handshakes: 32,
    // The same, and two a second afterwards: 0.06 % of a core.
    handshaking: Rate { burst: 240, every: Duration::from_millis(500) },
    // People write to few strangers, and keep a few channels in stock. Letters before an acceptance count too.
    visits: Rate { burst: 60, every: Duration::from_secs(30) },
    // A family on its first evening.
    registrations: Rate { burst: 10, every: Duration::from_secs(10 * 60) },
};

/// This machine, where a story or a load test opens thousands of circuits in minutes. Still bounded: a client gone wild
/// must not take the service with it.
const LOOPBACK: Allowance = Allowance {
    circuits: 16_384,
    handshakes: 768,
    handshaking: Rate { burst: 20_000, every: Duration::from_millis(5) },
    visits: Rate { burst: 20_000, every: Duration::from_millis(5) },
    registrations: Rate { burst: 5_000, every: Duration::from_millis(50) },
};

/// Where a client comes from, as far as limits are concerned. It has no Debug and no Display.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// This machine.
    Loopback,
    /// One address.
    V4(Ipv4Addr),
    /// The first 64 bits: what a customer is given at least, so single addresses of it cost nothing.
    V6(u64),
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Loopback,
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d].iter().fold(0, |bits, segment| bits << 16 | u64::from(*segment)))
            }
        }
    }
}

impl Origin {
    fn allowance(self) -> &'static Allowance {
        match self {
            Self::Loopback => &LOOPBACK,
            Self::V4(_) | Self::V6(_) => &NETWORK,
        }
    }
}

/// What is limited beyond the circuit that it comes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The one request of a visitor.
    Visit,
    /// An attempt to make an account.
    Registration,
}

/// Why a tunnel is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many circuits, handshakes or origins as there may be.
    ServiceFull,
    /// Its origin has as many circuits or handshakes as it may have at once.
    OriginFull,
    /// Its origin begins too many handshakes.
    TooFast,
}

/// Who is here, and what they have used up.
pub struct Limits {
    circuits_max: usize,
    circuits: usize,
    handshakes: usize,
    origins: HashMap<Origin, Standing>,
    swept: Option<Instant>,
}

#[derive(Default)]
struct Standing {
    circuits: u32,
    handshakes: u32,
    handshaking: Bucket,
    visits: Bucket,
    registrations: Bucket,
}

impl Limits {
    /// Nobody is here. The system allows `circuits_max` circuits at most.
    pub fn new(circuits_max: usize) -> Self {
        let circuits_max = circuits_max.min(CIRCUITS_MAX);
        Self { circuits_max, circuits: 0, handshakes: 0, origins: HashMap::new(), swept: None }
    }

    /// Takes a tunnel, which becomes a handshake and a circuit: each has to be ended, by [`Limits::handshake_over`] and
    /// [`Limits::circuit_over`].
    ///
    /// # Errors
    /// Why not; then nothing has to be ended.
    pub fn admit(&mut self, origin: Origin, now: Instant) -> Result<(), Refusal> {
        self.sweep(now);
        let known = self.origins.contains_key(&origin);
        if self.circuits >= self.circuits_max
            || self.handshakes >= HANDSHAKES_MAX
            || (!known && self.origins.len() >= ORIGINS_MAX)
        {
            return Err(Refusal::ServiceFull);
        }
        let allowance = origin.allowance();
        let standing = self.origins.entry(origin).or_default();
        if standing.circuits >= allowance.circuits || standing.handshakes >= allowance.handshakes {
            return Err(Refusal::OriginFull);
        }
        standing.handshaking.take(allowance.handshaking, now).map_err(|_| Refusal::TooFast)?;
        standing.circuits += 1;
        standing.handshakes += 1;
        self.circuits += 1;
        self.handshakes += 1;
        Ok(())
    }

    /// One handshake has ended, in whatever way.
    pub fn handshake_over(&mut self, origin: Origin) {
        self.handshakes = self.handshakes.saturating_sub(1);
        if let Some(standing) = self.origins.get_mut(&origin) {
            standing.handshakes = standing.handshakes.saturating_sub(1);
        }
    }

    /// One circuit has ended, or did not come about.
    pub fn circuit_over(&mut self, origin: Origin) {
        self.circuits = self.circuits.saturating_sub(1);
        if let Some(standing) = self.origins.get_mut(&origin) {
            standing.circuits = standing.circuits.saturating_sub(1);
        }
    }

    /// Allows one act of an origin that has a circuit.
    ///
    /// # Errors
    /// How long to wait for the next.
    pub fn act(&mut self, origin: Origin, act: Act, now: Instant) -> Result<(), Duration> {
        let allowance = origin.allowance();
        let standing = self.origins.entry(origin).or_default();
        match act {
            Act::Visit => standing.visits.take(allowance.visits, now),
            Act::Registration => standing.registrations.take(allowance.registrations, now),
        }
    }

    /// Forgets those who have no circuit and whose allowances are whole again.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        self.origins.retain(|_, standing| standing.circuits > 0 || !standing.is_whole(now));
    }
}

impl Standing {
    fn is_whole(&self, now: Instant) -> bool {
        [self.handshaking, self.visits, self.registrations].iter().all(|bucket| bucket.debt(now).is_zero())
    }
}

/// So many at once, and one more after each `every`.
#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// A token bucket, kept as the moment at which it will be full again (GCRA).
#[derive(Clone, Copy, Default)]
struct Bucket {
    /// None: it is full.
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes one token, or says when there will be one.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let debt = self.debt(now) + rate.every;
        let wait = debt.saturating_sub(rate.every * rate.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = now.checked_add(debt);
        Ok(())
    }

    fn debt(&self, now: Instant) -> Duration {
        self.full_at.map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn home() -> Origin {
        origin("192.0.2.1")
    }

    /// Admits, and ends the handshake.
    fn enter(limits: &mut Limits, origin: Origin, now: Instant) -> Result<(), Refusal> {
        limits.admit(origin, now)?;
        limits.handshake_over(origin);
        Ok(())
    }

    #[test]
    fn an_origin_is_an_address_or_a_network() {
        assert!(origin("192.0.2.1") != origin("192.0.2.2"));
        assert!(origin("192.0.2.1") == origin("::ffff:192.0.2.1"));
        assert!(origin("2001:db8:0:1::1") == origin("2001:db8:0:1:ffff::"));
        assert!(origin("2001:db8:0:1::1") != origin("2001:db8:0:2::1"));
        for address in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert!(origin(address) == Origin::Loopback);
        }
    }

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let rate = Rate { burst: 3, every: Duration::from_secs(10) };
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, at(0)), Ok(()));
        }
        assert_eq!(bucket.take(rate, at(0)), Err(Duration::from_secs(10)));
        assert_eq!(bucket.take(rate, at(4)), Err(Duration::from_secs(6)));
        assert_eq!(bucket.take(rate, at(10)), Ok(()));
        assert_eq!(bucket.take(rate, at(10)), Err(Duration::from_secs(10)));
        assert_eq!(bucket.debt(at(39)), Duration::from_secs(1));
        assert!(bucket.debt(at(40)).is_zero());
        // Refusals cost nothing, and a rest restores no more than a burst.
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, at(1_000)), Ok(()));
        }
        assert!(bucket.take(rate, at(1_000)).is_err());
    }

    #[test]
    fn half_open_handshakes_are_few() {
        let (mut limits, now) = (Limits::new(usize::MAX), Instant::now());
        for _ in 0..NETWORK.handshakes {
            limits.admit(home(), now).unwrap();
        }
        assert_eq!(limits.admit(home(), now), Err(Refusal::OriginFull));
        limits.admit(origin("192.0.2.2"), now).unwrap();
        limits.handshake_over(home());
        limits.admit(home(), now).unwrap();
    }

    #[test]
    fn circuits_of_one_origin_are_bounded_and_given_back() {
        let (mut limits, start) = (Limits::new(usize::MAX), Instant::now());
        let now = |n: u32| start + NETWORK.handshaking.every * n;
        for n in 0..NETWORK.circuits {
            enter(&mut limits, home(), now(n)).unwrap();
        }
        assert_eq!(enter(&mut limits, home(), now(300)), Err(Refusal::OriginFull));
        limits.circuit_over(home());
        enter(&mut limits, home(), now(300)).unwrap();
    }

    #[test]
    fn handshakes_have_a_rate() {
        let (mut limits, now) = (Limits::new(usize::MAX), Instant::now());
        for _ in 0..NETWORK.handshaking.burst {
            enter(&mut limits, home(), now).unwrap();
            limits.circuit_over(home());
        }
        assert_eq!(enter(&mut limits, home(), now), Err(Refusal::TooFast));
        enter(&mut limits, home(), now + NETWORK.handshaking.every).unwrap();
    }

    #[test]
    fn the_service_has_its_own_limits() {
        let (mut limits, now) = (Limits::new(2), Instant::now());
        enter(&mut limits, origin("192.0.2.1"), now).unwrap();
        enter(&mut limits, origin("192.0.2.2"), now).unwrap();
        assert_eq!(enter(&mut limits, origin("192.0.2.3"), now), Err(Refusal::ServiceFull));
        limits.circuit_over(origin("192.0.2.1"));
        enter(&mut limits, origin("192.0.2.3"), now).unwrap();

        let mut limits = Limits::new(usize::MAX);
        let mut admitted = (0_u16..).map(|n| limits.admit(origin(&format!("2001:db8:{n:x}::1")), now));
        assert_eq!(admitted.find(Result::is_err), Some(Err(Refusal::ServiceFull)));
        assert_eq!(limits.handshakes, HANDSHAKES_MAX);
    }

    #[test]
    fn loopback_cannot_use_up_all_handshakes() {
        let (mut limits, now) = (Limits::new(usize::MAX), Instant::now());
        while limits.admit(Origin::Loopback, now).is_ok() {}
        limits.admit(home(), now).unwrap();
    }

    #[test]
    fn acts_have_allowances_of_their_own() {
        let (mut limits, now) = (Limits::new(usize::MAX), Instant::now());
        for _ in 0..NETWORK.visits.burst {
            limits.act(home(), Act::Visit, now).unwrap();
        }
        assert_eq!(limits.act(home(), Act::Visit, now), Err(NETWORK.visits.every));
        for _ in 0..NETWORK.registrations.burst {
            limits.act(home(), Act::Registration, now).unwrap();
        }
        assert_eq!(limits.act(home(), Act::Registration, now), Err(NETWORK.registrations.every));
        limits.act(origin("192.0.2.2"), Act::Visit, now).unwrap();
    }

    #[test]
    fn who_has_nothing_to_be_remembered_for_is_forgotten() {
        let (mut limits, start) = (Limits::new(usize::MAX), Instant::now());
        enter(&mut limits, home(), start).unwrap();
        limits.act(home(), Act::Visit, start).unwrap();
        enter(&mut limits, origin("192.0.2.2"), start).unwrap();
        limits.circuit_over(home());
        let later = |every: Duration| start + SWEEP_EVERY.max(every);
        limits.sweep(later(NETWORK.visits.every - Duration::from_millis(1)));
        assert_eq!(limits.origins.len(), 2);
        limits.sweep(later(NETWORK.visits.every) + SWEEP_EVERY);
        assert_eq!(limits.origins.len(), 1);
        assert!(limits.origins.contains_key(&origin("192.0.2.2")));
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut limits, start) = (Limits::new(usize::MAX), Instant::now());
        let mut networks = (0_u32..).map(|n| Origin::V4(Ipv4Addr::from_bits(n)));
        let mut come = |limits: &mut Limits, now| {
            let network = networks.next().unwrap();
            enter(limits, network, now).map(|()| limits.circuit_over(network))
        };
        for _ in 0..ORIGINS_MAX {
            come(&mut limits, start).unwrap();
        }
        assert_eq!(come(&mut limits, start), Err(Refusal::ServiceFull));
        come(&mut limits, start + SWEEP_EVERY).unwrap();
        assert_eq!(limits.origins.len(), 1);
    }
}
