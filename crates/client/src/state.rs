//! The one mutable thing of a home: its database, and the randomness that goes with a change of it.

use rand_core::CryptoRng;
use rusqlite::Connection;
use undertone_e2ee::{KeyValue, KeyValueError, Loaded};
use undertone_wire::Now;
use zeroize::Zeroizing;

use crate::{
    Result, Rungs,
    db::{self, Db, DbError, me, mls},
    verified::Verified,
};

/// Database and randomness.
pub(crate) struct State {
    db: Db,
    rng: Box<dyn CryptoRng + Send>,
    rungs: Rungs,
    verified: Verified,
    loaded: Loaded,
}

/// One transaction: what the rules work with.
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) rng: &'a mut (dyn CryptoRng + Send),
    pub(crate) now: Now,
    pub(crate) rungs: &'a Rungs,
    pub(crate) verified: &'a Verified,
    loaded: &'a Loaded,
}

impl State {
    pub(crate) fn new(db: Db, rng: Box<dyn CryptoRng + Send>, rungs: Rungs) -> Self {
        Self { db, rng, rungs, verified: Verified::default(), loaded: Loaded::default() }
    }

    /// Does all of `work` or nothing.
    pub(crate) fn write<T>(&mut self, now: Now, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.transact(now, work, false)
    }

    /// The same, for what the service gives again if it is lost with the machine's power ([`Db::write_lazily`]).
    pub(crate) fn write_lazily<T>(&mut self, now: Now, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.transact(now, work, true)
    }

    fn transact<T>(&mut self, now: Now, work: impl FnOnce(&mut Tx<'_>) -> Result<T>, lazily: bool) -> Result<T> {
        let Self { db, rng, rungs, verified, loaded } = self;
        // It comes back with the transaction, and goes with it: also where that ends in a panic.
        let kept = std::mem::take(loaded);
        let work = |db: &Connection| work(&mut Tx { db, rng: rng.as_mut(), now, rungs, verified, loaded: &kept });
        let value = if lazily { db.write_lazily(work)? } else { db.write(work)? };
        *loaded = kept;
        Ok(value)
    }

    /// Looks.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.db.read(work)
    }

    /// Randomness for what is no change of the database.
    pub(crate) fn rng(&mut self) -> &mut (dyn CryptoRng + Send) {
        self.rng.as_mut()
    }
}

impl<'a> Tx<'a> {
    /// Does `work`, and takes back what it wrote if it fails ([`db::attempt`]).
    pub(crate) fn attempt<T, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Result<T, E>, DbError> {
        let outcome = db::attempt(self.db, || work(self));
        if !matches!(outcome, Ok(Ok(_))) {
            self.loaded.clear();
        }
        outcome
    }

    /// Where MLS keeps its secrets.
    pub(crate) fn mls(&self) -> MlsStore<'a> {
        MlsStore { db: self.db, loaded: self.loaded }
    }

    /// As [`me::forget_unregistered`], in memory as well.
    pub(crate) fn forget_unregistered(&self) -> Result<()> {
        self.loaded.clear();
        Ok(me::forget_unregistered(self.db)?)
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// `e2ee`'s store over an open transaction.
pub(crate) struct MlsStore<'a> {
    db: &'a Connection,
    loaded: &'a Loaded,
}

impl KeyValue for MlsStore<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError> {
        mls::get(self.db, key).map_err(|_| KeyValueError)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        mls::put(self.db, key, value).map_err(|_| KeyValueError)
    }

    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError> {
        mls::delete(self.db, key).map_err(|_| KeyValueError)
    }

    fn loaded(&self) -> Option<&Loaded> {
        Some(self.loaded)
    }
}
