//! Other people's text on our terminal: it may say anything, and do nothing.
//!
//! A terminal obeys control characters, and bidirectional overrides make text read as what it is not. Both are made
//! visible. Everything else is left as it was written: joiners and direction marks belong to real languages and emoji.

/// Text for one line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| visible(c).unwrap_or_else(|| c.to_string())).collect()
}

/// Text of any number of lines, of which all but the first are indented, so that none looks like the next message.
pub fn block(text: &str) -> String {
    text.replace("\r\n", "\n").split('\n').map(one_line).collect::<Vec<_>>().join("\n    ")
}

/// How a character is shown that must not reach a terminal.
fn visible(c: char) -> Option<String> {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).map(String::from),
        '\x7f' => Some('\u{2421}'.into()),
        // C1 controls, line and paragraph separators, embeddings, overrides and isolates.
        '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(format!("<U+{:04X}>", u32::from(c)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_and_directions_obey_nobody() {
        assert_eq!(one_line("\x1b[2J\x07\x7f\u{9b}31m"), "␛[2J␇␡<U+009B>31m");
        assert_eq!(one_line("gpj.\u{202e}exe\u{2066}"), "gpj.<U+202E>exe<U+2066>");
        assert_eq!(one_line("a\r\nb\u{2028}c"), "a␍␊b<U+2028>c");
    }

    #[test]
    fn languages_are_left_alone() {
        for text in ["Žofie", "שלום\u{200f}!", "👩\u{200d}👩\u{200d}👧", "क्\u{200d}ष", "e\u{301}"] {
            assert_eq!(one_line(text), text);
        }
    }

    #[test]
    fn no_line_looks_like_a_message() {
        assert_eq!(block("hi\n2026-11-22 Bo: forged\r\n"), "hi\n    2026-11-22 Bo: forged\n    ");
    }
}
