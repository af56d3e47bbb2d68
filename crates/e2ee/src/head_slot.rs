//! The head slot: the way into a group for those who have a place in it and no leaf, when nobody is there to add them.
//!
//! Who commits seals it under a key that all members keep (from the group's master key), and it is written with his commit or
//! not at all. `version (1) || nonce (24) || XChaCha20-Poly1305 of the padded content`, exactly one bucket of
//! [`padding::ENTRY`] long, or as long as a [blob](padding::commit_bytes) in a large group; it opens for its channel and position alone. Every member who merges the commit holds the
//! slot against his own state ([`Chat::check_head`](crate::Chat::check_head)). With the master key and a place on a list
//! one comes in by oneself; with the master key alone one reads who is in the chat, and no message.

use bytes::Bytes;
use rand_core::CryptoRng;
use undertone_wire::{ChannelId, Message as _, Position, content, context::Context, padding};
use zeroize::Zeroizing;

use crate::{
    E2eeError, Flaw, GENERATION_SECRET_LEN, Generation,
    aead::{self, KEY_LEN},
};

const VERSION: u8 = 1;

/// What a head slot holds.
pub struct Head {
    /// MLSMessage (GroupInfo) of the epoch that begins with its commit, signed by the committer.
    pub group_info: Bytes,
    /// MLS ratchet tree of that epoch.
    pub tree: Bytes,
    /// The generation of all that follows the commit.
    pub generation: Generation,
    /// What the log had made of the group at a place before the commit; the caller's to fill in and to check.
    pub place: content::GroupPlace,
}

/// Seals a head for a channel and the position that its commit begins.
///
/// # Errors
/// [`E2eeError::TooLong`].
pub fn seal_head(
    master: &[u8; KEY_LEN],
    channel: ChannelId,
    position: Position,
    head: &Head,
    rng: &mut impl CryptoRng,
) -> Result<Bytes, E2eeError> {
    let content = content::HeadSlot {
        group_info: head.group_info.clone(),
        tree: head.tree.clone(),
        generation_secret: Bytes::copy_from_slice(head.generation.secret()),
        place: Some(head.place.clone()).filter(|place| *place != content::GroupPlace::default()),
    };
    let content = Zeroizing::new(content.encode_to_vec());
    aead::seal_large(master, &associated(channel, position), (&[VERSION], &content), rng).map(Bytes::from)
}

/// Opens the head slot of a channel, as it was written for this position.
///
/// # Errors
/// [`E2eeError::Unsupported`] for another version, [`Flaw::Malformed`], [`Flaw::Ciphertext`].
pub fn open_head(
    master: &[u8; KEY_LEN],
    channel: ChannelId,
    position: Position,
    sealed: &[u8],
) -> Result<Head, E2eeError> {
    let rest = match sealed.split_first() {
        Some((&VERSION, rest)) if padding::commit_bytes(sealed.len()) == Some(sealed.len()) => rest,
        Some((&version, _)) if version > VERSION => return Err(E2eeError::Unsupported),
        _ => return Err(Flaw::Malformed.into()),
    };
    let content = aead::open(master, &associated(channel, position), rest)?;
    let content = content::HeadSlot::decode(&content[..]).map_err(|_| Flaw::Malformed)?;
    let secret =
        <[u8; GENERATION_SECRET_LEN]>::try_from(&content.generation_secret[..]).map_err(|_| Flaw::Malformed)?;
    Ok(Head {
        group_info: content.group_info,
        tree: content.tree,
        generation: Generation::from_secret(secret),
        place: content.place.unwrap_or_default(),
    })
}

