//! What the faces ask about people: profiles, what is told without words, and what a stranger wrote.

use tokio::sync::broadcast;
use undertone_wire::{Message as _, content::SealedContent, ladder, objects::Report};

use crate::{
    ClientError, Engine, Result,
    db::{evidence, me},
    rules::{compose, profiles, receipts, typing as typing_rules},
    view::{self, Profile, ProfileChange, Settings, Typing},
};

impl Engine {
    /// What we say of ourselves.
    ///
    /// # Errors
    /// Before registration.
    pub fn profile(&self) -> Result<Profile> {
        self.shared.own()?;
        self.shared.read(|db| view::our_profile(db, &me::load(db)?.ok_or(ClientError::NotRegistered)?))
    }

    /// Says something else of ourselves. Those whom we talk to hear of it as the pace allows.
    ///
    /// # Errors
    /// When a part is longer than it may be, or the name none that can be.
    pub fn set_profile(&self, change: &ProfileChange) -> Result<Profile> {
        let own = self.shared.own()?;
        self.shared.write(|tx| profiles::set(tx, &own, change))?;
        self.shared.reload_own()?;
        self.profile()
    }

    /// What somebody says of himself, as far as we know.
    ///
    /// # Errors
    /// When there is no such chat.
    pub fn profile_of(&self, who: &str) -> Result<Profile> {
        let own = self.shared.own()?;
        let peer = self.shared.write_quietly(|tx| Ok(compose::existing(tx, &own, who, compose::is_company)?.peer))?;
        if peer == own.account {
            return self.profile();
        }
        self.shared.read(|db| view::profile_of(db, peer))
    }

    /// What we tell without saying anything.
    ///
    /// # Errors
    /// Before registration.
    pub fn settings(&self) -> Result<Settings> {
        self.shared.own()?;
        let me::Settings { receipts, typing } = self.shared.read(|db| Ok(me::settings(db)?))?;
        Ok(Settings { receipts, typing })
    }

    /// Changes it, on all our devices.
    ///
    /// # Errors
    /// Before registration.
    pub fn set_settings(&self, Settings { receipts, typing }: Settings) -> Result<()> {
        let own = self.shared.own()?;
        self.shared.write(|tx| receipts::set(tx, &own, me::Settings { receipts, typing }))
    }

    /// Tells the other of a chat that we write just now, or do not any more, if he is there. Nothing else comes of it.
    ///
    /// # Errors
    /// When there is no such chat, or it is told to nobody.
    pub fn typing(&self, who: &str, typing: bool) -> Result<()> {
        let own = self.shared.own()?;
        let chat = self.shared.write_quietly(|tx| typing_rules::chat(tx, &own, who))?;
        self.shared.set_typing(chat, typing);
        Ok(())
    }

    /// Who writes just now, from now on.
    pub fn typings(&self) -> broadcast::Receiver<Typing> {
        self.shared.typings.subscribe()
    }

    /// The letters of a stranger that are kept, each an `objects.Report`: they prove to everybody who wrote them, to whom,
    /// and what.
    ///
    /// # Errors
    /// When there are none.
    pub fn reports(&self, who: &str) -> Result<Vec<Vec<u8>>> {
        let own = self.shared.own()?;
        let is_stranger = |state| !compose::is_company(state);
        let chat = self.shared.write_quietly(|tx| compose::existing(tx, &own, who, is_stranger))?;
        let letters = self.shared.read(|db| Ok(evidence::of(db, chat.id)?))?;
        let report = |letter| {
            // What does not parse was never kept.
            let SealedContent { device_list, device, letter, signature, .. } =
                SealedContent::decode(letter).unwrap_or_default();
            let recipient = own.account.into();
            Report { version: ladder::OBJECTS, recipient, device_list, device, letter, signature }.encode_to_vec()
        };
        let reports: Vec<_> = letters.into_iter().map(report).collect();
        if reports.is_empty() { Err(ClientError::NothingToReport) } else { Ok(reports) }
    }
}
