//! Every bound that both ends must know, each with its reason.

/// A frame after Hello: a page of entries or one inbox entry of the largest bucket, with room around it.
pub const FRAME_BYTES_MAX: usize = 256 << 10;
/// Hello is padded to 512 bytes; nobody needs more before he has said what he wants.
pub const HELLO_FRAME_BYTES_MAX: usize = 1 << 10;
/// Requests under way at once on one circuit: enough to fill a slow line, few enough to bound memory. A peer that asks
/// for a page with each and reads none of them makes the service hold so many times [`PAGE_BYTES_MAX`]: 3 MB.
pub const IN_FLIGHT_MAX: usize = 16;
/// Pushes that wait for a slow reader, after which it is told to read from its cursor.
pub const PUSHES_QUEUED_MAX: usize = 64;
/// A circuit on which nothing was heard for so long gets a ping; after twice as long it is closed.
pub const IDLE_PING_MS: u64 = 60_000;
/// How long a service that goes away lets requests finish.
pub const DRAIN_MS: u64 = 5_000;
/// A client waits so long for a tunnel and both handshakes.
pub const CONNECT_MS: u64 = 15_000;
/// And so long for a reply.
pub const CALL_MS: u32 = 15_000;

/// Openings in one request: a phone with 300 chats reconnects with one.
pub const OPENINGS_MAX: usize = 512;
/// Entries in one atomic append: a batch of an outbox that was offline.
pub const APPEND_ENTRIES_MAX: usize = 64;
/// Bytes of bodies in one append, and in one page served: with their frame they stay below [`FRAME_BYTES_MAX`].
pub const PAGE_BYTES_MAX: usize = 192 << 10;
/// Entries in one page served.
pub const PAGE_ENTRIES_MAX: u32 = 256;

/// A text message, in bytes of UTF-8: with MLS, wrap and padding it fits the 64 KiB bucket.
pub const TEXT_BYTES_MAX: usize = 60_000;
/// A name that somebody gives himself, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 128;
/// Devices of one account.
pub const DEVICES_MAX: usize = 16;
/// A signed device list, encoded.
pub const DEVICE_LIST_BYTES_MAX: usize = 8 << 10;
/// A signed inbox key, encoded.
pub const INBOX_KEY_BYTES_MAX: usize = 2 << 10;
/// A signed key package, encoded (measured: 2.7 KB for our suite).
pub const KEY_PACKAGE_BYTES_MAX: usize = 8 << 10;
/// One-time key packages that the service keeps for one device.
pub const KEY_PACKAGES_MAX: u32 = 100;

/// Longest life of a message in a log or an inbox, in days.
pub const MESSAGE_DAYS_MAX: u32 = 30;
/// A letter is kept for so many days at least: one that is to go sooner was dated by a clock that is wrong, or long ago, and
/// whoever comes back after a while would never read it.
pub const LETTER_DAYS_MIN: u32 = 14;
/// Letters are kept up to a day that is a multiple of this: all of a fortnight stand together, so that what is stored does
/// not tell on which day somebody was written to, as it tells of a channel on which day it came to life.
pub const LETTER_DAYS_STEP: u32 = 14;
/// Life of a commit, in days: who was away for longer comes back by another way.
pub const COMMIT_DAYS: u32 = 90;
/// Clocks may differ from ours by so many days where a day is compared.
pub const CLOCK_SKEW_DAYS: u32 = 1;
/// A channel in which nothing was ever written is forgotten after so many days: an invitation may wait in an inbox as
/// long as any message, and its channel was made a few days before.
pub const UNUSED_CHANNEL_DAYS: u32 = MESSAGE_DAYS_MAX + 7;
/// Unread entries of one inbox.
pub const INBOX_ENTRIES_MAX: u64 = 1_000;
/// A vault, sealed: the largest bucket of `padding::VAULT`. With its frame it stays below [`FRAME_BYTES_MAX`].
pub const VAULT_BYTES_MAX: usize = 192 << 10;
/// A generation is followed by the next after so many days, whoever leaves or stays.
pub const GENERATION_DAYS: u32 = 30;
/// Bytes that one channel may hold.
pub const CHANNEL_BYTES_MAX: u64 = 1 << 30;
/// Commits in one channel: one a second, in bursts of so many.
pub const COMMIT_BURST: u32 = 32;
/// An inbox key is made for a week and kept for so many, so that late letters can be opened.
pub const INBOX_KEY_WEEKS: u32 = 6;

