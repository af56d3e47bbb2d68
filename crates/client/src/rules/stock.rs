//! Empty channels made ahead.

use undertone_e2ee::Generation;
use undertone_wire::{ChannelId, visitor::CreateChannelRequest};

use crate::{
    Result,
    db::stock::{self, Stocked},
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
    };
    Ok((stocked.channel, request))
}

/// Lets old ones go.
pub(crate) fn forget_old(tx: &Tx<'_>) -> Result<()> {
    let today = tx.now.day().0;
    Ok(stock::forget_before(tx.db, undertone_wire::Day(today.saturating_sub(STOCK_DAYS)))?)
}

fn fresh(tx: &mut Tx<'_>) -> Result<Stocked> {
    let channel = ChannelId::new(tx.random());
    let generation = Generation::generate(&mut tx.rng);
    stock::add(tx.db, channel, generation.secret(), tx.now.day())?;
    Ok(Stocked { channel, generation_secret: zeroize::Zeroizing::new(*generation.secret()) })
}
