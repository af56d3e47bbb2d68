//! The engine: one home, as the faces see it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rand_core::CryptoRng;
use tokio::{sync::watch, time::Instant};
use undertone_circuit::CallError;
use undertone_wire::{MessageId, account::Account, link::Link};
use zeroize::Zeroizing;

use crate::{
    ClientError, Kind, Result, Rungs,
    db::{
        Db, DbError, DbKey,
        chats::{self, State as ChatState},
        inbox, me, messages, outbox,
    },
    driver::{Driver, Report},
    pace::{Clock, Pace},
    rules::{
        compose, registration,
        registration::Candidate,
        vault::{self, ToPut},
    },
    shared::{Asked, DialerFor, Shared},
    state::State,
    view::{self, ChatSummary, Message, Registered, Request, Sent, Whoami},
};

/// How to open a home.
pub struct Config {
    /// Its folder, which exists. Whoever opens it holds its lock: one process owns a home.
    pub folder: PathBuf,
    /// Protects the key of the database, where it was made with one.
    pub passphrase: Option<Zeroizing<String>>,
    /// Delays.
    pub pace: Pace,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ways to a service.
    pub dialer_for: DialerFor,
    /// Randomness for keys, ids and delays: the system's, but in simulations.
    pub rng: Box<dyn CryptoRng + Send>,
    /// What of the ladder it stands on.
    pub rungs: Rungs,
}

/// An open home. Clones are the same one.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// `send` waits so long for the service, and then leaves the message to the outbox.
pub(crate) const SEND_WAIT: Duration = Duration::from_secs(120);
/// Times that a registration is repeated when its answer was lost.
const REGISTER_TRIES: u32 = 3;

const KEY_FILE: &str = "key";
const DATABASE: &str = "undertone.db";

