//! Visits to our own account: short, alone, and at times of their own.

use tokio::time::Instant;
use undertone_circuit::{CallError, Circuit};
use undertone_credentials::DeviceList;
use undertone_wire::{
    Week,
    account::{
        Account, AuthenticateReply, ClearInboxRequest, PutDeviceListRequest, PutInboxKeyRequest, PutKeyPackagesRequest,
        ReadInboxRequest, ReadVaultRequest,
    },
    circuit::Code,
    limits,
    visitor::FetchContactRequest,
};

use super::Driver;
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Trouble},
        inbox, listings, me,
    },
    own::Own,
    rules::{devices, letters, lists, registration, vault},
};

/// Times that our device list gives way to that of another of our devices: each can be faster once, or a few times.
const LIST_TRIES: u32 = 4;
/// Times that the vault is written over what another device has just written.
const VAULT_TRIES: u32 = 3;

impl Driver {
    /// Reads our inbox to its end, and leaves fresh keys where the old ones run out.
    pub(super) async fn account(&mut self, own: &Own) -> Result<()> {
        self.apart().await;
        let circuit = self.shared.connect::<Account>(&own.link).await?;
        let standing = self.authenticate(own, &circuit).await?;
        let issued = self.fetch_tokens(&circuit).await;
        self.shared.write_quietly(|tx| devices::announce(tx, own))?;
        let list_put = self.put_list(&circuit).await?;
        let own = &self.shared.reload_own()?;
        self.shared.fetch_credentials(own, &circuit).await?;
        let replaced = self.leave_keys(own, &circuit, &standing, list_put).await?;
        let (before, after) = self.read_inbox(own, &circuit).await?;
        if !replaced {
            self.shared.write_quietly(|tx| registration::forget_old_keys(tx))?;
        }
        // What came by letter is in the vault before the service forgets it: whoever loses this device finds it in one of them.
        if after > before || Instant::now() >= self.vault_due {
            self.put_vault(&circuit).await?;
        }
        self.sync_profile(&circuit).await?;
        if after > 0 {
            circuit.call(ClearInboxRequest { up_to: after }).await?;
        }
        self.shared.write(|tx| Ok(me::set_inbox_read(tx.db, tx.now.0)?))?;
        drop(circuit);
        self.touched();
        // Who has no chat with himself yet waits for a letter that lets him in.
        let waits = self.shared.read(|db| {
            let own_chat = chats::with(db, own.account)?;
            Ok(own_chat.is_some_and(|chat| matches!(chat.trouble, Trouble::Lost | Trouble::Expired)))
        })?;
        let pace = &self.shared.pace;
        let usual = if self.shared.is_linking() { &pace.inbox_while_linking } else { &pace.inbox };
        self.inbox_due = self.in_a_while(if waits { &pace.retry } else { usual });
        issued
    }

    /// Fetches tokens when it is time to. What has waited for them goes on after a while.
    async fn fetch_tokens(&mut self, circuit: &Circuit<Account>) -> Result<()> {
        self.shared.fetch_tokens(circuit).await?;
        if std::mem::take(&mut self.unpaid) {
            self.pays_from = Some(self.in_a_while(&self.shared.pace.after_tokens));
        }
        Ok(())
    }

