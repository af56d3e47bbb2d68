//! From bytes to characters: the encodings that address books come in.

/// UTF-8, or UTF-16 behind its mark, as spreadsheets write it; anything else is read as Latin-1.
pub fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => decode_plain(rest),
    }
}

/// Without a mark.
pub fn decode_plain(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, _) = bytes.as_chunks();
    char::decode_utf16(units.iter().map(|bytes| unit(*bytes)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let utf16 = |to: fn(u16) -> [u8; 2]| "\u{feff}Zoë".encode_utf16().flat_map(to).collect::<Vec<_>>();
        for bytes in [
            &b"Zo\xc3\xab"[..],
            b"\xef\xbb\xbfZo\xc3\xab",
            b"Zo\xeb",
            &utf16(u16::to_le_bytes),
            &utf16(u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes), "Zoë");
        }
        assert_eq!(decode(b"\xff\xfe\x00"), "");
        assert_eq!(decode(b""), "");
    }
}
