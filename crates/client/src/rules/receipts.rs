//! Receipts: how far the other's messages have come, told along with ours, or alone after a while. They say what was
//! read, and never when.
//!
//! They are about messages, and are none: nothing answers them. Strangers get none, nor does who is blocked; and who tells
//! none is shown none.

use undertone_wire::{
    MessageId,
    content::{Receipt, Settings},
};

use crate::{
    Result,
    db::{
        chats::Chat,
        me,
        receipts::{self, Marks, Of},
    },
    own::Own,
    rules::sync,
    state::Tx,
};

/// What is to be told in a chat, if that is more than was told.
pub(crate) fn rider(tx: &Tx<'_>, chat: &Chat) -> Result<Option<Receipt>> {
    if !me::settings(tx.db)?.receipts {
        return Ok(None);
    }
    let told = receipts::marks(tx.db, chat.id, Of::Theirs)?;
    let reached = receipts::reached(tx.db, chat.id, chat.peer)?;
    // Another device of ours may have told more than has come here.
    let marks = Marks {
        delivered: receipts::later(tx.db, chat.id, told.delivered, reached.delivered)?,
        read: receipts::later(tx.db, chat.id, told.read, reached.read)?,
    };
    Ok((marks != told).then(|| receipt(&marks)))
}

fn receipt(marks: &Marks) -> Receipt {
    let bytes = |mark: Option<MessageId>| mark.map(Into::into).unwrap_or_default();
    Receipt { delivered: bytes(marks.delivered), read: bytes(marks.read) }
}

fn marks(receipt: &Receipt) -> Marks {
    let mark = |bytes: &[u8]| MessageId::try_from(bytes).ok();
    Marks { delivered: mark(&receipt.delivered), read: mark(&receipt.read) }
}

/// It was told in a chat, by this device or another.
pub(crate) fn told(tx: &Tx<'_>, own: &Own, chat: i64, receipt: &Receipt) -> Result<()> {
    Ok(receipts::advance(tx.db, chat, own.account, Of::Theirs, &marks(receipt))?)
}

/// The other tells how far ours have come. What he has seen he has, whatever he says of that.
pub(crate) fn heard(tx: &Tx<'_>, own: &Own, chat: i64, receipt: &Receipt) -> Result<()> {
    if !me::settings(tx.db)?.receipts {
        return Ok(());
    }
    let Marks { delivered, read } = marks(receipt);
    for delivered in [delivered, read] {
        receipts::advance(tx.db, chat, own.account, Of::Ours, &Marks { delivered, read: None })?;
    }
    Ok(receipts::advance(tx.db, chat, own.account, Of::Ours, &Marks { delivered: None, read })?)
}

/// Changes what is told, and tells our other devices.
pub(crate) fn set(tx: &mut Tx<'_>, own: &Own, settings: me::Settings) -> Result<()> {
    if settings == me::settings(tx.db)? {
        return Ok(());
    }
    take_settings(tx, own, settings)?;
    sync::tell(tx, own, sync::Kind::Settings(told_settings(settings)))
}

/// As it is told.
pub(crate) fn told_settings(settings: me::Settings) -> Settings {
    Settings { receipts_off: !settings.receipts, typing: settings.typing }
}

/// What holds from now on.
pub(crate) fn take_settings(tx: &Tx<'_>, own: &Own, settings: me::Settings) -> Result<()> {
    let before = me::settings(tx.db)?;
    if settings.receipts && !before.receipts {
        receipts::forget_untold(tx.db, own.account)?;
    }
    Ok(me::set_settings(tx.db, settings)?)
}

/// What another device of ours has told.
pub(crate) fn hear_settings(tx: &Tx<'_>, own: &Own, told: &Settings) -> Result<()> {
    take_settings(tx, own, me::Settings { receipts: !told.receipts_off, typing: told.typing })
}
