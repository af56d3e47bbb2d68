//! How much is measured. All of it keeps within what a service allows loopback, and in minutes.

/// Counts of everything.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Starts, and as many restarts.
    pub starts: u32,
    /// Pairs of a writer and a reader.
    pub pairs: u32,
    /// Messages exchanged by all pairs together, saturated; then half as many at half the rate.
    pub messages: u32,
    /// Live subscribers of one channel.
    pub subscribers: u32,
    /// Messages that each of them gets.
    pub fanned_out: u32,
    /// Idle circuits, each with a channel of its own.
    pub circuits: u32,
    /// People with many chats.
    pub people: u32,
    /// Chats of each.
    pub chats: u32,
    /// Times that one of them comes back.
    pub returns: u32,
    /// Acts of nobody.
    pub visits: u32,
    /// Clients that come back at once.
    pub storm: u32,
    /// Channels, at most.
    pub channels: u32,
    /// Messages at each size of what grows.
    pub growth_messages: u32,
    /// Length of the large log, in MiB.
    pub store_mib: u64,
    /// Messages of a person's history.
    pub history: u32,
    /// Messages that real engines send, and later read in one go.
    pub sent: u32,
    /// Connections to each peer, and pairs among them as many as ours.
    pub peer_connections: u32,
    /// Messages through each peer.
    pub peer_messages: u32,
    /// Devices of groups.
    pub devices: &'static [u32],
    /// Entries of directories.
    pub directories: &'static [u32],
}

impl Sizes {
    /// Enough to see a change.
    pub const SHORT: Self = Self {
        starts: 3,
        pairs: 64,
        messages: 16_000,
        subscribers: 300,
        fanned_out: 30,
        circuits: 500,
        people: 4,
        chats: 300,
        returns: 60,
        visits: 300,
        storm: 1_000,
        channels: 1_000,
        growth_messages: 4_000,
        store_mib: 128,
        history: 10_000,
        sent: 300,
        peer_connections: 300,
        peer_messages: 8_000,
        devices: &[10, 100],
        directories: &[100_000],
    };
    /// As in docs/benchmarks.md.
    pub const ALL: Self = Self {
        starts: 11,
        messages: 96_000,
        subscribers: 1_000,
        fanned_out: 100,
        circuits: 2_000,
        people: 20,
        returns: 200,
        visits: 1_000,
        storm: 10_000,
        channels: 10_000,
        growth_messages: 20_000,
        store_mib: 10_240,
        history: 100_000,
        sent: 1_000,
        peer_connections: 1_500,
        peer_messages: 40_000,
        devices: &[10, 100, 1_000],
        directories: &[1_000_000, 10_000_000],
        ..Self::SHORT
    };
}
