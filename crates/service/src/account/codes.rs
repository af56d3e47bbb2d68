//! Codes that show whether somebody has an identifier. They live in memory alone, for minutes: so does the identifier.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Mutex, PoisonError},
};

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use undertone_wire::{
    AccountId, Identifier, Now,
    circuit::{Code, Fault},
};
use zeroize::Zeroizing;

/// A code is good for so long.
const GOOD_MS: u64 = 10 * 60_000;
/// So many wrong ones are heard of: with six digits, one guess in 200,000 is right.
const TRIES: u32 = 5;
/// So many codes go to one identifier, and for one account, in a day: messages cost money, and people their patience.
const SENT_A_DAY: u32 = 5;
/// So many accounts wait for codes at once, and so many identifiers are remembered for a day.
const WAITING_MAX: usize = 10_000;
const DAY_MS: u64 = 86_400_000;

/// A way to whoever has an identifier.
pub trait CodeSender: Send + Sync + 'static {
    /// Sends a code. False: it could not be sent, and the sender has told its operator why.
    fn send<'a>(&'a self, to: &'a Identifier, code: &'a str) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}

/// Codes that were sent and not answered yet.
pub struct Codes {
    sender: Box<dyn CodeSender>,
    state: Mutex<State>,
}

struct State {
    rng: Box<dyn CryptoRng + Send>,
    /// Which identifiers codes went to today is counted under hashes with this salt, which nobody knows.
    salt: [u8; 32],
    waiting: HashMap<AccountId, Waiting>,
    sent: HashMap<[u8; 32], u32>,
    day: u64,
}

struct Waiting {
    identifier: Identifier,
    code: Zeroizing<String>,
    tries: u32,
    until: Now,
}

impl Codes {
    /// None yet, with who sends them.
    pub fn new(sender: Box<dyn CodeSender>, mut rng: impl CryptoRng + Send + 'static) -> Self {
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        let state = State { rng: Box::new(rng), salt, waiting: HashMap::new(), sent: HashMap::new(), day: 0 };
        Self { sender, state: Mutex::new(state) }
    }

    /// Sends a code to an identifier, for an account. The one before it is forgotten.
    pub(super) async fn send(&self, now: Now, account: AccountId, identifier: Identifier) -> Result<(), Fault> {
        let code = self.lock().prepare(now, account, &identifier)?;
        if self.sender.send(&identifier, &code).await {
            return Ok(());
        }
        self.lock().waiting.remove(&account);
        Err(Fault::from(Code::Unavailable).retry_after_ms(60_000))
    }

    /// Whether a code is the one that was sent to this identifier for this account. It stays good until its time is over, so
    /// that a lost answer needs no other.
    pub(super) fn check(&self, now: Now, account: AccountId, identifier: &Identifier, code: &str) -> Result<(), Fault> {
        let mut state = self.lock();
        let Some(waiting) = state.waiting.get_mut(&account) else {
            return Err(Code::NotFound.into());
        };
        if waiting.until.0 < now.0 || waiting.identifier != *identifier || waiting.tries == 0 {
            return Err(Code::NotFound.into());
        }
        if *waiting.code == code {
            return Ok(());
        }
        waiting.tries -= 1;
        Err(Code::Forbidden.into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a code, and makes one up.
    fn prepare(&mut self, now: Now, account: AccountId, identifier: &Identifier) -> Result<Zeroizing<String>, Fault> {
        let today = now.0 / DAY_MS;
        if self.day != today {
            self.sent.clear();
            self.day = today;
        }
        self.waiting.retain(|_, waiting| waiting.until.0 >= now.0);
        let known = |state: &Self, what: &[&[u8]]| -> [u8; 32] {
            what.iter()
                .fold(Sha256::new_with_prefix(state.salt), |hash, part| hash.chain_update(part))
                .finalize()
                .into()
        };
        let counted = [known(self, &[b"to", &identifier.bytes()]), known(self, &[b"for", account.as_bytes()])];
        let over = counted.iter().any(|key| self.sent.get(key).is_some_and(|sent| *sent >= SENT_A_DAY));
        if over || self.waiting.len() >= WAITING_MAX || self.sent.len() >= 2 * WAITING_MAX {
            let rest = u32::try_from(DAY_MS - now.0 % DAY_MS).unwrap_or(u32::MAX);
            return Err(Fault::from(Code::Exhausted).retry_after_ms(rest));
        }
        for key in counted {
            *self.sent.entry(key).or_default() += 1;
        }
        let code = self.six_digits();
        let until = now.plus_ms(GOOD_MS);
        let waiting = Waiting { identifier: identifier.clone(), code: code.clone(), tries: TRIES, until };
        self.waiting.insert(account, waiting);
        Ok(code)
    }

    /// All equally likely.
    fn six_digits(&mut self) -> Zeroizing<String> {
        const CODES: u32 = 1_000_000;
        loop {
            let number = self.rng.next_u32();
            // The last, shorter round through all codes would favour the lower ones.
            if number < u32::MAX - u32::MAX % CODES {
                return Zeroizing::new(format!("{:06}", number % CODES));
            }
        }
    }
}
