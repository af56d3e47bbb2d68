//! Visits: acts as nobody, each on a circuit of its own that ends with it.

use std::sync::Arc;

use tokio::time::Instant;
use undertone_circuit::CallError;
use undertone_wire::{
    AccountId,
    circuit::Code,
    paid::Paid,
    rpc::Call,
    visitor::{DeliverRequest, FetchContactReply, FetchContactRequest, Visitor},
};

use super::Driver;
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State, Trouble},
        inbox, stock,
    },
    own::Own,
    rules::{
        self,
        begin::{self, Fetched},
        letters::{self, KeyAge, Written},
    },
};

/// Times that an id for a channel is tried: one that is taken has not come about by chance.
const CHANNEL_TRIES: u32 = 3;

impl Driver {
    /// Begins new chats, and those that are to go on in a fresh channel; writes letters, and delivers them.
    pub(super) async fn visits(&mut self, own: &Arc<Own>) -> Result<()> {
        for chat in self.shared.read(|db| Ok(chats::all(db)?))?.into_iter().filter(|chat| !chat.is_group) {
            let wanted = self.shared.write_quietly(|tx| begin::is_wanted(tx, own, &chat))?;
            let outcome = match chat.state {
                _ if chat.trouble.is_proven() => continue,
                _ if wanted => self.begin(own, &chat).await,
                State::Invited if chat.trouble == Trouble::None => self.write_letters(own, &chat).await,
                State::Open if chat.restart && chat.trouble == Trouble::None => self.restart(own, &chat).await,
                _ => continue,
            };
            self.contain(chat.id, outcome)?;
        }
        self.seal_posts(own).await?;
        self.deliver(own).await
    }

    /// Seals the letters that wait for it.
    async fn seal_posts(&mut self, own: &Arc<Own>) -> Result<()> {
        for post in self.shared.read(|db| Ok(inbox::posts(db)?))? {
            let chat = self.shared.read(|db| Ok(chats::load(db, post.chat)?))?;
            let sealed = async {
                if self.shared.write(|tx| letters::seal_post(tx, own, &post, KeyAge::Fresh))? == Written::NeedsKey {
                    let fetched = self.fetch(own, post.recipient.unwrap_or(chat.peer)).await?;
                    self.shared.write(|tx| fetched.keep(tx, own))?;
                    self.shared.write(|tx| letters::seal_post(tx, own, &post, KeyAge::Any))?;
                }
                Ok(())
            };
            let sealed = sealed.await;
            self.contain(chat.id, sealed)?;
        }
        Ok(())
    }

    async fn begin(&mut self, own: &Arc<Own>, chat: &Chat) -> Result<()> {
        if self.shared.read(|db| Ok(stock::ready(db)?.is_empty()))? {
            // Before the keys are fetched, which costs something each time.
            self.make_channel(own).await?;
        }
        let alone = chat.peer == own.account && own.list.devices().len() == 1;
        let fetched = if alone { None } else { Some(self.fetch(own, chat.peer).await?) };
        for _ in 0..CHANNEL_TRIES {
            if self.shared.write(|tx| begin::begin(tx, own, chat, fetched.as_ref()))? {
                self.open_later(chat.id)?;
                return self.write_letters(own, chat).await;
            }
            self.make_channel(own).await?;
        }
        Err(ClientError::Busy)
    }

    /// A chat that has just begun in a channel which is not open yet opens it after a while: its invitation is about to be
    /// delivered, and nobody else knows of the channel before.
    fn open_later(&mut self, chat: i64) -> Result<()> {
        let chat = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
        let Some(channel) = chat.channel.as_ref().filter(|_| chat.state == State::Invited) else { return Ok(()) };
        if self.lines.is_open(self.lines.index(channel.id), channel.id) {
            return Ok(());
        }
        let open_from_ms = self.shared.now().plus_ms(self.shared.draw_ms(&self.shared.pace.before_opening)).0;
        self.shared.write(|tx| Ok(chats::set_open_from(tx.db, chat.id, open_from_ms)?))
    }