/// Tokens of one batch, for each purpose by its number: what a lively person may need in a day or two. All are always
/// asked for together.
pub const TOKEN_BATCH: [(crate::objects::Purpose, usize); 4] = {
    use crate::objects::Purpose::{Blob, Channel, Contact, Inbox};
    [(Channel, 8), (Inbox, 16), (Contact, 16), (Blob, 16)]
};
/// Batches that one account is issued in a week, unless its service says otherwise: one each day for several devices, and
/// some for busy days. What two weeks bring does not pay for all places of an inbox, so nobody closes one alone.
pub const TOKEN_BATCHES_A_WEEK: u32 = 48;
/// A token is good in its week and so many after it.
pub const TOKEN_WEEKS: u32 = 1;
/// Tokens in one request, at most; but a [blob](BLOB_TOKENS_MAX) may cost more.
pub const TOKENS_MAX: usize = 4;
/// What a place in an inbox costs once it is more than three quarters full, and a one-time key package once fewer than
/// [`KEY_PACKAGES_RESERVE`] are left: who floods or drains pays for it, and others still get through.
pub const RESERVE_TOKENS: usize = TOKENS_MAX;
/// Inbox entries from which on a place costs [`RESERVE_TOKENS`].
pub const INBOX_RESERVE: u64 = INBOX_ENTRIES_MAX / 4 * 3;
/// So many one-time key packages of a device are not given for a single token: that buys its last resort then.
pub const KEY_PACKAGES_RESERVE: u32 = 10;
/// What somebody says about himself, in bytes of UTF-8.
pub const ABOUT_BYTES_MAX: usize = 512;
/// An avatar: with name, words and seal it fits the largest bucket of `padding::PROFILE`.
pub const AVATAR_BYTES_MAX: usize = 60_000;
/// Transients of one channel and circuit: one a second, in bursts of so many.
pub const TRANSIENT_BURST: u32 = 8;
/// A part of a blob: with its frame it stays below [`FRAME_BYTES_MAX`].
pub const BLOB_PART_BYTES: usize = 128 << 10;
/// A blob, with all its parts.
pub const BLOB_BYTES_MAX: u64 = 64 << 20;
/// So many bytes of a blob, begun, cost one token.
pub const BLOB_BYTES_A_TOKEN: u64 = 4 << 20;
/// What the largest blob costs: one batch pays for it.
pub const BLOB_TOKENS_MAX: usize = (BLOB_BYTES_MAX / BLOB_BYTES_A_TOKEN) as usize;
/// Life of a blob, in days: that of the entry which names it, a commit at the longest.
pub const BLOB_DAYS_MAX: u32 = COMMIT_DAYS;
/// A commit, or a head slot, that is too large for a log: the tree of a thousand devices, with their lists and the record, has
/// 3 MB; a commit that adds as many, 4.3.
pub const LARGE_BYTES_MAX: u64 = 8 << 20;
/// People in one group, those among them who have left and whose leaves are still there. With the lists below, all of them
/// full, and every attribute in its largest size, a record fits [`PAGE_BYTES_MAX`].
pub const GROUP_MEMBERS_MAX: usize = 1_000;
/// Invitations of one group that wait.
pub const GROUP_INVITED_MAX: usize = 200;
/// Requests to one group that wait: whoever floods it by its link stops there, until the link is reset.
pub const GROUP_REQUESTING_MAX: usize = 200;
/// People banned from one group.
pub const GROUP_BANNED_MAX: usize = 400;
/// Actions of one change: a batch of adds, and what may go with it.
pub const GROUP_ACTIONS_MAX: usize = 64;
/// An admin holds the next commit of a group for so long: enough to build a large one and to bring it over a slow line.
pub const RESERVE_MS: u64 = 60_000;
/// Identifiers that one request has evaluated, as many as an address book is long: nobody shows how long it is.
pub const EVALUATIONS: [usize; 3] = [32, 256, 1_600];
/// So many evaluations, begun, cost one token.
pub const EVALUATIONS_A_TOKEN: usize = 32;
/// Tokens for lookups that go together, by purpose: as many queries as there are batches that may need one, and a line that
/// breaks costs one each time.
pub const LOOKUP: [(crate::objects::Purpose, usize); 2] = {
    use crate::objects::Purpose::{Evaluation, Query};
    [(Evaluation, 1), (Query, 1)]
};
/// So many of those does an account have at once: an address book of the largest size. They are asked for together.
pub const LOOKUPS_ONCE: u32 = 50;
/// And so many more for each day after its first: a hundred new contacts, nearly.
pub const LOOKUPS_A_DAY: u32 = 3;
/// Identifiers under which one account is listed in the directory.
pub const LISTINGS_MAX: u32 = 8;
/// Somebody else's listing is taken over after so many days in which he does not keep it: numbers are given to others, and
/// codes are stolen.
pub const LISTING_WAIT_DAYS: u32 = 7;
/// What changed in the directory is told for so many days; who was away for longer asks anew.
pub const DELTA_DAYS: u32 = 14;
/// A part of a query, an answer, a table or a delta: with its frame it stays below [`FRAME_BYTES_MAX`].
pub const LOOKUP_PART_BYTES: usize = 128 << 10;
/// An identifier in its one spelling, in bytes: a mailbox may have as many (RFC 5321, section 4.5.3.1.3).
pub const IDENTIFIER_BYTES_MAX: usize = 254;