    /// Proves which device this is, and that it is the only home of it.
    async fn authenticate(&self, own: &Own, circuit: &Circuit<Account>) -> Result<AuthenticateReply> {
        let hash = circuit.handshake_hash();
        let request = self.shared.write_quietly(|tx| registration::authentication(tx, own, &hash))?;
        match circuit.call(request).await {
            Ok(reply) => {
                self.shared.write_quietly(|tx| {
                    listings::set_claimed(tx.db, reply.listing_claimed)?;
                    Ok(me::set_visited(tx.db)?)
                })?;
                Ok(reply)
            }
            Err(CallError::Refused(fault)) if fault.code() == Code::Conflict => {
                self.shared.write(|tx| Ok(me::set_standing(tx.db, me::Standing::Copied)?))?;
                Err(ClientError::Copied)
            }
            Err(CallError::Refused(fault)) if fault.code() == Code::Unauthenticated => {
                self.look_for_ourselves(own).await?;
                Err(ClientError::NotAccepted)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The service does not accept this device: its account's newest list says whether it was removed.
    async fn look_for_ourselves(&self, own: &Own) -> Result<()> {
        match self.listed(own).await {
            Ok(Some(list)) => self.shared.write(|tx| lists::adopt(tx, own, &list, true)),
            Ok(None) | Err(ClientError::NoTokens) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Our list as the service has it; none if it knows no such account.
    async fn listed(&self, own: &Own) -> Result<Option<DeviceList>> {
        let request = FetchContactRequest { account: own.account.into(), ..FetchContactRequest::default() };
        match self.shared.pay(&own.link, request).await? {
            Ok(reply) => match DeviceList::verify(&reply.device_list) {
                Ok(list) => Ok(Some(list)),
                Err(_) => Err(ClientError::Refused("it gave a device list that we did not sign")),
            },
            Err(CallError::Refused(fault)) if fault.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts our device list where the service does not have it yet. True: it did not.
    async fn put_list(&self, circuit: &Circuit<Account>) -> Result<bool> {
        for tries in 0..LIST_TRIES {
            if self.shared.read(lists::is_put)? {
                return Ok(false);
            }
            let own = &self.shared.reload_own()?;
            match circuit.call(PutDeviceListRequest { device_list: own.list.encoded().clone() }).await {
                Ok(_) => return self.list_was_put(own, circuit, tries > 0).await,
                // Another of our devices was faster.
                Err(CallError::Refused(fault)) if fault.code() == Code::Conflict => {
                    if let Some(list) = self.listed(own).await? {
                        self.shared.write(|tx| lists::give_way(tx, &list))?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(ClientError::Refused("it does not take our device list"))
    }

    /// `anew`: it was made anew after that of another device.
    async fn list_was_put(&self, own: &Own, circuit: &Circuit<Account>, anew: bool) -> Result<bool> {
        self.shared.write(|tx| Ok(me::set_list_put(tx.db, own.list.encoded())?))?;
        let order = own.list.order();
        if own.may_sign() && order.identity_number > 0 && (order.counter == 0 || anew) {
            // Signed by a new identity key: whatever the service has was signed by the former one.
            let inbox_key = self.shared.write(|tx| registration::weekly_key(tx, own))?;
            circuit.call(PutInboxKeyRequest { inbox_key }).await?;
        }
        Ok(true)
    }

    /// Puts the vault where it is not as it should be.
    async fn put_vault(&mut self, circuit: &Circuit<Account>) -> Result<()> {
        let own = self.shared.reload_own()?;
        for _ in 0..VAULT_TRIES {
            let Some(next) = self.shared.write_quietly(|tx| vault::next(tx, &own))? else { break };
            let revision = next.request.revision;
            match circuit.call(next.request).await {
                Ok(_) => self.shared.write_quietly(|tx| Ok(me::set_vault(tx.db, revision, Some(&next.hash))?))?,
                Err(CallError::Refused(fault)) if fault.code() == Code::Conflict => {
                    // Another of our devices wrote; ours goes over it.
                    let there = circuit.call(ReadVaultRequest {}).await?.revision;
                    self.shared.write_quietly(|tx| Ok(me::set_vault(tx.db, there, None)?))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.vault_due = self.in_a_while(&self.shared.pace.vault);
        Ok(())
    }

    /// True: there is a new inbox key, and so there may still be letters on their way that are sealed to the one before.
    /// `list_put`: what our device understands may have changed, and with it what it is added by.
    async fn leave_keys(
        &self,
        own: &Own,
        circuit: &Circuit<Account>,
        standing: &AuthenticateReply,
        list_put: bool,
    ) -> Result<bool> {
        let held = Week(standing.inbox_key_week);
        let week = self.shared.now().day().week();
        let old = own.may_sign() && held < week;
        // By one of a former identity nobody can write to us: not even our own devices, so that they are told of another. But
        // one that they were not told of would be no better.
        let of_former = held == Week(0) && self.shared.read(|db| Ok(inbox::key(db, week)?.is_some()))?;
        let replaced = old && (self.shared.write(|tx| registration::weekly_key_is_shared(tx, own))? || of_former);
        if replaced {
            let inbox_key = self.shared.write(|tx| registration::weekly_key(tx, own))?;
            circuit.call(PutInboxKeyRequest { inbox_key }).await?;
        }
        let card = list_put || self.shared.write_quietly(|tx| registration::card_is_due(tx))?;
        if card || standing.key_packages_left < registration::KEY_PACKAGES_LOW {
            let request = self.shared.write(|tx| registration::key_packages(tx, own, card))?;
            let request = PutKeyPackagesRequest { replace: list_put, ..request };
            let last_resort = request.last_resort.clone();
            circuit.call(request).await?;
            if card {
                self.shared.write(|tx| registration::card_left(tx, own, &last_resort))?;
            }
        }
        Ok(replaced)
    }

    /// Takes in what the inbox holds. Returns up to where it was read before, and now.
    async fn read_inbox(&self, own: &Own, circuit: &Circuit<Account>) -> Result<(u64, u64)> {
        let before = self.shared.read(|db| Ok(me::load(db)?.map_or(0, |me| me.inbox_cursor)))?;
        let mut after = before;
        let open_from_ms = || self.shared.now().plus_ms(self.shared.draw_ms(&self.shared.pace.after_acceptance)).0;
        if self.shared.read(|db| Ok(!inbox::sealed_before_keys(db)?.is_empty()))? {
            let open_from_ms = open_from_ms();
            self.shared.write(|tx| letters::take_kept(tx, own, open_from_ms))?;
        }
        let known = self.shared.read(letters::Before::reading)?;
        // No inbox holds more; what comes while we read can wait.
        for _ in 0..limits::INBOX_ENTRIES_MAX {
            let page = circuit.call(ReadInboxRequest { after, limit: limits::PAGE_ENTRIES_MAX }).await?;
            if page.entries.iter().any(|entry| entry.seq > after) {
                let open_from_ms = open_from_ms();
                after = self.shared.write(|tx| letters::take(tx, own, &page.entries, open_from_ms))?;
            } else if page.more {
                break;
            }
            if !page.more {
                if known.matters() {
                    self.shared.write(|tx| known.was_read(tx))?;
                }
                break;
            }
        }
        Ok((before, after))
    }
}
