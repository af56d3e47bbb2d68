//! Who follows a channel.

use std::sync::Arc;

use undertone_wire::{HandshakeHash, channel::LogPush, rpc::Pushes};

/// One for each circuit, sorted by circuits: most channels have two or three, and there are many channels, so nothing is
/// kept but these.
#[derive(Default)]
pub struct Followers(Vec<Follower>);

type Follower = (HandshakeHash, Arc<Pushes<LogPush>>);

/// From so many on there is room for more.
const FEW: usize = 4;

impl Followers {
    /// Adds a circuit, or gives it other pushes.
    pub fn insert(&mut self, circuit: HandshakeHash, pushes: Arc<Pushes<LogPush>>) {
        match self.place(&circuit) {
            Ok(place) => {
                if let Some((_, old)) = self.0.get_mut(place) {
                    *old = pushes;
                }
            }
            Err(place) => {
                if self.0.len() < FEW {
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, (circuit, pushes));
            }
        }
    }

    /// Takes a circuit away.
    pub fn remove(&mut self, circuit: &HandshakeHash) {
        if let Ok(place) = self.place(circuit) {
            self.0.remove(place);
            self.free();
        }
    }

    /// Keeps those for which something holds.
    pub fn retain(&mut self, holds: impl Fn(&HandshakeHash, &Pushes<LogPush>) -> bool) {
        self.0.retain(|(circuit, pushes)| holds(circuit, pushes));
        self.free();
    }

    /// Whether nobody follows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, circuit: &HandshakeHash) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_bytes().cmp(circuit.as_bytes()))
    }

    /// Many who went leave no room behind.
    fn free(&mut self) {
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use undertone_wire::rpc::{Encoded, OpenPushes, PushQueue};

    use super::*;

    struct Listening(bool);

    impl PushQueue for Listening {
        fn push(&self, _: u32, _: Bytes) -> bool {
            self.0
        }
    }

    fn pushes(listening: bool) -> Arc<Pushes<LogPush>> {
        Arc::new(OpenPushes::new(Arc::new(Listening(listening)), 1).typed())
    }

    fn circuit(number: u8) -> HandshakeHash {
        HandshakeHash::new([number; 32])
    }

    #[test]
    fn a_circuit_is_there_once() {
        let mut followers = Followers::default();
        for number in [3, 1, 2, 3, 1] {
            followers.insert(circuit(number), pushes(number == 3));
        }
        assert_eq!((followers.0.len(), followers.0.capacity()), (3, 3));
        let push = Encoded::new(&LogPush::default());
        followers.retain(|_, pushes| pushes.send(&push));
        assert!(followers.0.len() == 1 && followers.place(&circuit(3)) == Ok(0));
        followers.remove(&circuit(1));
        followers.remove(&circuit(3));
        assert!(followers.is_empty());
    }

    #[test]
    fn many_come_and_go() {
        let mut followers = Followers::default();
        for number in 0..=255 {
            followers.insert(circuit(number), pushes(true));
        }
        assert_eq!(followers.0.len(), 256);
        for number in 0..=253 {
            followers.remove(&circuit(number));
        }
        assert!(followers.0.len() == 2 && followers.0.capacity() < 16);
    }
}
