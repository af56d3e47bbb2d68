//! Device lists: the newest that we know of a person, and those by which a chat's log judges.

use rusqlite::Connection;
use undertone_credentials::DeviceList;
use undertone_wire::AccountId;

use crate::{
    ClientError, Result,
    db::{DbError, chats, contacts, me, members},
    own::Own,
    rules::sync,
    state::Tx,
};

/// Whether a list comes after another of its account.
pub(crate) fn newer(list: &DeviceList, than: &DeviceList) -> bool {
    list.order() > than.order()
}

/// The lists that a chat's log has brought up to where we stand.
pub(crate) fn of_log(tx: &Tx<'_>, chat: i64) -> Result<Vec<DeviceList>> {
    let lists = members::lists(tx.db, chat)?;
    Ok(lists.iter().map(|bytes| tx.verified.list(bytes)).collect::<Result<_, _>>().map_err(|_| DbError::Damaged)?)
}

/// Our own list as it is by now; `own` may be older than what this transaction has done.
pub(crate) fn of_ourselves(tx: &Tx<'_>) -> Result<DeviceList> {
    let current = me::load(tx.db)?.ok_or(DbError::Damaged)?.device_list;
    Ok(tx.verified.list(&current).map_err(|_| DbError::Damaged)?)
}

/// The newest list that we have of another person.
pub(crate) fn of_contact(tx: &Tx<'_>, account: AccountId) -> Result<Option<DeviceList>> {
    let known = contacts::device_list(tx.db, account)?;
    Ok(known.map(|bytes| tx.verified.list(&bytes)).transpose().map_err(|_| DbError::Damaged)?)
}

/// Takes note of a verified list, wherever it came from. A newer one of a person we know obliges us to bring it to the
/// log of our chats.
pub(crate) fn learn(tx: &Tx<'_>, own: &Own, list: &DeviceList) -> Result<()> {
    if list.account() == own.account {
        return adopt(tx, own, list, true);
    }
    let is_newer = of_contact(tx, list.account())?.is_none_or(|known| newer(list, &known));
    if is_newer {
        contacts::set_device_list(tx.db, list.account(), list.encoded())?;
        chats::owe_for(tx.db, list.account())?;
    }
    Ok(())
}

/// Takes on a newer list of our own. `put`: whether the service has it already.
pub(crate) fn adopt(tx: &Tx<'_>, own: &Own, list: &DeviceList, put: bool) -> Result<()> {
    if list.account() != own.account || !newer(list, &of_ourselves(tx)?) {
        return Ok(());
    }
    take_on(tx, own, list, put)
}

/// Gives way to the list that the service has: another of our devices was faster. What ours takes off, if it comes after that
/// one, it takes off that one, and is yet to be put again.
pub(crate) fn give_way(tx: &mut Tx<'_>, list: &DeviceList) -> Result<()> {
    let own = Own::load(tx)?.ok_or(DbError::Damaged)?;
    if list.account() != own.account {
        return Err(ClientError::Refused("it gave the device list of another person"));
    }
    if !newer(&own.list, list) {
        return take_on(tx, &own, list, true);
    }
    if own.list.follows(list) {
        // Whoever was faster was so a moment ago, or nobody was.
        return Ok(());
    }
    let both = own.list.after(list, &own.identity_key).map_err(|_| ClientError::StaleIdentity)?;
    take_on(tx, &own, &both, false)?;
    sync::tell_shared_anew(tx, &own)
}

/// Whether the service has our list. Nobody is told of one that it may never take.
pub(crate) fn is_put(db: &Connection) -> Result<bool> {
    Ok(me::load(db)?.is_none_or(|me| me.list_put))
}

fn take_on(tx: &Tx<'_>, own: &Own, list: &DeviceList, put: bool) -> Result<()> {
    me::set_device_list(tx.db, list.encoded(), put)?;
    for (device, _) in members::cards(tx.db)? {
        if list.device(device).is_none() {
            members::remove_card(tx.db, device)?;
        }
    }
    chats::all_owe(tx.db)?;
    let ours = list.device(own.device).is_some_and(|device| device.key == own.device_key.public());
    if !ours {
        me::set_standing(tx.db, me::Standing::Removed)?;
    }
    Ok(())
}