    /// Moves a chat on to a better suite.
    async fn restart(&mut self, own: &Arc<Own>, chat: &Chat) -> Result<()> {
        let fetched = if chat.peer == own.account { None } else { Some(self.fetch(own, chat.peer).await?) };
        self.shared.write(|tx| crate::rules::outbox::restart(tx, own, chat.id, fetched.as_ref()))
    }

    /// Puts everything that waits into letters.
    async fn write_letters(&mut self, own: &Arc<Own>, chat: &Chat) -> Result<()> {
        let mut age = KeyAge::Fresh;
        loop {
            match self.shared.write(|tx| letters::write(tx, own, chat.id, None, age))? {
                Written::Letter => {}
                Written::Nothing => return Ok(()),
                Written::NeedsKey if age == KeyAge::Any => {
                    return Err(ClientError::Refused("it gave keys that this person did not sign"));
                }
                Written::NeedsKey => {
                    let fetched = self.fetch(own, chat.peer).await?;
                    self.shared.write(|tx| fetched.keep(tx, own))?;
                    age = KeyAge::Any;
                }
            }
        }
    }

    async fn fetch(&mut self, own: &Own, account: AccountId) -> Result<Fetched> {
        Fetched::check(account, &self.fetch_reply(own, account).await?)
    }

    /// The same, unchecked.
    pub(super) async fn fetch_reply(&mut self, own: &Own, account: AccountId) -> Result<FetchContactReply> {
        let request = FetchContactRequest { account: account.into(), ..FetchContactRequest::default() };
        match self.pay(own, request).await? {
            Ok(reply) => Ok(reply),
            Err(CallError::Refused(fault)) if fault.code() == Code::NotFound => Err(ClientError::NoSuchAccount),
            Err(error) => Err(error.into()),
        }
    }

    /// Delivers what is sealed, oldest first, until there is nothing more.
    async fn deliver(&mut self, own: &Own) -> Result<()> {
        loop {
            let letters = self.shared.read(|db| Ok(inbox::next_letters(db)?))?;
            let mut delivered = false;
            for letter in letters {
                let account = match letter.recipient {
                    Some(recipient) => recipient,
                    None => self.shared.read(|db| Ok(chats::load(db, letter.chat)?.peer))?,
                };
                let expiry_day = self.shared.write_quietly(|tx| letters::expiry_day(tx, &letter))?;
                let request = DeliverRequest {
                    account: account.into(),
                    idempotency_id: letter.id.into(),
                    sealed: letter.sealed.into(),
                    expiry_day: expiry_day.0,
                    tokens: Vec::new(),
                };
                let reply = self.pay(own, request).await;
                let outcome = reply.and_then(|reply| Ok(reply.map(drop)?));
                if outcome.is_ok() {
                    self.shared.write(|tx| Ok(inbox::letter_delivered(tx.db, letter.n)?))?;
                    delivered = true;
                }
                self.contain(letter.chat, outcome)?;
            }
            if !delivered {
                return Ok(());
            }
        }
    }

    /// An act of nobody, at a time of its own.
    async fn pay<R>(&mut self, own: &Own, request: R) -> Result<Result<R::Reply, CallError>>
    where
        R: Paid + Call<Service = Visitor>,
    {
        if self.pays_from.is_some_and(|from| from > Instant::now()) {
            return Err(ClientError::NoTokens);
        }
        self.apart().await;
        let paid = self.shared.pay(&own.link, request).await;
        self.touched();
        self.unpaid |= matches!(paid, Err(ClientError::NoTokens));
        paid
    }

    /// Has one more empty channel made.
    pub(super) async fn make_channel(&mut self, own: &Own) -> Result<()> {
        let (channel, request) = self.shared.write(rules::stock::request)?;
        match self.pay(own, request).await? {
            Ok(reply) => {
                // The circuit may have brought the service's parameters.
                let own = self.shared.own()?;
                self.shared.write(|tx| rules::stock::made(tx, &own, channel, &reply))
            }
            Err(CallError::Refused(fault)) if fault.code() == Code::Conflict => {
                self.shared.write(|tx| Ok(stock::forget(tx.db, channel)?))
            }
            Err(error) => Err(error.into()),
        }
    }
}
