//! Signature contexts: what is signed or hashed for one purpose can never stand for another.

/// A purpose. Each is used in exactly one place, and its version changes with what is signed.
#[derive(Clone, Copy)]
pub struct Context(&'static str);

impl Context {
    /// Hash: account id over (recovery key, first identity key).
    pub const ACCOUNT_ID: Self = Self("undertone account id 1");
    /// Recovery key over (account id, identity number, identity key).
    pub const IDENTITY: Self = Self("undertone identity 1");
    /// Identity key over the body of a device list.
    pub const DEVICE_LIST: Self = Self("undertone device list 1");
    /// Identity key over (account id, body of an inbox key).
    pub const INBOX_KEY: Self = Self("undertone inbox key 1");
    /// Device key over (account id, body of a key package).
    pub const KEY_PACKAGE: Self = Self("undertone key package 1");
    /// Recovery key, and identity key, over (handshake hash, account id).
    pub const REGISTER: Self = Self("undertone register 1");
    /// Device key over (handshake hash, account id, device number).
    pub const AUTHENTICATE: Self = Self("undertone authenticate 1");
    /// Read key over (channel, generation, handshake hash).
    pub const OPEN_READ: Self = Self("undertone open to read 1");
    /// Write key over (channel, generation, handshake hash).
    pub const OPEN_WRITE: Self = Self("undertone open to write 1");
    /// MAC under a key that the service forgets, over (ticket: channel, generation, right to write, expiry).
    pub const TICKET: Self = Self("undertone ticket 1");
    /// Service's head key over (revision, SHA-256 of the body of its parameters).
    pub const PARAMETERS: Self = Self("undertone parameters 1");
    /// Info of a token key's derivation, over (purpose, week).
    pub const TOKEN_KEY: Self = Self("undertone token key 1");
    /// Input of the function that gives a token its authenticator, over (purpose, week, nonce).
    pub const TOKEN: Self = Self("undertone token 1");
    /// Hash: what tokens are spent on, over (method's number, request without its tokens).
    pub const SPEND: Self = Self("undertone spend 1");
    /// Identity key over (account id, body of a profile).
    pub const PROFILE: Self = Self("undertone profile 1");
    /// Associated data of a sealed profile, with account id.
    pub const PROFILE_SEAL: Self = Self("undertone profile seal 1");
    /// HKDF info: what a visitor shows to fetch a profile, from the profile key.
    pub const PROFILE_ACCESS: Self = Self("undertone profile access 1");
    /// MLS exporter label: the key of an epoch's transients; and their associated data, with channel and position.
    pub const TRANSIENT: Self = Self("undertone transient 1");
    /// Hash of a group's record, over (its encoding).
    pub const GROUP_RECORD: Self = Self("undertone group record 1");
    /// Hash of the secret of a group's link, over (secret).
    pub const GROUP_LINK: Self = Self("undertone group link 1");
    /// Hash: by which its members call a group, over (channel); the first 16 bytes.
    pub const GROUP_ID: Self = Self("undertone group id 1");
    /// Associated data of a sealed attribute of a group, with its kind.
    pub const GROUP_ATTRIBUTE: Self = Self("undertone group attribute 1");
    /// Hash that a presentation is bound to, over (handshake hash, method's number, request without the presentation).
    pub const GROUP_PRESENT: Self = Self("undertone group presentation 1");
    /// Service's head key over (channel, revision, SHA-256 of the change's body).
    pub const GROUP_CHANGE: Self = Self("undertone group change 1");
    /// Hash: a point of the system parameters of anonymous credentials, over (its name).
    pub const SYSTEM_POINT: Self = Self("undertone system point 1");
    /// Hash: a scalar of the service's credential key, over (seed, its name).
    pub const CREDENTIAL_KEY: Self = Self("undertone credential key 1");
    /// Hash: the point M1 of an account, over (account id).
    pub const ACCOUNT_POINT: Self = Self("undertone account point 1");
    /// Hash: a scalar of a group's secret, over (master key, its name).
    pub const GROUP_SECRET: Self = Self("undertone group secret 1");
    /// HKDF info: a key of a group for one use, from the master key, with the use's label.
    pub const GROUP_SUBKEY: Self = Self("undertone group subkey 1");
    /// Proof that a credential was issued as agreed, over (credential key, account id, day, credential).
    pub const CREDENTIAL_ISSUED: Self = Self("undertone credential issued 1");
    /// Proof of a presentation, over (credential key, group, member entry, day, what it is bound to, commitments).
    pub const CREDENTIAL_SHOWN: Self = Self("undertone credential shown 1");
    /// Hash: what a proof's nonces follow from, over (randomness, statement, secrets).
    pub const PROOF_NONCES: Self = Self("undertone proof nonces 1");
    /// Hash: id of the blob in which something too large for a log is, over (SHA-256 of that); the first 16 bytes.
    pub const LARGE: Self = Self("undertone large 1");
    /// Hash: the secret of an identifier in contact discovery, over (its element under the service's key).
    pub const DISCOVERY: Self = Self("undertone discovery 1");
    /// Hash: the mark of an identifier in one base, over (its secret, number of the base).
    pub const DISCOVERY_BASE: Self = Self("undertone discovery base 1");
    /// Hash: the mark of an identifier in one delta, over (its secret, number of the delta).
    pub const DISCOVERY_DELTA: Self = Self("undertone discovery delta 1");
    /// Hash: the seed of the masks that queries to a base are made with, over (its header without the download's hash).
    pub const DISCOVERY_MASKS: Self = Self("undertone discovery masks 1");
    /// Info of the directory key's derivation, over (version).
    pub const DIRECTORY_KEY: Self = Self("undertone directory key 1");
    /// Service's head key over (SHA-256 of a directory's head).
    pub const DIRECTORY_HEAD: Self = Self("undertone directory head 1");
    /// Recovery key over (handshake hash, account id of whoever takes a listing over, identifier).
    pub const TAKE_LISTING: Self = Self("undertone take listing 1");
    /// Service's head key over (channel, seq, chain).
    pub const HEAD: Self = Self("undertone head 1");
    /// Hash: first chain value over (channel).
    pub const CHAIN: Self = Self("undertone chain 1");
    /// Hash: digest of an entry.
    pub const ENTRY: Self = Self("undertone entry 1");
    /// Device key over (recipient's account id, letter).
    pub const LETTER: Self = Self("undertone letter 1");
    /// HPKE info of a sealed letter, with the recipient's account id and the week of its inbox key.
    pub const SEAL: Self = Self("undertone seal 1");
    /// Recovery key over (handshake hash, recovery key).
    pub const RECOVER: Self = Self("undertone recover 1");
    /// Device key over (channel, incarnation, epoch, hashes of what a restart holds).
    pub const RESTART: Self = Self("undertone restart 1");
    /// Associated data of a vault, with account id and identity number.
    pub const VAULT: Self = Self("undertone vault 1");
    /// Hash: the code that two people compare while a device is linked, over (hello, challenge).
    pub const LINK_CODE: Self = Self("undertone link code 1");
    /// HPKE info of what is sealed to a new device, with its hello's hash.
    pub const LINK_SEAL: Self = Self("undertone link seal 1");
    /// Associated data of a head slot, with channel and position.
    pub const HEAD_SLOT: Self = Self("undertone head slot 1");
    /// Associated data of a wrapped body, with channel, kind, position and expiry.
    pub const WRAP: Self = Self("undertone wrap 1");
    /// Hash: a service's two static keys, as pinned by its link.
    pub const SERVICE_KEYS: Self = Self("undertone service keys 1");
    /// Prologue of the Noise session, over (version of the tunnel, service's two static keys).
    pub const TUNNEL: Self = Self("undertone tunnel 1");
    /// Hash: Noise's psk0 over (shared secret, ciphertext, service's static KEM key).
    pub const PSK_SERVICE: Self = Self("undertone psk0 1");
    /// Hash: Noise's psk2 over (shared secret, ciphertext, client's ephemeral KEM key).
    pub const PSK_CLIENT: Self = Self("undertone psk2 1");

    /// The unambiguous bytes of (context, parts): each with its length as u32, big-endian, before it.
    pub fn bytes(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.0.len() + parts.iter().map(|part| 4 + part.len()).sum::<usize>());
        for part in std::iter::once(self.0.as_bytes()).chain(parts.iter().copied()) {
            // A part is a field of a frame, and those are limited far below 4 GiB.
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Context::HEAD.bytes(&[b"ab", b"c"]), Context::HEAD.bytes(&[b"a", b"bc"]));
        assert_ne!(Context::HEAD.bytes(&[b"", b"c"]), Context::HEAD.bytes(&[b"c"]));
        assert_ne!(Context::OPEN_READ.bytes(&[b"c"]), Context::OPEN_WRITE.bytes(&[b"c"]));
    }
}
