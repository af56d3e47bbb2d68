//! What was said in the channel of a link, so far.

use bytes::Bytes;
use undertone_e2ee::{E2eeError, Hello};
use undertone_wire::{
    Message as _,
    content::{Linking, linking::Kind},
};

use crate::{ClientError, Result};

const HASH_LEN: usize = 32;

/// Each thing once, and in this order.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) commitment: Option<Bytes>,
    pub(super) challenge: Option<Bytes>,
    pub(super) hello: Option<Hello>,
    pub(super) accepted: bool,
    pub(super) handover: Option<Bytes>,
}

impl Talk {
    /// Takes what stands next in the channel.
    ///
    /// # Errors
    /// [`ClientError::LinkUsed`] when it was said before, or is not what comes next: then more than two devices are here.
    /// [`ClientError::LinkForged`] when the hello is not the one that was promised. [`ClientError::LinkCancelled`].
    pub(super) fn take(&mut self, said: &[u8]) -> Result<()> {
        let said = Linking::decode(said).map_err(|_| ClientError::LinkForged)?;
        match (said.kind, self.said()) {
            (Some(Kind::Cancelled(_)), _) => return Err(ClientError::LinkCancelled),
            (Some(Kind::Commitment(hash)), 0) if hash.len() == HASH_LEN => self.commitment = Some(hash),
            (Some(Kind::Challenge(hash)), 1) if hash.len() == HASH_LEN => self.challenge = Some(hash),
            (Some(Kind::Hello(hello)), 2) => self.hello = Some(self.promised(hello)?),
            (Some(Kind::Accepted(_)), 3) => self.accepted = true,
            (Some(Kind::Handover(sealed)), 4) => self.handover = Some(sealed),
            _ => return Err(ClientError::LinkUsed),
        }
        Ok(())
    }

    /// How many things were said.
    fn said(&self) -> u32 {
        let said = [
            self.commitment.is_some(),
            self.challenge.is_some(),
            self.hello.is_some(),
            self.accepted,
            self.handover.is_some(),
        ];
        said.into_iter().map(u32::from).sum()
    }

    fn promised(&self, hello: Bytes) -> Result<Hello> {
        let hello = Hello::parse(hello).map_err(|error| match error {
            E2eeError::Unsupported => ClientError::E2ee(error),
            _ => ClientError::LinkForged,
        })?;
        let kept = self.commitment.as_deref() == Some(&hello.commitment()[..]);
        if kept { Ok(hello) } else { Err(ClientError::LinkForged) }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};
    use undertone_credentials::DeviceKey;
    use undertone_e2ee::LinkSecret;

    use super::*;

    fn hello(seed: u64) -> Hello {
        let rng = &mut StdRng::seed_from_u64(seed);
        LinkSecret::generate(rng).hello(&DeviceKey::generate(rng).public(), &[], rng)
    }

    /// A whole linking.
    fn whole() -> Vec<Kind> {
        let hello = hello(1);
        vec![
            Kind::Commitment(hello.commitment().to_vec().into()),
            Kind::Challenge(vec![7; 32].into()),
            Kind::Hello(hello.encoded().clone()),
            Kind::Accepted(true),
            Kind::Handover(vec![1].into()),
        ]
    }

    fn take(talk: &mut Talk, kind: Kind) -> Result<()> {
        talk.take(&Linking { kind: Some(kind) }.encode_to_vec())
    }

    /// What is said after the first `said` things of a linking, and what becomes of it.
    fn after(said: usize, kind: Kind) -> Result<()> {
        let mut talk = Talk::default();
        whole().into_iter().take(said).for_each(|kind| take(&mut talk, kind).unwrap());
        take(&mut talk, kind)
    }

    #[test]
    fn each_thing_has_its_one_place() {
        for said in 0..=5 {
            for (place, kind) in whole().into_iter().enumerate() {
                let taken = after(said, kind);
                assert!(matches!((place == said, taken), (true, Ok(())) | (false, Err(ClientError::LinkUsed))));
            }
            assert!(matches!(after(said, Kind::Cancelled(true)), Err(ClientError::LinkCancelled)));
        }
    }

    #[test]
    fn a_hello_is_the_one_that_was_promised() {
        let other = Kind::Hello(hello(2).encoded().clone());
        assert!(matches!(after(2, other), Err(ClientError::LinkForged)));
        assert!(matches!(after(2, Kind::Hello(vec![1, 2].into())), Err(ClientError::LinkForged)));
    }

    #[test]
    fn nonsense_ends_it() {
        assert!(matches!(after(0, Kind::Commitment(vec![1; 31].into())), Err(ClientError::LinkUsed)));
        assert!(matches!(after(1, Kind::Challenge(vec![1; 33].into())), Err(ClientError::LinkUsed)));
        assert!(matches!(Talk::default().take(&[]), Err(ClientError::LinkUsed)));
        assert!(matches!(Talk::default().take(&[255; 9]), Err(ClientError::LinkForged)));
    }
}
