//! Every label from which a secret is derived, and every number of our own in MLS, each used in one place.

/// MLS exporter (RFC 9420, section 8.5): the fork tag that travels with the commit that begins an epoch.
pub const FORK_TAG: &str = "undertone fork tag 1";
/// MLS exporter: the secret of the generation that a commit begins.
pub const GENERATION: &str = "undertone generation 1";
/// MLS exporter: the key of an epoch's transients (`context::TRANSIENT` is their associated data).
pub const TRANSIENT: &str = "undertone transient 1";

/// HKDF info: seed of a generation's read key.
pub const READ_KEY: &[u8] = b"undertone generation read key 1";
/// HKDF info: seed of a generation's write key.
pub const WRITE_KEY: &[u8] = b"undertone generation write key 1";
/// HKDF info: a generation's wrap key.
pub const WRAP_KEY: &[u8] = b"undertone generation wrap key 1";

/// MLS extension of the group context that holds `content.Context` (private use, RFC 9420, section 17.3).
pub const CONTEXT_EXTENSION: u16 = 0xF0A0;
/// MLS credential that holds `content.Leaf` (private use, RFC 9420, section 17.5).
pub const CREDENTIAL: u16 = 0xF0C0;