fn associated(channel: ChannelId, position: Position) -> Vec<u8> {
    Context::HEAD_SLOT.bytes(&[channel.as_bytes(), &position.incarnation.to_be_bytes(), &position.epoch.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{CHANNEL, rng, vector};

    const MASTER: [u8; KEY_LEN] = [6; KEY_LEN];
    const POSITION: Position = Position { incarnation: 1, epoch: 7 };

    fn head() -> Head {
        Head {
            group_info: Bytes::from_static(b"a group info"),
            tree: Bytes::from_static(b"a tree"),
            generation: Generation::from_secret([3; GENERATION_SECRET_LEN]),
            place: content::GroupPlace::default(),
        }
    }

    fn same(one: &Head, other: &Head) -> bool {
        one.group_info == other.group_info
            && one.tree == other.tree
            && one.generation.secret() == other.generation.secret()
            && one.place == other.place
    }

    #[test]
    fn known_answer() {
        let sealed = seal_head(&MASTER, CHANNEL, POSITION, &head(), &mut rng(1)).unwrap();
        crate::testing::freeze(
            "head.txt",
            "A head slot: `master` opens `sealed` for `channel` in incarnation 1, epoch 7.",
            &[("channel", CHANNEL.as_bytes()), ("master", &MASTER), ("sealed", &sealed)],
        );
        let vector = vector("head.txt");
        let (master, channel) = (vector["master"][..].try_into().unwrap(), vector["channel"][..].try_into().unwrap());
        assert!(same(&open_head(master, channel, POSITION, &vector["sealed"]).unwrap(), &head()));
        assert!(sealed == vector["sealed"]);
    }

    #[test]
    fn it_says_what_the_log_has_made_of_the_group() {
        let place =
            content::GroupPlace { record: Bytes::from_static(b"a record"), generation: 3, ..Default::default() };
        let head = Head { place, ..head() };
        let sealed = seal_head(&MASTER, CHANNEL, POSITION, &head, &mut rng(1)).unwrap();
        assert!(same(&open_head(&MASTER, CHANNEL, POSITION, &sealed).unwrap(), &head));
    }

    #[test]
    fn it_opens_in_its_place_alone() {
        let sealed = seal_head(&MASTER, CHANNEL, POSITION, &head(), &mut rng(1)).unwrap();
        assert!(padding::ENTRY.contains(&sealed.len()));
        let refusal = |master: &[u8; KEY_LEN], channel, position| open_head(master, channel, position, &sealed).err();
        let ciphertext = Some(Flaw::Ciphertext.into());
        assert_eq!(refusal(&MASTER, CHANNEL, POSITION), None);
        assert_eq!(refusal(&[7; KEY_LEN], CHANNEL, POSITION), ciphertext);
        assert_eq!(refusal(&MASTER, ChannelId::new([8; 16]), POSITION), ciphertext);
        assert_eq!(refusal(&MASTER, CHANNEL, Position { epoch: 8, ..POSITION }), ciphertext);
        assert_eq!(refusal(&MASTER, CHANNEL, Position { incarnation: 2, ..POSITION }), ciphertext);

        let mut changed = sealed.to_vec();
        for (version, error) in [(0, Flaw::Malformed.into()), (2, E2eeError::Unsupported)] {
            changed[0] = version;
            assert_eq!(open_head(&MASTER, CHANNEL, POSITION, &changed).err(), Some(error));
        }
        let cut = &sealed[..sealed.len() - 1];
        assert_eq!(open_head(&MASTER, CHANNEL, POSITION, cut).err(), Some(Flaw::Malformed.into()), "no bucket");
        let large = Head { tree: vec![0; 64 << 10].into(), ..head() };
        let sealed = seal_head(&MASTER, CHANNEL, POSITION, &large, &mut rng(1)).unwrap();
        assert_eq!(sealed.len(), 128 << 10);
        assert!(same(&open_head(&MASTER, CHANNEL, POSITION, &sealed).unwrap(), &large));
        let long = Head { tree: vec![0; 8 << 20].into(), ..head() };
        assert_eq!(seal_head(&MASTER, CHANNEL, POSITION, &long, &mut rng(1)).err(), Some(E2eeError::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), sound: bool) {
            let bytes = if sound {
                let mut sealed = [&[VERSION][..], &bytes].concat();
                sealed.resize(padding::ENTRY[1], 0);
                sealed
            } else {
                bytes
            };
            prop_assert!(open_head(&MASTER, CHANNEL, POSITION, &bytes).is_err());
        }
    }
}
