//! The address book, what of it was looked up, and what that took.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_credentials::voprf::SecretScalar;
use undertone_discovery::DiscoverySecret;
use undertone_wire::{AccountId, Identifier};
use zeroize::Zeroizing;

use super::{DbError, Result};

/// An identifier that was evaluated.
pub(crate) struct Known {
    pub(crate) identifier: Vec<u8>,
    pub(crate) secret: DiscoverySecret,
    /// Who was found there, by the changes up to this day; none: it was not asked for yet.
    pub(crate) as_of: Option<u32>,
}

/// A line of the address book.
pub(crate) struct Line {
    pub(crate) contact: String,
    pub(crate) identifier: Identifier,
    pub(crate) account: Option<AccountId>,
    /// Whether it was looked up.
    pub(crate) asked: bool,
}

/// Writes somebody into the address book.
pub(crate) fn put(db: &Connection, contact: &str, identifier: &Identifier) -> Result<()> {
    let bytes = identifier.bytes();
    db.prepare_cached("INSERT OR IGNORE INTO identifiers(identifier) VALUES (?1)")?.execute([&bytes])?;
    db.prepare_cached("INSERT OR IGNORE INTO address_book(contact, identifier) VALUES (?1, ?2)")?
        .execute(params![contact, bytes])?;
    Ok(())
}

/// The address book, in its order.
pub(crate) fn lines(db: &Connection) -> Result<Vec<Line>> {
    let mut statement = db.prepare_cached(
        "SELECT contact, identifier, account, as_of IS NOT NULL FROM address_book JOIN identifiers USING (identifier)
         ORDER BY n",
    )?;
    let lines = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, account(row, 2)?, row.get(3)?)))?;
    lines
        .map(|line| {
            let (contact, bytes, account, asked): (_, Vec<u8>, _, _) = line?;
            Ok(Line { contact, identifier: identifier(&bytes)?, account, asked })
        })
        .collect()
}

fn account(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<AccountId>> {
    Ok(row.get::<_, Option<_>>(at)?.map(AccountId::new))
}

/// As it was stored.
pub(super) fn identifier(bytes: &[u8]) -> Result<Identifier> {
    Identifier::from_bytes(bytes).map_err(|_| DbError::Damaged)
}

/// Whom the address book calls so, or has found under this.
pub(crate) fn accounts_of(db: &Connection, who: &str) -> Result<Vec<AccountId>> {
    let identifier = match who {
        _ if who.starts_with('@') => Identifier::username(who),
        _ => Identifier::phone(who).or_else(|_| Identifier::email(who)),
    };
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT account FROM address_book JOIN identifiers USING (identifier)
         WHERE (contact = ?1 OR identifier = ?2) AND account IS NOT NULL ORDER BY account",
    )?;
    let identifier = identifier.map(|identifier| identifier.bytes()).unwrap_or_default();
    let accounts = statement.query_map(params![who, identifier], |row| row.get(0).map(AccountId::new))?;
    Ok(accounts.collect::<Result<_, _>>()?)
}

