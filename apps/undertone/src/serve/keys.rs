//! The service's secret keys in their file: those of circuits, which the link pins, the one that signs heads, and the one
//! under which tokens are issued.
//!
//! ```text
//! magic (8) || version (1) || circuit keys (97) || head key's seed (32) || issuing key's seed (32)
//!           || pin (32) || public head key (32) || public token key for channels in week 0 (32)
//! ```
//! Version 1 had no issuing key, nor its public half; it gets one when it is opened.
//!
//! The public halves stand there so that damage is found: keys that have become others, by a lost bit or by a release
//! that derives them in another way, would start a service that none of its clients knows any more.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
};

use rand::CryptoRng;
use undertone_circuit::{KeysError, ServiceKeys};
use undertone_credentials::{HeadKey, IssuingKey};
use undertone_wire::{Week, objects::Purpose};
use zeroize::Zeroizing;

use super::DataFolder;
use crate::failure::{Failure, Kind};

const MAGIC: [u8; 8] = *b"UnSvKeys";
const VERSION: u8 = 2;
const CIRCUIT_BYTES: usize = 97;
const FILE_BYTES: usize = MAGIC.len() + 1 + CIRCUIT_BYTES + 32 + 32 + 32 + 32 + 32;
/// Not more than this is read of a file that is perhaps none of ours.
const READ_BYTES_MAX: u64 = 4 << 10;
const OTHERS: u32 = 0o077;

/// All secrets of a service.
pub struct Keys {
    /// Whoever has them can stand in for the service.
    pub circuit: ServiceKeys,
    /// Whoever has it can sign other histories.
    pub head: HeadKey,
    /// Whoever has it can make tokens; it tells nothing of those that were issued.
    pub issuing: IssuingKey,
}

impl Keys {
    /// Reads the keys of a service; one that is new gets fresh ones.
    pub fn load_or_create(folder: &DataFolder, rng: &mut impl CryptoRng) -> Result<Self, Failure> {
        if folder.keys().exists() {
            return Self::load(folder, rng);
        }
        if [folder.accounts(), folder.channels(), folder.blobs()].iter().any(|file| file.exists()) {
            let message = format!(
                "{} is missing: restore it from a backup. Under new keys none of this service's clients would know it",
                folder.keys().display()
            );
            return Err(Failure::new(Kind::Failed, message));
        }
        let (circuit, head) = (ServiceKeys::generate(rng), HeadKey::generate(rng));
        let keys = Self { circuit, head, issuing: IssuingKey::generate(rng) };
        keys.write(folder)?;
        Ok(keys)
    }

