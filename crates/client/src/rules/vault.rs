//! The vault: what comes back with the recovery words. The service keeps it, sealed, beside the account.
//!
//! All our devices keep it alike; who finds that it was changed meanwhile writes over it with what he knows, which by way
//! of the chat with ourselves is what all know.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_e2ee::{E2eeError, seal_vault};
use undertone_wire::{
    Message as _,
    account::PutVaultRequest,
    content::{Seen, Standing, Vault, VaultChat},
    ladder,
};

use crate::{
    Result,
    db::{
        DbError,
        chats::{self, Chat, State},
        me,
    },
    own::Own,
    rules::{groups, heads, sync},
    state::Tx,
};

/// A vault to be put.
pub(crate) struct ToPut {
    pub(crate) request: PutVaultRequest,
    /// Of its content.
    pub(crate) hash: [u8; 32],
}

/// What is to be put into the vault; none if the service has it as it is, or this home has no vault key.
pub(crate) fn next(tx: &mut Tx<'_>, own: &Own) -> Result<Option<ToPut>> {
    let me = me::load(tx.db)?.ok_or(DbError::Damaged)?;
    let Some(key) = me.vault_key.as_ref().filter(|_| own.may_sign()) else { return Ok(None) };
    let vault = content(tx, own)?;
    // What was seen of a log changes all the time: it is told with the rest, and is no reason to tell.
    let mut lasting = vault.clone();
    lasting.chats.iter_mut().for_each(|chat| chat.head = None);
    lasting.groups.iter_mut().for_each(|group| group.head = None);
    let hash: [u8; 32] = Sha256::digest(lasting.encode_to_vec()).into();
    if me.vault_hash == Some(hash) {
        return Ok(None);
    }
    let number = own.list.order().identity_number;
    let sealed: Bytes = match seal_vault(key, own.account, number, &vault.encode_to_vec(), &mut tx.rng) {
        Err(E2eeError::TooLong) => {
            tracing::warn!("there are too many contacts for the vault; it stays as it is");
            return Ok(None);
        }
        sealed => sealed?,
    };
    let request = PutVaultRequest { revision: me.vault_revision.saturating_add(1), sealed };
    Ok(Some(ToPut { request, hash }))
}

fn content(tx: &Tx<'_>, own: &Own) -> Result<Vault> {
    let mut vault = Vault { version: ladder::OBJECTS, shared: Some(sync::shared(tx)?), ..Vault::default() };
    for chat in chats::all(tx.db)? {
        if chat.is_group {
            vault.groups.extend(groups::known(tx, &chat)?);
            continue;
        }
        if chat.peer != own.account {
            // Device lists are the bulk, and can be fetched.
            vault.contacts.push(Standing { device_list: Bytes::new(), ..sync::standing(tx, chat.peer)? });
        }
        if matches!(chat.state, State::Open | State::Invited) {
            vault.chats.extend(kept(&chat));
        }
    }
    Ok(vault)
}

fn kept(chat: &Chat) -> Option<VaultChat> {
    let channel = chat.channel.as_ref()?;
    let nothing = Seen { chain: Bytes::copy_from_slice(channel.chain.as_bytes()), seq: channel.seq, ..Seen::default() };
    Some(VaultChat {
        peer: chat.peer.into(),
        channel: channel.id.into(),
        generation: channel.generation,
        generation_secret: channel.generation_secret.to_vec().into(),
        part: channel.part,
        inviter: channel.inviter.into(),
        head: Some(heads::seen(chat).unwrap_or(nothing)),
    })
}
