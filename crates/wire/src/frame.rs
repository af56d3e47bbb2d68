//! Frames as bytes: length as u32, big-endian, then the protobuf.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

use crate::circuit::{Frame, Hello, frame};

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than the reader allows at this point.
    #[error("a frame is longer than allowed")]
    TooLong,
    /// Not the protobuf that it should be.
    #[error("a frame does not parse")]
    Malformed,
}

const LENGTH: usize = 4;

/// The bytes of a frame.
pub fn encode(id: u32, kind: frame::Kind) -> Bytes {
    let frame = Frame { id, kind: Some(kind) };
    let length = frame.encoded_len();
    let mut out = BytesMut::with_capacity(LENGTH + length);
    // What we send is bounded by `limits`; a reader with other limits refuses it by its length alone.
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.encode_raw(&mut out);
    out.freeze()
}

/// Takes the first whole frame out of `buffer`, or none if more bytes must come first. An unknown kind of frame is
/// skipped by the caller: its `kind` is none.
///
/// # Errors
/// The circuit is then of no further use.
pub fn decode(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Frame>, FrameError> {
    let Some((length, _)) = buffer.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > bytes_max {
        return Err(FrameError::TooLong);
    }
    if buffer.len() < LENGTH + length {
        return Ok(None);
    }
    buffer.advance(LENGTH);
    Frame::decode(buffer.split_to(length).freeze()).map(Some).map_err(|_| FrameError::Malformed)
}

/// Pads a Hello to [`HELLO_BYTES`], so that its length tells nothing.
#[must_use]
pub fn padded_hello(mut hello: Hello) -> Hello {
    // One byte of tag and at most two of length stand before the padding itself.
    let missing = HELLO_BYTES.saturating_sub(hello.encoded_len() + 3);
    hello.padding = vec![0; missing].into();
    hello
}

/// Length of an encoded Hello.
pub const HELLO_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{circuit::Request, limits};

    proptest! {
        #[test]
        fn round_trip_in_pieces(id: u32, body in proptest::collection::vec(any::<u8>(), 0..2_000), cut in 0usize..2_000) {
            let kind = frame::Kind::Request(Request { method: 3, body: body.into(), deadline_ms: 9 });
            let bytes = encode(id, kind.clone());
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut buffer = BytesMut::from(first);
            if !second.is_empty() {
                prop_assert!(decode(&mut buffer, limits::FRAME_BYTES_MAX).unwrap().is_none());
                buffer.extend_from_slice(second);
            }
            let frame = decode(&mut buffer, limits::FRAME_BYTES_MAX).unwrap().unwrap();
            prop_assert!(frame.id == id && frame.kind == Some(kind) && buffer.is_empty());
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decode(&mut buffer, 512) {}
        }
    }

    #[test]
    fn hellos_are_of_one_length() {
        let short = padded_hello(Hello { kind: 1, ..Hello::default() });
        let long = padded_hello(Hello {
            kind: 3,
            protocol_min: 1,
            protocol_max: 300,
            features: (0..40).collect(),
            ..Hello::default()
        });
        assert_eq!(short.encoded_len(), HELLO_BYTES);
        assert_eq!(long.encoded_len(), HELLO_BYTES);
    }

    #[test]
    fn a_frame_may_be_as_long_as_is_allowed() {
        let bytes = encode(1, frame::Kind::Ping(7));
        let max = bytes.len() - LENGTH;
        assert!(decode(&mut BytesMut::from(&bytes[..]), max).unwrap().is_some());
        assert!(decode(&mut BytesMut::from(&bytes[..]), max - 1).err() == Some(FrameError::TooLong));
    }

    #[test]
    fn too_long_is_known_before_it_is_read() {
        let mut buffer = BytesMut::from(&1_000_000u32.to_be_bytes()[..]);
        assert!(matches!(decode(&mut buffer, limits::FRAME_BYTES_MAX), Err(FrameError::TooLong)));
    }
}