/// What the address book calls somebody, if it does.
pub(crate) fn contact_of(db: &Connection, account: AccountId) -> Result<Option<String>> {
    Ok(db
        .prepare_cached(
            "SELECT contact FROM address_book JOIN identifiers USING (identifier) WHERE account = ?1 ORDER BY n LIMIT 1",
        )?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Forgets somebody of the address book, or everybody. How many lines that were.
pub(crate) fn forget(db: &Connection, contact: Option<&str>) -> Result<usize> {
    let forgotten = match contact {
        Some(contact) => db.execute("DELETE FROM address_book WHERE contact = ?1", [contact])?,
        None => db.execute("DELETE FROM address_book", ())?,
    };
    db.execute("DELETE FROM identifiers WHERE identifier NOT IN (SELECT identifier FROM address_book)", ())?;
    if contact.is_none() {
        db.execute_batch("DELETE FROM evaluations; DELETE FROM downloads;")?;
    }
    Ok(forgotten)
}

/// Identifiers that were not evaluated under a directory key, of which some may be under way: at most so many.
pub(crate) fn unevaluated(db: &Connection, key: &[u8; 32], limit: usize) -> Result<Vec<Vec<u8>>> {
    let query = "SELECT identifier FROM identifiers WHERE key IS NULL OR key <> ?1 LIMIT ?2";
    let mut statement = db.prepare_cached(query)?;
    let identifiers = statement.query_map(params![key, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(identifiers)
}

/// Whether one was evaluated under a directory key.
pub(crate) fn is_evaluated(db: &Connection, identifier: &Identifier, key: &[u8; 32]) -> Result<bool> {
    let query = "SELECT EXISTS(SELECT 1 FROM identifiers WHERE identifier = ?1 AND key = ?2)";
    Ok(db.prepare_cached(query)?.query_row(params![identifier.bytes(), key], |row| row.get(0))?)
}

/// An identifier was evaluated. Under another key it is asked for anew; till then what was known is.
pub(crate) fn set_evaluated(
    db: &Connection,
    identifier: &[u8],
    key: &[u8; 32],
    secret: &DiscoverySecret,
) -> Result<()> {
    db.prepare_cached("UPDATE identifiers SET secret = ?2, key = ?3, as_of = NULL WHERE identifier = ?1")?
        .execute(params![identifier, secret.as_bytes(), key])?;
    Ok(())
}

/// Those that were evaluated under a directory key.
pub(crate) fn known(db: &Connection, key: &[u8; 32]) -> Result<Vec<Known>> {
    let query = "SELECT identifier, secret, as_of FROM identifiers WHERE key = ?1 ORDER BY identifier";
    let mut statement = db.prepare_cached(query)?;
    let known = statement.query_map([key], |row| {
        let secret = Zeroizing::new(row.get::<_, [u8; 32]>(1)?);
        Ok(Known { identifier: row.get(0)?, secret: DiscoverySecret::new(*secret), as_of: row.get(2)? })
    })?;
    Ok(known.collect::<Result<_, _>>()?)
}

/// Who is listed under an identifier, as of a day.
pub(crate) fn set_found(db: &Connection, identifier: &[u8], account: Option<AccountId>, as_of: u32) -> Result<()> {
    db.prepare_cached("UPDATE identifiers SET account = ?2, as_of = ?3 WHERE identifier = ?1")?.execute(params![
        identifier,
        account.map(|account| *account.as_bytes()),
        as_of
    ])?;
    Ok(())
}

/// Likewise, where nothing has changed.
pub(crate) fn set_as_of(db: &Connection, identifier: &[u8], as_of: u32) -> Result<()> {
    db.prepare_cached("UPDATE identifiers SET as_of = ?2 WHERE identifier = ?1")?
        .execute(params![identifier, as_of])?;
    Ok(())
}

/// What is being evaluated, in its order: inputs with their blinds.
pub(crate) fn evaluations(db: &Connection) -> Result<Vec<(Vec<u8>, SecretScalar)>> {
    let mut statement = db.prepare_cached("SELECT input, blind FROM evaluations ORDER BY n")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, Zeroizing::new(row.get::<_, [u8; 32]>(1)?))))?;
    rows.map(|row| {
        let (input, blind) = row?;
        Ok((input, SecretScalar::from_bytes(&blind).map_err(|_| DbError::Damaged)?))
    })
    .collect()
}

/// Notes what is going to be evaluated.
pub(crate) fn put_evaluation(db: &Connection, input: &[u8], blind: &SecretScalar) -> Result<()> {
    db.prepare_cached("INSERT INTO evaluations(input, blind) VALUES (?1, ?2)")?
        .execute(params![input, &blind.to_bytes()[..]])?;
    Ok(())
}

/// Nothing is being evaluated.
pub(crate) fn forget_evaluations(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM evaluations", ())?;
    Ok(())
}

/// How many parts of something are here, from the first without a gap.
pub(crate) fn parts(db: &Connection, hash: &[u8; 32]) -> Result<u32> {
    Ok(db.prepare_cached("SELECT count(*) FROM downloads WHERE hash = ?1")?.query_row([hash], |row| row.get(0))?)
}

/// Keeps the next part.
pub(crate) fn put_part(db: &Connection, hash: &[u8; 32], part: u32, bytes: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO downloads(hash, part, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![hash, part, bytes])?;
    Ok(())
}

/// All parts of something, as one.
pub(crate) fn whole(db: &Connection, hash: &[u8; 32]) -> Result<Bytes> {
    let mut statement = db.prepare_cached("SELECT bytes FROM downloads WHERE hash = ?1 ORDER BY part")?;
    let parts = statement.query_map([hash], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(parts.concat().into())
}

/// Forgets something that was downloaded.
pub(crate) fn forget_whole(db: &Connection, hash: &[u8; 32]) -> Result<()> {
    db.prepare_cached("DELETE FROM downloads WHERE hash = ?1")?.execute([hash])?;
    Ok(())
}

/// Forgets all but these.
pub(crate) fn keep_only(db: &Connection, hashes: &[[u8; 32]]) -> Result<()> {
    let mut statement = db.prepare_cached("SELECT DISTINCT hash FROM downloads")?;
    let held = statement.query_map((), |row| row.get::<_, [u8; 32]>(0))?.collect::<Result<Vec<_>, _>>()?;
    for hash in held.iter().filter(|hash| !hashes.contains(hash)) {
        forget_whole(db, hash)?;
    }
    Ok(())
}
