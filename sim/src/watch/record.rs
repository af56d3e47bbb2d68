//! What a service that records everything has in the end: each circuit with its times and the address that it came from,
//! each request with its answer, and the files of its stores. Nothing in here says who anybody is.

use bytes::Bytes;
use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;
use undertone_wire::{
    ChannelId, Message as _,
    channel::{OpenRequest, ResumeRequest},
    circuit::Kind,
    rpc::Method as _,
};

use super::stored::Stored;

/// Everything that the service has seen.
#[derive(Clone, Default)]
pub struct Record {
    /// In the order in which they began.
    pub circuits: Vec<Circuit>,
    /// In the order in which they came.
    pub frames: Vec<Frame>,
    /// What its files hold at the end.
    pub stored: Stored,
}

/// A circuit, from its first frame on.
#[derive(Clone)]
pub struct Circuit {
    /// Of which kind.
    pub kind: Kind,
    /// The address that its connection came from: a device's, or that of a door.
    pub address: u32,
    /// Begin, in milliseconds since the world began.
    pub from: u64,
    /// End.
    pub until: u64,
    /// Its name, to which signatures are bound.
    pub hash: [u8; 32],
}

/// A request and what was answered.
#[derive(Clone)]
pub struct Frame {
    /// On which circuit: its place in the record.
    pub circuit: usize,
    /// When, in milliseconds since the world began.
    pub at: u64,
    /// Number of the method.
    pub method: u32,
    /// As it was sent.
    pub body: Bytes,
    /// None: it was refused.
    pub reply: Option<Bytes>,
}

impl Frame {
    /// The channels that a request on a channel circuit opens, by keys or by tickets, which begin with the channel.
    pub fn opens(&self) -> Vec<ChannelId> {
        let ids: Vec<_> = match self.method {
            OpenRequest::NUMBER => {
                let openings = OpenRequest::decode(self.body.clone()).unwrap_or_default().openings;
                openings.into_iter().map(|one| one.channel).collect()
            }
            ResumeRequest::NUMBER => ResumeRequest::decode(self.body.clone()).unwrap_or_default().tickets,
            _ => Vec::new(),
        };
        ids.iter().filter_map(|bytes| Some(ChannelId::new(*bytes.first_chunk()?))).collect()
    }
}

/// How the addresses of a record are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Each device has one, and keeps it.
    Known,
    /// They are those of doors, which people share.
    Doors,
}

/// Doors between which each connection chooses anew.
const DOORS: u32 = 4;

impl Record {
    /// The same record of a service that is reached through doors only: addresses tell nothing.
    pub fn behind_doors(&self, rng: &mut ChaCha20Rng) -> Self {
        let mut record = self.clone();
        record.circuits.iter_mut().for_each(|circuit| circuit.address = rng.random_range(0..DOORS));
        record
    }
}
