//! Visits to our own account: short, alone, and at times of their own.

use undertone_circuit::Circuit;
use undertone_wire::{
    Week,
    account::{Account, AuthenticateReply, ClearInboxRequest, PutInboxKeyRequest, ReadInboxRequest},
    limits,
};

use super::Driver;
use crate::{
    Result,
    db::me,
    own::Own,
    rules::{letters, registration},
};

impl Driver {
    /// Reads our inbox to its end, and leaves fresh keys where the old ones run out.
    pub(super) async fn account(&mut self, own: &Own) -> Result<()> {
        self.apart().await;
        let circuit = self.shared.connect::<Account>(&own.link).await?;
        let standing = circuit.call(registration::authentication(own, &circuit.handshake_hash())).await?;
        let replaced = self.leave_keys(own, &circuit, &standing).await?;
        self.read_inbox(own, &circuit).await?;
        if !replaced {
            self.shared.write_quietly(|tx| registration::forget_old_keys(tx))?;
        }
        drop(circuit);
        self.touched();
        self.inbox_due = self.in_a_while(&self.shared.pace.inbox);
        Ok(())
    }

    /// True: there is a new inbox key, and so there may still be letters on their way that are sealed to the one before.
    async fn leave_keys(&self, own: &Own, circuit: &Circuit<Account>, standing: &AuthenticateReply) -> Result<bool> {
        let replaced = Week(standing.inbox_key_week) < self.shared.now().day().week();
        if replaced {
            let inbox_key = self.shared.write(|tx| registration::weekly_key(tx, own))?;
            circuit.call(PutInboxKeyRequest { inbox_key }).await?;
        }
        if standing.key_packages_left < registration::KEY_PACKAGES_LOW {
            let request = self.shared.write(|tx| registration::key_packages(tx, own, false))?;
            circuit.call(request).await?;
        }
        Ok(replaced)
    }

    async fn read_inbox(&self, own: &Own, circuit: &Circuit<Account>) -> Result<()> {
        let mut after = self.shared.read(|db| Ok(me::load(db)?.map_or(0, |me| me.inbox_cursor)))?;
        // No inbox holds more; what comes while we read can wait.
        for _ in 0..limits::INBOX_ENTRIES_MAX {
            let page = circuit.call(ReadInboxRequest { after, limit: limits::PAGE_ENTRIES_MAX }).await?;
            if page.entries.iter().all(|entry| entry.seq <= after) {
                break;
            }
            let open_from_ms = self.shared.now().plus_ms(self.shared.draw_ms(&self.shared.pace.after_acceptance)).0;
            after = self.shared.write(|tx| letters::take(tx, own, &page.entries, open_from_ms))?;
            if !page.more {
                break;
            }
        }
        if after > 0 {
            circuit.call(ClearInboxRequest { up_to: after }).await?;
        }
        self.shared.write(|tx| Ok(me::set_inbox_read(tx.db, tx.now.0)?))
    }
}
