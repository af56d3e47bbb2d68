//! Tickets: whoever has opened a channel by signatures opens it again by a MAC (docs/decisions/0009).
//!
//! A ticket is `channel || generation (u32) || right to write (u8) || expiry (u64, milliseconds) || HMAC-SHA256`. Nothing
//! in it is hidden from its holder, who knows it all; and nothing is stored: the key is forgotten with the process.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::Sha256;
use undertone_wire::{ChannelId, Now, context::Context};
use zeroize::ZeroizeOnDrop;

use super::rights::Rights;

/// How long a ticket holds. Long enough for a phone that reconnects all day, short enough that a stolen one is soon worth
/// nothing.
const TICKET_MS: u64 = 24 * 60 * 60 * 1_000;

/// What tickets are made and checked with.
#[derive(ZeroizeOnDrop)]
pub struct TicketKey([u8; 32]);

impl TicketKey {
    /// A fresh key. To be made at each start and stored nowhere: then a restart ends all tickets.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; 32]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// A ticket for rights that were proven just now.
    pub(super) fn give(&self, now: Now, channel: ChannelId, rights: Rights) -> Bytes {
        let expiry = now.plus_ms(TICKET_MS);
        let mut ticket = Vec::with_capacity(61);
        ticket.extend_from_slice(channel.as_bytes());
        ticket.extend_from_slice(&rights.generation().to_be_bytes());
        ticket.push(rights.write().into());
        ticket.extend_from_slice(&expiry.0.to_be_bytes());
        let tag = self.mac(&ticket).map(|mac| mac.finalize().into_bytes());
        ticket.extend_from_slice(tag.as_deref().unwrap_or_default());
        ticket.into()
    }

    /// What a ticket is for. None: it is none of ours, or holds no more.
    pub(super) fn take(&self, now: Now, ticket: &[u8]) -> Option<(ChannelId, Rights)> {
        let (channel, rest) = ticket.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let ([write], rest) = rest.split_first_chunk()?;
        let (expiry, tag) = rest.split_first_chunk()?;
        let claimed = ticket.strip_suffix(tag)?;
        self.mac(claimed)?.verify_slice(tag).ok()?;
        // A clock that was set back makes none hold longer than it was given for.
        let left_ms = u64::from_be_bytes(*expiry).checked_sub(now.0)?;
        let rights = Rights::proven(u32::from_be_bytes(*generation), *write != 0);
        (1..=TICKET_MS).contains(&left_ms).then_some((ChannelId::new(*channel), rights))
    }

    /// None never happens: HMAC takes keys of any length.
    fn mac(&self, claimed: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::new_from_slice(&self.0).ok()?;
        mac.update(&Context::TICKET.bytes(&[claimed]));
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    const NOW: Now = Now(1_795_341_522_000);
    const CHANNEL: ChannelId = ChannelId::new([1; 16]);

    fn key(seed: u8) -> TicketKey {
        TicketKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
    }

    #[test]
    fn a_ticket_is_for_what_was_proven() {
        for (generation, write) in [(0, false), (7, true), (u32::MAX, false)] {
            let rights = Rights::proven(generation, write);
            let ticket = key(1).give(NOW, CHANNEL, rights);
            assert!(ticket.len() == 61 && key(1).take(NOW, &ticket) == Some((CHANNEL, rights)));
            assert!(key(2).take(NOW, &ticket).is_none(), "of another start");
        }
    }

    #[test]
    fn a_ticket_holds_for_a_day() {
        let ticket = key(1).give(NOW, CHANNEL, Rights::proven(0, true));
        let holds = |now: Now| key(1).take(now, &ticket).is_some();
        assert!(holds(NOW) && holds(NOW.plus_ms(TICKET_MS - 1)) && !holds(NOW.plus_ms(TICKET_MS)));
        assert!(!holds(Now(NOW.0 - 1)) && !holds(Now(0)) && !holds(Now(u64::MAX)));
    }

    #[test]
    fn every_bit_counts() {
        let ticket = key(1).give(NOW, CHANNEL, Rights::proven(0, false));
        for bit in 0..8 * ticket.len() {
            let mut other = ticket.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(key(1).take(NOW, &other).is_none());
        }
        for length in 0..ticket.len() {
            assert!(key(1).take(NOW, &ticket[..length]).is_none());
        }
        assert!(key(1).take(NOW, &[&ticket[..], &[0]].concat()).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_ticket(bytes in vec(any::<u8>(), 0..100)) {
            assert!(key(1).take(NOW, &bytes).is_none());
        }
    }
}
