//! What crosses a tunnel in clear, before the session stands: `length of the rest (u16) || version (1) || type (1) ||
//! body`, integers big-endian.
//!
//! | type | who | body |
//! | --- | --- | --- |
//! | 1 key request | client | empty |
//! | 2 keys | service | X25519 (32) and ML-KEM-768 (1184) public keys; the client checks them against its pin |
//! | 3 handshake 1 | client | Noise message 1 with its KEM ciphertext (2,320) |
//! | 4 handshake 2 | service | Noise message 2 with its KEM ciphertext (1,136) |
//! | 5 unsupported | service | the versions that it speaks, one byte each |
//!
//! Type 5 reads the same in every version, so that the oldest client still understands that it is too old. It is not
//! authenticated: who can forge it could as well cut the line.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{
    keys::ServicePublicKeys,
    noise::{MESSAGE_1_BYTES, MESSAGE_2_BYTES},
};

/// Version of the tunnel: of these messages and of the Noise session that they set up.
pub(crate) const VERSION: u8 = 1;
/// Every version that this release speaks.
pub(crate) const VERSIONS: &[u8] = &[VERSION];

const KEY_REQUEST: u8 = 1;
const KEYS: u8 = 2;
const HANDSHAKE_1: u8 = 3;
const HANDSHAKE_2: u8 = 4;
const UNSUPPORTED: u8 = 5;

const HEADER_BYTES: usize = 2;
/// The longest message of this version, after its length.
const BYTES_MAX: usize = HEADER_BYTES + MESSAGE_1_BYTES;

/// One message. The bodies of handshakes have the right length, and nothing else is known of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Preamble {
    KeyRequest,
    Keys(Vec<u8>),
    Handshake1(Vec<u8>),
    Handshake2(Vec<u8>),
    Unsupported(Vec<u8>),
}

/// Why no message was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PreambleError {
    Lost(io::ErrorKind),
    /// Not of this protocol.
    Malformed,
    /// Of a version that we do not speak.
    Version,
}

impl From<io::Error> for PreambleError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.kind())
    }
}

/// Reads one message, and nothing beyond it.
pub(crate) async fn read(tunnel: &mut (impl AsyncRead + Unpin)) -> Result<Preamble, PreambleError> {
    let length = usize::from(tunnel.read_u16().await?);
    if length < HEADER_BYTES {
        return Err(PreambleError::Malformed);
    }
    let header = [tunnel.read_u8().await?, tunnel.read_u8().await?];
    let body_bytes = length - HEADER_BYTES;
    if length > BYTES_MAX || !known(header) {
        // Taken off the line, so that a reset does not overtake our answer.
        let mut body = tunnel.take(body_bytes as u64);
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        return Err(if known(header) { PreambleError::Malformed } else { PreambleError::Version });
    }
    let mut body = vec![0; body_bytes];
    tunnel.read_exact(&mut body).await?;
    parse(header, body)
}

/// Writes one message.
pub(crate) async fn write(tunnel: &mut (impl AsyncWrite + Unpin), message: &Preamble) -> io::Result<()> {
    tunnel.write_all(&encode(message)).await?;
    tunnel.flush().await
}

fn known([version, kind]: [u8; HEADER_BYTES]) -> bool {
    kind == UNSUPPORTED || VERSIONS.contains(&version)
}

fn parse([_, kind]: [u8; HEADER_BYTES], body: Vec<u8>) -> Result<Preamble, PreambleError> {
    match (kind, body.len()) {
        (KEY_REQUEST, 0) => Ok(Preamble::KeyRequest),
        (KEYS, ServicePublicKeys::LEN) => Ok(Preamble::Keys(body)),
        (HANDSHAKE_1, MESSAGE_1_BYTES) => Ok(Preamble::Handshake1(body)),
        (HANDSHAKE_2, MESSAGE_2_BYTES) => Ok(Preamble::Handshake2(body)),
        (UNSUPPORTED, 1..) => Ok(Preamble::Unsupported(body)),
        _ => Err(PreambleError::Malformed),
    }
}

fn encode(message: &Preamble) -> Vec<u8> {
    let (kind, body): (u8, &[u8]) = match message {
        Preamble::KeyRequest => (KEY_REQUEST, &[]),
        Preamble::Keys(body) => (KEYS, body),
        Preamble::Handshake1(body) => (HANDSHAKE_1, body),
        Preamble::Handshake2(body) => (HANDSHAKE_2, body),
        Preamble::Unsupported(versions) => (UNSUPPORTED, versions),
    };
    // The bodies of this version are all far below 64 KiB.
    let length = u16::try_from(HEADER_BYTES + body.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(2 + HEADER_BYTES + body.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_now(mut bytes: &[u8]) -> Result<(Preamble, usize), PreambleError> {
        let before = bytes.len();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let message = runtime.block_on(read(&mut bytes))?;
        Ok((message, before - bytes.len()))
    }

    #[test]
    fn messages_come_back_and_nothing_beyond_them_is_read() {
        for message in [
            Preamble::KeyRequest,
            Preamble::Keys(vec![1; ServicePublicKeys::LEN]),
            Preamble::Handshake1(vec![2; MESSAGE_1_BYTES]),
            Preamble::Handshake2(vec![3; MESSAGE_2_BYTES]),
            Preamble::Unsupported(vec![1, 2, 3]),
        ] {
            let bytes = encode(&message);
            let (again, read) = read_now(&[&bytes[..], &[9; 9]].concat()).unwrap();
            assert!(again == message && read == bytes.len());
        }
    }

    #[test]
    fn other_versions_are_told_from_garbage() {
        let error = |bytes: &[u8]| read_now(bytes).err();
        assert_eq!(error(&[0, 2, 2, KEY_REQUEST]), Some(PreambleError::Version));
        assert_eq!(error(&[0, 4, 9, 77, 0, 0]), Some(PreambleError::Version));
        assert!(read_now(&[0, 3, 9, UNSUPPORTED, 9]).is_ok(), "reads the same in every version");
        assert_eq!(error(&[0, 2, 1, UNSUPPORTED]), Some(PreambleError::Malformed));
        assert_eq!(error(&[0, 2, 1, 77]), Some(PreambleError::Malformed));
        assert_eq!(error(&[0, 3, 1, KEY_REQUEST, 0]), Some(PreambleError::Malformed));
        assert_eq!(error(&[0, 1, 1]), Some(PreambleError::Malformed));
        assert_eq!(error(&[0, 9, 1, KEYS]), Some(PreambleError::Lost(io::ErrorKind::UnexpectedEof)));
        assert_eq!(error(&[[255, 255, 1, 3].as_slice(), &[0; 65_533]].concat()), Some(PreambleError::Malformed));
        assert_eq!(error(b"GET / HTTP/1.1\r\n\r\n"), Some(PreambleError::Version));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read_now(&bytes);
        }
    }
}