impl Engine {
    /// Opens a home, and makes its key and database if there are none.
    ///
    /// # Errors
    /// What is wrong with the database, or the passphrase.
    pub fn open(config: Config) -> Result<Self> {
        let mut rng = config.rng;
        let (key_file, database) = (config.folder.join(KEY_FILE), config.folder.join(DATABASE));
        let passphrase = config.passphrase.as_ref().map(|passphrase| passphrase.as_str());
        let key = match (key_file.exists(), database.exists()) {
            (true, _) => DbKey::read(&key_file, passphrase)?,
            (false, false) => DbKey::create(&key_file, passphrase, &mut *rng)?,
            // Without its key the database is lost; a new key would hide that.
            (false, true) => return Err(DbError::KeyFile.into()),
        };
        let state = State::new(Db::open(&database, &key)?, rng, config.rungs);
        let shared = Shared::new(state, config.pace, config.clock, config.dialer_for)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Keeps this home in step with the service, until dropped. One at a time.
    pub async fn run(&self) {
        Driver::new(self.shared.clone()).run().await;
    }

    /// Makes an account at a service.
    ///
    /// # Errors
    /// When there is one already, or the service does not take it; nothing is kept then.
    pub async fn register(&self, link: &str, invite: Option<&str>, name: &str) -> Result<Registered> {
        let link = Link::parse(link)?;
        let candidate = self.shared.write(|tx| registration::candidate(tx, &link, invite, name))?;
        let vault = self.shared.write_quietly(|tx| vault::next(tx, &candidate.own))?;
        let mut tries = 1;
        while let Err(error) = self.try_register(&link, &candidate, vault.as_ref()).await {
            let lost = matches!(error, ClientError::Offline(_)) && tries < REGISTER_TRIES;
            if !lost {
                self.shared.write(|tx| tx.forget_unregistered())?;
                return Err(error);
            }
            tries += 1;
        }
        self.shared.write(|tx| Ok(me::set_registered(tx.db)?))?;
        self.shared.reload_own()?;
        self.shared.wake.notify_one();
        Ok(Registered { words: candidate.words.to_text(), me: self.whoami()? })
    }

    /// Registers, and leaves the vault: whoever loses everything a moment later has lost nothing that his words would not
    /// bring back.
    async fn try_register(&self, link: &Link, candidate: &Candidate, vault: Option<&ToPut>) -> Result<()> {
        // Sent again on another circuit, the same succeeds again.
        let lost = |error| match error {
            CallError::Unknown => ClientError::Offline("its answer was lost"),
            error => error.into(),
        };
        let circuit = self.shared.connect::<Account>(link).await?;
        let request = candidate.request(&circuit.handshake_hash());
        circuit.call(request).await.map_err(lost)?;
        if let Some(ToPut { request, hash }) = vault {
            let revision = request.revision;
            circuit.call(request.clone()).await.map_err(lost)?;
            self.shared.write_quietly(|tx| Ok(me::set_vault(tx.db, revision, Some(hash))?))?;
        }
        self.shared.fetch_first_tokens(&circuit).await;
        Ok(())
    }

    /// Who we are.
    ///
    /// # Errors
    /// Before registration.
    pub fn whoami(&self) -> Result<Whoami> {
        let own = self.shared.own()?;
        self.shared.read(|db| view::whoami(db, &me::load(db)?.ok_or(ClientError::NotRegistered)?, &own.link))
    }

    /// Sends a text. It is kept before anything else happens; then this waits until the service has it, or it is known what
    /// keeps it here.
    ///
    /// # Errors
    /// When it cannot be sent; nothing is kept then.
    pub async fn send(&self, who: &str, text: &str) -> Result<Sent> {
        let id = self.shared.write_quietly(|tx| Ok(MessageId::new(tx.random())))?;
        self.send_as(id, who, text).await
    }

    /// The same under an id that the caller chose, of 16 random bytes. Who does not know whether a message was kept asks
    /// again under its id: it is sent once.
    ///
    /// # Errors
    /// When it cannot be sent; nothing is kept then.
    pub async fn send_as(&self, id: MessageId, who: &str, text: &str) -> Result<Sent> {
        let own = self.shared.own()?;
        let chat = self.shared.write(|tx| compose::text(tx, &own, id, who, text))?;
        let asked = self.shared.ask_for(chat.id);
        let mut changes = self.shared.changes.subscribe();
        let mut reports = self.shared.report.subscribe();
        let deadline = Instant::now() + SEND_WAIT;
        loop {
            let sent = self.sent(chat.id, id)?;
            if !sent.queued {
                return Ok(sent);
            }
            let report = reports.borrow_and_update().clone();
            if let Some(error) = self.obstacle(chat.id, asked, report)? {
                let passes = error.kind() == Kind::Network || matches!(error, ClientError::Mending(_));
                // What cannot even be taken back stays, and goes once it can.
                let kept = passes || !self.take_back(chat.id, id).unwrap_or(false);
                return if kept { Ok(Sent { waits: Some(error), ..sent }) } else { Err(error) };
            }
            let more = tokio::select! {
                biased;
                changed = changes.changed() => changed.is_ok(),
                changed = reports.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(deadline) => false,
            };
            if !more {
                return Ok(sent);
            }
        }
    }

    fn sent(&self, chat: i64, id: MessageId) -> Result<Sent> {
        self.shared.read(|db| {
            let own = me::load(db)?.ok_or(ClientError::NotRegistered)?;
            let message = view::message(db, &own, &messages::load(db, chat, id)?)?;
            Ok(Sent { id: message.id, chat: message.chat, seq: message.seq, queued: message.queued, waits: None })
        })
    }

    /// What keeps a chat from sending: found by a pass that was to send, or for good.
    pub(crate) fn obstacle(&self, chat: i64, asked: Asked, mut report: Report) -> Result<Option<ClientError>> {
        let trouble = self.shared.read(|db| Ok(chats::load(db, chat)?.trouble))?;
        if let Some(words) = view::trouble(trouble) {
            return Ok(Some(match view::mends_itself(trouble) {
                true => ClientError::Mending(words),
                false => ClientError::Trouble(words),
            }));
        }
        let answered = report.asked.pass >= asked.pass;
        Ok(report.refused.remove(&chat).or(report.error).filter(|_| answered))
    }

    /// Forgets a message that the service does not take, and the chat that was only begun for it. False: it is on its way,
    /// so that the service may have it, or have it yet.
    fn take_back(&self, chat: i64, id: MessageId) -> Result<bool> {
        self.shared.write(|tx| {
            let taken_back = outbox::remove_message(tx.db, chat, id)?;
            if taken_back {
                messages::remove(tx.db, chat, id)?;
                chats::remove_if_empty(tx.db, chat)?;
            }
            Ok(taken_back)
        })
    }

    /// Waits for one whole pass that begins now and reads the inbox too.
    ///
    /// # Errors
    /// Why the service was not reached.
    pub async fn sync(&self) -> Result<()> {
        self.shared.own()?;
        let asked = self.shared.ask(true);
        let report = self.wait_for(asked).await;
        report.error.map_or(Ok(()), Err)
    }

    async fn wait_for(&self, asked: Asked) -> Report {
        let mut reports = self.shared.report.subscribe();
        // We hold a sender ourselves, so the wait cannot fail.
        let report = reports.wait_for(|report| report.asked.pass >= asked.pass).await.map(|report| report.clone());
        match report {
            Ok(report) => report,
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether the last pass reached the service; changes as passes go by.
    pub fn online(&self) -> watch::Receiver<bool> {
        let (sender, receiver) = watch::channel(true);
        let mut reports = self.shared.report.subscribe();
        tokio::spawn(async move {
            loop {
                let online = !matches!(reports.borrow_and_update().error, Some(ClientError::Offline(_)));
                sender.send_if_modified(|was| std::mem::replace(was, online) != online);
                tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    changed = reports.changed() => if changed.is_err() { return },
                }
            }
        });
        receiver
    }

    /// What the service does to us that it should not, in words for people; apart from what it does in single chats.
    ///
    /// # Errors
    /// When the database fails.
    pub fn service_trouble(&self) -> Result<Option<&'static str>> {
        self.shared.read(view::service_trouble)
    }

    /// Counts changes that a face may want to show.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// New messages of others, in the order to show them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unshown(&self, limit: u32) -> Result<Vec<Message>> {
        let now = self.shared.now().0;
        self.messages(|db| Ok(messages::unshown(db, now, limit)?))
    }