    /// Reads the keys of a service, and adds those that its release did not have yet. The caller owns the folder.
    pub fn load(folder: &DataFolder, rng: &mut impl CryptoRng) -> Result<Self, Failure> {
        let path = folder.keys();
        let failed = |error: io::Error| Failure::io(&format!("{} cannot be read", path.display()), &error);
        let file = File::open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & OTHERS != 0 {
            let message = format!(
                "{path} can be read by other users: `chmod 600 {path}`, if you are sure that none of them has read it",
                path = path.display()
            );
            return Err(Failure::new(Kind::Failed, message));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        file.take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let read = Self::from_bytes(&bytes).map_err(|error| {
            let what_to_do = match error {
                KeysError::Newer => "",
                _ => ": restore the file from a backup",
            };
            Failure::new(Kind::Failed, format!("{}: {error}{what_to_do}", path.display()))
        })?;
        match read {
            Read::Whole(keys) => Ok(keys),
            Read::WithoutIssuing(circuit, head) => {
                let keys = Self { circuit, head, issuing: IssuingKey::generate(rng) };
                keys.write(folder)?;
                Ok(keys)
            }
        }
    }

    fn write(&self, folder: &DataFolder) -> Result<(), Failure> {
        let written = folder.replace(&folder.keys(), &self.to_bytes());
        written.map_err(|error| Failure::io("the service's keys cannot be written", &error))
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&self.circuit.to_bytes());
        out.extend_from_slice(&*self.head.seed());
        out.extend_from_slice(&*self.issuing.seed());
        out.extend_from_slice(self.circuit.pin().as_bytes());
        out.extend_from_slice(self.head.public().as_bytes());
        out.extend_from_slice(&public(&self.issuing));
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Read, KeysError> {
        let (magic, rest) = bytes.split_first_chunk().ok_or(KeysError::Damaged)?;
        let (version, rest) = rest.split_first().ok_or(KeysError::Damaged)?;
        match (*magic == MAGIC, *version) {
            (true, 1..=VERSION) => {}
            (true, newer) if newer > VERSION => return Err(KeysError::Newer),
            _ => return Err(KeysError::Damaged),
        }
        let (circuit, rest) = rest.split_first_chunk::<CIRCUIT_BYTES>().ok_or(KeysError::Damaged)?;
        let (seed, rest) = rest.split_first_chunk().ok_or(KeysError::Damaged)?;
        let (circuit, head) = (ServiceKeys::from_bytes(circuit)?, HeadKey::from_seed(seed));
        let mut expected = [*circuit.pin().as_bytes(), *head.public().as_bytes()].concat();
        if *version == 1 {
            return if rest == expected { Ok(Read::WithoutIssuing(circuit, head)) } else { Err(KeysError::Damaged) };
        }
        let (seed, rest) = rest.split_first_chunk().ok_or(KeysError::Damaged)?;
        let issuing = IssuingKey::from_seed(seed);
        expected.extend_from_slice(&public(&issuing));
        if rest == expected { Ok(Read::Whole(Self { circuit, head, issuing })) } else { Err(KeysError::Damaged) }
    }
}

/// What stood in a file.
enum Read {
    Whole(Keys),
    /// Of version 1.
    WithoutIssuing(ServiceKeys, HeadKey),
}

/// One of all its public keys stands for them.
fn public(issuing: &IssuingKey) -> [u8; 32] {
    *issuing.public(Purpose::Channel, Week(0)).as_bytes()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    struct Fixture {
        _parent: tempfile::TempDir,
        folder: DataFolder,
    }

    fn fixture() -> Fixture {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(parent.path().to_owned());
        Fixture { _parent: parent, folder }
    }

    fn message(path: &Path) -> String {
        let folder = DataFolder::new(path.parent().unwrap().to_owned());
        Keys::load(&folder, &mut rand::rng()).err().unwrap().to_string()
    }

    fn create(folder: &DataFolder) -> (PathBuf, Vec<u8>) {
        Keys::load_or_create(folder, &mut rand::rng()).ok().unwrap();
        (folder.keys(), fs::read(folder.keys()).unwrap())
    }

    #[test]
    fn keys_are_created_once_and_for_their_owner_alone() {
        let Fixture { folder, _parent } = fixture();
        fs::write(folder.keys().with_extension("keys.new"), "cut off by a cra").unwrap();
        let first = Keys::load_or_create(&folder, &mut rand::rng()).ok().unwrap();
        assert_eq!(fs::metadata(folder.keys()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = Keys::load_or_create(&folder, &mut rand::rng()).ok().unwrap();
        assert!(first.to_bytes() == again.to_bytes());
    }

    #[test]
    fn every_byte_of_damage_that_matters_is_found() {
        let Fixture { folder, _parent } = fixture();
        let (path, bytes) = create(&folder);
        assert_eq!(bytes.len(), FILE_BYTES);
        // The second half of an ML-KEM seed, `z`, is not part of the public key: any 32 bytes do there (FIPS 203,
        // section 6.3, answers what does not decapsulate with it).
        let z = MAGIC.len() + 1 + CIRCUIT_BYTES - 32..MAGIC.len() + 1 + CIRCUIT_BYTES;
        for place in (0..bytes.len()).filter(|place| !z.contains(place)) {
            let mut damaged = bytes.clone();
            // Not one of the bits that X25519 ignores (RFC 7748, section 5).
            damaged[place] ^= 8;
            assert!(Keys::from_bytes(&damaged).is_err(), "byte {place}");
        }
        for length in [0, 1, 8, 9, 100, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(message(&path).contains("backup"));
        }
        fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        assert!(message(&path).contains("backup"));
        fs::write(&path, vec![b'-'; 1 << 20]).unwrap();
        assert!(message(&path).contains("backup"));
    }

    #[test]
    fn a_newer_file_asks_for_an_update() {
        let Fixture { folder, _parent } = fixture();
        let (path, bytes) = create(&folder);
        for place in [MAGIC.len(), MAGIC.len() + 1] {
            let mut newer = bytes.clone();
            newer[place] = VERSION + 1;
            fs::write(&path, &newer).unwrap();
            assert!(message(&path).contains("update") && !message(&path).contains("backup"));
        }
    }

    #[test]
    fn a_file_of_version_1_gets_an_issuing_key_once() {
        let Fixture { folder, _parent } = fixture();
        let (path, bytes) = create(&folder);
        let seeds = MAGIC.len() + 1 + CIRCUIT_BYTES + 32;
        let old =
            [&bytes[..MAGIC.len()], &[1], &bytes[MAGIC.len() + 1..seeds], &bytes[seeds + 32..seeds + 96]].concat();
        assert_eq!(old.len(), 202);
        fs::write(&path, &old).unwrap();
        let keys = || Keys::load(&folder, &mut rand::rng()).ok().unwrap().to_bytes();
        let upgraded = keys();
        assert!(upgraded == keys() && upgraded[..] == fs::read(&path).unwrap());
        assert!(upgraded[MAGIC.len() + 1..seeds] == bytes[MAGIC.len() + 1..seeds]);
        assert!(upgraded[seeds..seeds + 32] != bytes[seeds..seeds + 32]);
        for place in [150, 180, 201] {
            let mut damaged = old.clone();
            damaged[place] ^= 8;
            fs::write(&path, damaged).unwrap();
            assert!(message(&path).contains("backup"));
        }
    }

    #[test]
    fn keys_that_others_can_read_are_not_used() {
        let Fixture { folder, _parent } = fixture();
        let (path, _) = create(&folder);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(message(&path).contains("chmod 600"));
    }

    #[test]
    fn lost_keys_are_not_replaced_behind_the_operators_back() {
        let Fixture { folder, _parent } = fixture();
        fs::write(folder.channels(), "").unwrap();
        let refused = Keys::load_or_create(&folder, &mut rand::rng()).err().unwrap();
        assert!(refused.to_string().contains("missing") && !folder.keys().exists());
    }
}
