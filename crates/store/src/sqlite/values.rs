//! All that stands in the file of an account, value by value.

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, Params, Row, types::ValueRef};
use undertone_wire::AccountId;

use super::partition::Partition;
use crate::{Value, published::Publishing};

/// Tables with rows of accounts, each with the order of its rows.
const TABLES: [(&str, &str); 13] = [
    ("accounts", "account"),
    ("recoveries", "recovery_key"),
    ("devices", "device"),
    ("key_packages", "device, number"),
    ("last_resorts", "device"),
    ("vaults", "account"),
    ("profiles", "account"),
    ("suspended", "account"),
    ("issued", "week, request"),
    ("listings", "element"),
    ("claims", "element"),
    ("lookups", "account"),
    ("inbox", "seq"),
];

pub(super) fn publish(db: &Connection, account: AccountId, out: &mut Publishing) -> rusqlite::Result<()> {
    for (table, order) in TABLES {
        let sql = format!("SELECT * FROM {table} WHERE account = ?1 ORDER BY {order}");
        rows(&mut db.prepare_cached(&sql)?, table, [account.as_bytes()], out)?;
    }
    for partition in Partition::all(db)? {
        let (ids, bodies) = (partition.ids(), partition.bodies());
        let sql = format!("SELECT * FROM {ids} WHERE log = ?1 ORDER BY id");
        rows(&mut db.prepare_cached(&sql)?, &ids, [account.as_bytes()], out)?;
        let sql = format!(
            "SELECT {bodies}.* FROM inbox JOIN {bodies} ON key = body_key WHERE account = ?1 AND expiry_day = ?2 ORDER BY seq"
        );
        rows(&mut db.prepare_cached(&sql)?, &bodies, (account.as_bytes(), partition.day().0), out)?;
    }
    Ok(())
}

fn rows(
    select: &mut CachedStatement<'_>,
    table: &str,
    parameters: impl Params,
    out: &mut Publishing,
) -> rusqlite::Result<()> {
    let columns: Vec<_> = select.column_names().map(str::to_owned).collect();
    let mut rows = select.query(parameters)?;
    while let Some(row) = rows.next()? {
        for (place, column) in columns.iter().enumerate() {
            out.value(table, column, || value(row, place))?;
        }
    }
    Ok(())
}

fn value(row: &Row<'_>, place: usize) -> rusqlite::Result<Value> {
    Ok(match row.get_ref(place)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Number(number.cast_unsigned()),
        // No table of ours has other types.
        other => Value::Data(Bytes::copy_from_slice(other.as_bytes().unwrap_or_default())),
    })
}