    /// Notes that a message was shown; it is new no more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_shown(&self, message: &Message) -> Result<()> {
        if let Some(chat) = self.shared.write_quietly(|tx| Ok(messages::set_shown(tx.db, message.n)?))? {
            self.shared.was_shown(chat);
        }
        Ok(())
    }

    /// A whole chat, in its order.
    ///
    /// # Errors
    /// When there is no such chat.
    pub fn history(&self, who: &str) -> Result<Vec<Message>> {
        let chat = self.existing(who)?;
        self.messages(|db| Ok(messages::history(db, chat)?))
    }

    fn messages(
        &self,
        query: impl FnOnce(&rusqlite::Connection) -> Result<Vec<messages::StoredMessage>>,
    ) -> Result<Vec<Message>> {
        self.shared.read(|db| {
            let own = me::load(db)?.filter(|me| me.registered).ok_or(ClientError::NotRegistered)?;
            query(db)?.iter().map(|message| view::message(db, &own, message)).collect()
        })
    }

    fn existing(&self, who: &str) -> Result<i64> {
        let own = self.shared.own()?;
        self.shared.write_quietly(|tx| Ok(compose::any(tx, &own, who)?.id))
    }

    /// Requests of strangers that wait for an answer.
    ///
    /// # Errors
    /// When the database fails.
    pub fn requests(&self) -> Result<Vec<Request>> {
        self.shared.own()?;
        self.shared.read(|db| {
            let chats = chats::all(db)?;
            let waiting = chats.iter().filter(|chat| chat.state == ChatState::Request && !chat.is_group);
            waiting.map(|chat| view::request(db, chat)).collect()
        })
    }

    /// Says yes to a request, or takes a block back. Returns the account id.
    ///
    /// # Errors
    /// When there is no such request.
    pub fn accept(&self, who: &str) -> Result<String> {
        let own = self.shared.own()?;
        let open_from_ms = self.shared.now().plus_ms(self.shared.draw_ms(&self.shared.pace.after_acceptance)).0;
        let account = self.shared.write(|tx| compose::accept(tx, &own, who, open_from_ms))?;
        self.shared.ask(false);
        Ok(account.to_hex())
    }

    /// Hears nothing of somebody any more; he is not told. Returns the account id.
    ///
    /// # Errors
    /// When there is no such chat.
    pub fn block(&self, who: &str) -> Result<String> {
        let own = self.shared.own()?;
        Ok(self.shared.write(|tx| compose::block(tx, &own, who))?.to_hex())
    }

    /// Whether something of ours waits for the service.
    ///
    /// # Errors
    /// When the database fails.
    pub fn waits(&self) -> Result<bool> {
        self.shared.read(|db| Ok(!outbox::chats(db)?.is_empty() || !inbox::next_letters(db)?.is_empty()))
    }

    /// All chats.
    ///
    /// # Errors
    /// When the database fails.
    pub fn chats(&self) -> Result<Vec<ChatSummary>> {
        let own = self.shared.own()?;
        self.shared.read(|db| chats::all(db)?.iter().map(|chat| view::summary(db, own.account, chat)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, io::ErrorKind, pin::pin};

    use rand::rngs::StdRng;
    use tempfile::TempDir;
    use undertone_circuit::{DialError, Dialer, Dialing};
    use undertone_wire::link::{Pin, Scheme};

    use super::*;
    use crate::SystemClock;

    struct Nowhere;

    impl Dialer for Nowhere {
        fn dial(&self) -> Dialing<'_> {
            Box::pin(ready(Err(DialError(ErrorKind::ConnectionRefused))))
        }
    }

    /// With an account, and without a driver.
    fn home(folder: &TempDir) -> Engine {
        let engine = Engine::open(Config {
            folder: folder.path().to_owned(),
            passphrase: None,
            pace: Pace::eager(),
            clock: Arc::new(SystemClock),
            dialer_for: Arc::new(|_| Arc::new(Nowhere)),
            rng: Box::new(rand::make_rng::<StdRng>()),
            rungs: Rungs::of_this_release(),
        })
        .unwrap();
        let link =
            Link { scheme: Scheme::Tcp, endpoint: "localhost:1".to_owned(), pin: Pin::new([7; 32]), account: None };
        let registered = engine.shared.write(|tx| {
            registration::candidate(tx, &link, None, "Ana")?;
            Ok(me::set_registered(tx.db)?)
        });
        registered.and_then(|()| engine.shared.reload_own()).unwrap();
        engine
    }

    /// Who is told that nothing was kept writes again, and would be read twice.
    #[tokio::test]
    async fn what_cannot_be_taken_back_waits() {
        let folder = tempfile::tempdir().unwrap();
        let engine = home(&folder);
        let set_full = |full: bool| {
            engine.shared.read(|db| db.pragma_update(None, "query_only", full).map_err(|_| ClientError::Busy)).unwrap()
        };
        for (full, kept) in [(true, true), (false, false)] {
            let mut sending = pin!(engine.send("Ana", "hello"));
            tokio::select! {
                biased;
                _ = &mut sending => panic!("nobody has tried to send it"),
                () = ready(()) => {}
            }
            set_full(full);
            let (asked, error) = (engine.shared.asked(), Some(DbError::Disk.into()));
            engine.shared.report.send_replace(Report { asked, error, ..Report::default() });
            let sent = sending.await;
            set_full(false);
            assert_eq!(sent.is_ok_and(|sent| sent.queued && sent.waits.is_some()), kept);
            assert_eq!(engine.history("Ana").unwrap().len(), 1, "the first alone");
        }
    }
}
