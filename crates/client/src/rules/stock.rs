//! Empty channels made ahead.

use undertone_credentials::verify_head;
use undertone_e2ee::Generation;
use undertone_wire::{
    ChannelId, Day,
    chain::Chain,
    visitor::{CreateChannelReply, CreateChannelRequest},
};

use crate::{
    ClientError, Result,
    db::stock::{self, Stocked},
    own::Own,
    rules::heads,
    state::Tx,
};

/// Days after which a channel of the stock is let go, long before the service forgets it.
const STOCK_DAYS: u32 = 5;

/// What is asked of the service to have one more channel: one that it may have made already, or a fresh one.
pub(crate) fn request(tx: &mut Tx<'_>) -> Result<(ChannelId, CreateChannelRequest)> {
    let stocked = match stock::unconfirmed(tx.db)? {
        Some(stocked) => stocked,
        None => fresh(tx)?,
    };
    let generation = Generation::from_secret(*stocked.generation_secret);
    let request = CreateChannelRequest {
        channel: stocked.channel.into(),
        read_key: generation.read_key().public().as_bytes().to_vec().into(),
        write_key: generation.write_key().public().as_bytes().to_vec().into(),
        tokens: Vec::new(),
    };
    Ok((stocked.channel, request))
}

/// The service says that it has made a channel.
///
/// # Errors
/// [`ClientError::BadHead`] when it signs no empty log for it.
pub(crate) fn made(tx: &Tx<'_>, own: &Own, channel: ChannelId, reply: &CreateChannelReply) -> Result<()> {
    let head = reply.head.as_ref().ok_or(ClientError::BadHead)?;
    let verified = verify_head(heads::head_key(own)?, head).map_err(|_| ClientError::BadHead)?;
    let empty = (verified.channel(), verified.seq(), *verified.chain()) == (channel, 0, Chain::start(channel));
    if empty { Ok(stock::made(tx.db, channel, head)?) } else { Err(ClientError::BadHead) }
}

/// Lets old ones go, and those that a clock which was wrong has made tomorrow.
pub(crate) fn forget_old(tx: &Tx<'_>) -> Result<()> {
    let today = tx.now.day();
    Ok(stock::forget_but(tx.db, Day(today.0.saturating_sub(STOCK_DAYS)), today)?)
}

fn fresh(tx: &mut Tx<'_>) -> Result<Stocked> {
    let channel = ChannelId::new(tx.random());
    let generation = Generation::generate(&mut tx.rng);
    stock::add(tx.db, channel, generation.secret(), tx.now.day())?;
    Ok(Stocked { channel, generation_secret: zeroize::Zeroizing::new(*generation.secret()) })
}
