//! The key of the client's database: 32 random bytes in a file that only its owner may read, or those bytes encrypted
//! under a passphrase.
//!
//! `version (1) || 0 || key (32)`, or `version (1) || 1 || salt (16) || nonce (24) || XChaCha20-Poly1305 of the key`
//! under Argon2id(passphrase, salt) with the parameters of RFC 9106's second recommendation.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce, aead::Aead as _};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::DbError;

/// The database key.
#[derive(ZeroizeOnDrop)]
pub struct DbKey([u8; 32]);

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const PASSPHRASE: u8 = 1;
const FILE_BYTES_MAX: u64 = 1 << 10;

impl DbKey {
    /// Makes a key and its file. The file is durable before the key is used.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path, passphrase: Option<&str>, rng: &mut dyn CryptoRng) -> Result<Self, DbError> {
        let mut key = Self([0; 32]);
        rng.fill_bytes(&mut key.0);
        let mut out = Zeroizing::new(vec![VERSION]);
        match passphrase {
            None => {
                out.push(PLAIN);
                out.extend_from_slice(&key.0);
            }
            Some(passphrase) => {
                let (mut salt, mut nonce) = ([0; 16], [0; 24]);
                rng.fill_bytes(&mut salt);
                rng.fill_bytes(&mut nonce);
                let sealed = cipher(passphrase, &salt)?
                    .encrypt(&XNonce::from(nonce), &key.0[..])
                    .map_err(|_| DbError::KeyFile)?;
                out.push(PASSPHRASE);
                out.extend_from_slice(&salt);
                out.extend_from_slice(&nonce);
                out.extend_from_slice(&sealed);
            }
        }
        write_new(path, &out).map_err(|_| DbError::KeyFile)?;
        Ok(key)
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`DbError::Passphrase`] when one is needed or it is wrong, [`DbError::Newer`], or [`DbError::KeyFile`].
    pub fn read(path: &Path, passphrase: Option<&str>) -> Result<Self, DbError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let file = File::open(path).map_err(|_| DbError::KeyFile)?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|_| DbError::KeyFile)?;
        match &bytes[..] {
            [version, ..] if *version > VERSION => Err(DbError::Newer),
            [VERSION, PLAIN, key @ ..] => key.try_into().map(Self).map_err(|_| DbError::KeyFile),
            [VERSION, PASSPHRASE, rest @ ..] => {
                let (salt, rest) = rest.split_first_chunk::<16>().ok_or(DbError::KeyFile)?;
                let (nonce, sealed) = rest.split_first_chunk::<24>().ok_or(DbError::KeyFile)?;
                let passphrase = passphrase.ok_or(DbError::Passphrase)?;
                let key = cipher(passphrase, salt)?
                    .decrypt(&XNonce::from(*nonce), sealed)
                    .map(Zeroizing::new)
                    .map_err(|_| DbError::Passphrase)?;
                key[..].try_into().map(Self).map_err(|_| DbError::KeyFile)
            }
            _ => Err(DbError::KeyFile),
        }
    }

    /// SQLCipher's form of a raw key, which it takes without stretching.
    pub(super) fn pragma(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(67));
        text.push_str("x'");
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
            }
        }
        text.push('\'');
        text
    }
}

fn cipher(passphrase: &str, salt: &[u8; 16]) -> Result<XChaCha20Poly1305, DbError> {
    // RFC 9106, section 4, second recommendation: 64 MiB, 3 passes, 4 lanes.
    let params = Params::new(64 << 10, 3, 4, Some(32)).map_err(|_| DbError::KeyFile)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key[..])
        .map_err(|_| DbError::KeyFile)?;
    Ok(XChaCha20Poly1305::new(&(*key).into()))
}

/// Writes a file that only its owner may read, durably, and its directory entry too.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> impl CryptoRng {
        rand::make_rng::<rand::rngs::StdRng>()
    }

    #[test]
    fn a_key_is_read_as_it_was_made() {
        let folder = tempfile::tempdir().unwrap();
        for (name, passphrase) in [("plain", None), ("words", Some("correct horse"))] {
            let path = folder.path().join(name);
            let made = DbKey::create(&path, passphrase, &mut rng()).unwrap();
            assert!(DbKey::read(&path, passphrase).unwrap().0 == made.0);
            assert!(DbKey::create(&path, passphrase, &mut rng()).is_err(), "an existing key is never overwritten");
        }
        let words = folder.path().join("words");
        assert!(matches!(DbKey::read(&words, None), Err(DbError::Passphrase)));
        assert!(matches!(DbKey::read(&words, Some("wrong")), Err(DbError::Passphrase)));
    }

    #[test]
    fn a_damaged_key_file_is_said_to_be() {
        let path = tempfile::tempdir().unwrap().keep().join("key");
        for (bytes, newer) in
            [(&b""[..], false), (b"\x01", false), (b"\x01\x00short", false), (b"\x01\x01short", false), (b"\x02", true)]
        {
            std::fs::write(&path, bytes).unwrap();
            let error = DbKey::read(&path, Some("words")).err().unwrap();
            assert!(matches!((error, newer), (DbError::KeyFile, false) | (DbError::Newer, true)));
        }
    }
}
