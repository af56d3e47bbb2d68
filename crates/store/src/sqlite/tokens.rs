//! Spent tokens, in each file.

use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::Week;

use super::{SqliteAccounts, SqliteBlobs, SqliteChannels};
use crate::{Spending, SpentToken, StoreError, Tokens};

/// Ordered by week, so that one week's rows stand, and go, together; within it by a random key.
pub(super) const SCHEMA: &str = "
    CREATE TABLE spent (
        week INTEGER NOT NULL,
        nullifier BLOB NOT NULL,
        request BLOB NOT NULL,
        PRIMARY KEY (week, nullifier)
    ) WITHOUT ROWID, STRICT;";

/// Rows that one change forgets, so that the writer is never held for long.
const FORGOTTEN_AT_ONCE: u32 = 8_192;

fn spend(db: &Connection, tokens: &[SpentToken], request: &[u8; 32]) -> rusqlite::Result<Spending> {
    let mut select = db.prepare_cached("SELECT request FROM spent WHERE week = ?1 AND nullifier = ?2")?;
    let spent_on = |token: &SpentToken| select.query_row((token.week.0, token.nullifier), |row| row.get(0)).optional();
    let spent_on = tokens.iter().map(spent_on).collect::<Result<Vec<_>, _>>()?;
    let spending = Spending::judge(&spent_on, request);
    if spending == Spending::First {
        let mut insert =
            db.prepare_cached("INSERT OR IGNORE INTO spent (week, nullifier, request) VALUES (?1, ?2, ?3)")?;
        for SpentToken { week, nullifier } in tokens {
            insert.execute((week.0, nullifier, request))?;
        }
    }
    Ok(spending)
}

fn spent(db: &Connection, week: Week) -> rusqlite::Result<u64> {
    let mut count = db.prepare_cached("SELECT count(*) FROM spent WHERE week = ?1")?;
    count.query_row([week.0], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// How many rows went; fewer than [`FORGOTTEN_AT_ONCE`]: these were the last.
fn forget(db: &Connection, oldest: Week) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM spent WHERE (week, nullifier) IN
        (SELECT week, nullifier FROM spent WHERE week < ?1 ORDER BY week, nullifier LIMIT ?2)";
    db.prepare_cached(sql)?.execute((oldest.0, FORGOTTEN_AT_ONCE))
}

macro_rules! tokens {
    ($($engine:ident)*) => {$(
        impl Tokens for $engine {
            async fn spend(&self, tokens: Vec<SpentToken>, request: [u8; 32]) -> Result<Spending, StoreError> {
                self.engine.change(move |db| spend(db, &tokens, &request)).await
            }

            async fn spent(&self, week: Week) -> Result<u64, StoreError> {
                self.engine.read(move |db| spent(db, week)).await
            }

            async fn forget_spent(&self, oldest: Week) -> Result<(), StoreError> {
                while self.engine.change(move |db| forget(db, oldest)).await? == FORGOTTEN_AT_ONCE as usize {}
                Ok(())
            }
        }
    )*};
}

tokens!(SqliteAccounts SqliteChannels SqliteBlobs);
