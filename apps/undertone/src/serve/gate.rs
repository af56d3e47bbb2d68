//! The gate: limits with a clock and a lock, and passes that end by themselves.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use undertone_wire::circuit::{Code, Fault};

use super::limits::{Act, Limits, Origin, Refusal};

/// Lets tunnels in.
pub struct Gate {
    limits: Mutex<Limits>,
}

/// A handshake under way; dropping it says that it is over.
pub struct Handshaking(Place);

/// What a circuit keeps of where it comes from: that it may be here, and what it may do. Dropping it gives its place
/// back.
pub struct Pass(Place);

struct Place {
    gate: Arc<Gate>,
    origin: Origin,
}

impl Gate {
    /// For a system that allows so many circuits.
    pub fn new(circuits_max: usize) -> Self {
        Self { limits: Mutex::new(Limits::new(circuits_max)) }
    }

    /// Lets a tunnel in, or says why not.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<(Handshaking, Pass), Refusal> {
        let origin = address.into();
        self.limits().admit(origin, Instant::now())?;
        let place = || Place { gate: self.clone(), origin };
        Ok((Handshaking(place()), Pass(place())))
    }

    /// Nothing below stops halfway, so limits are whole even after a panic elsewhere.
    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Allows one act, or says when to come back.
    pub fn act(&self, act: Act) -> Result<(), Fault> {
        let Place { gate, origin } = &self.0;
        gate.limits().act(*origin, act, Instant::now()).map_err(|wait| {
            let ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
            Fault::from(Code::Exhausted).retry_after_ms(ms.max(1))
        })
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        self.0.gate.limits().handshake_over(self.0.origin);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.gate.limits().circuit_over(self.0.origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let gate = Arc::new(Gate::new(1));
        let loopback = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..3 {
            let admitted = gate.admit(loopback);
            assert!(admitted.is_ok());
            assert!(matches!(gate.admit(loopback), Err(Refusal::ServiceFull)));
            let (handshaking, pass) = admitted.ok().unwrap();
            drop(handshaking);
            assert!(gate.admit(loopback).is_err());
            drop(pass);
        }
    }

    #[test]
    fn who_has_used_up_his_allowance_is_told_when_to_come_back() {
        let gate = Arc::new(Gate::new(1));
        let (_, pass) = gate.admit(IpAddr::from([192, 0, 2, 1])).ok().unwrap();
        let refused = (0..1_000).find_map(|_| pass.act(Act::Registration).err()).unwrap();
        assert!(refused.code() == Code::Exhausted && refused.retry_after_ms > 0);
        assert!(pass.act(Act::Visit).is_ok());
    }
}
