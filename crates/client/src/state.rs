//! The one mutable thing of a home: its database, and the randomness that goes with a change of it.

use rand_core::CryptoRng;
use rusqlite::Connection;
use undertone_e2ee::{KeyValue, KeyValueError};
use undertone_wire::Now;
use zeroize::Zeroizing;

use crate::{
    Result, Rungs,
    db::{Db, mls},
    verified::Verified,
};

/// Database and randomness.
pub(crate) struct State {
    db: Db,
    rng: Box<dyn CryptoRng + Send>,
    rungs: Rungs,
    verified: Verified,
}

/// One transaction: what the rules work with.
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) rng: &'a mut (dyn CryptoRng + Send),
    pub(crate) now: Now,
    pub(crate) rungs: &'a Rungs,
    pub(crate) verified: &'a Verified,
}

impl State {
    pub(crate) fn new(db: Db, rng: Box<dyn CryptoRng + Send>, rungs: Rungs) -> Self {
        Self { db, rng, rungs, verified: Verified::default() }
    }

    /// Does all of `work` or nothing.
    pub(crate) fn write<T>(&mut self, now: Now, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let Self { db, rng, rungs, verified } = self;
        db.write(|db| work(&mut Tx { db, rng: rng.as_mut(), now, rungs, verified }))
    }

    /// The same, for what the service gives again if it is lost with the machine's power ([`Db::write_lazily`]).
    pub(crate) fn write_lazily<T>(&mut self, now: Now, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let Self { db, rng, rungs, verified } = self;
        db.write_lazily(|db| work(&mut Tx { db, rng: rng.as_mut(), now, rungs, verified }))
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

impl Tx<'_> {
    /// Random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// `e2ee`'s store over an open transaction.
pub(crate) struct MlsStore<'a>(pub(crate) &'a Connection);

impl KeyValue for MlsStore<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError> {
        mls::get(self.0, key).map_err(|_| KeyValueError)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        mls::put(self.0, key, value).map_err(|_| KeyValueError)
    }

    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError> {
        mls::delete(self.0, key).map_err(|_| KeyValueError)
    }
}
