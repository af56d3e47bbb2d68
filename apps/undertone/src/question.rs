//! What a command asks the person, and the answer from standard input.
//!
//! A command may run in another process than the one that the person sits at: then question and answer go through the
//! home's socket, which only its user can open.

use std::{
    io::{self, BufRead, Read as _},
    thread,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::{
    failure::{Failure, Kind},
    output,
};

const WORDS: usize = 24;
/// The longest answer: 24 words, or a link.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// A question.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether the other device shows the same code.
    SameCode,
    /// The recovery words.
    Words,
    /// The name of the account, which is going to be deleted.
    Name,
    /// The link that another device shows.
    Link,
    /// Whether an address book is to be looked up.
    LookUp,
}

/// An answer, which may be a secret.
pub struct Answer(Zeroizing<String>);

impl Question {
    const fn text(self) -> &'static str {
        match self {
            Self::SameCode => "does the other device show the same code? Type `yes`, or anything else to stop",
            Self::Words => "type your 24 recovery words",
            Self::Name => "type the name of your account to delete it, or anything else to stop",
            Self::LookUp => "look them up? Type `yes`, or anything else to stop",
            Self::Link => "type the link that the other device shows",
        }
    }

    /// Asks it here. Where standard input has ended, the answer is empty.
    pub async fn ask(self) -> Result<Answer, Failure> {
        output::note(self.text());
        let (sender, answer) = oneshot::channel();
        // A thread of its own: nothing ends a read of standard input, and the runtime would wait for it.
        thread::spawn(move || sender.send(self.read(&mut io::stdin().lock())));
        answer.await.unwrap_or_else(|_| Ok(String::new().into()))
    }

    /// One line; of words as many lines as they need.
    fn read(self, input: &mut impl BufRead) -> Result<Answer, Failure> {
        let mut text = Zeroizing::new(Vec::new());
        let mut input = input.take(ANSWER_BYTES_MAX);
        loop {
            let read = input
                .read_until(b'\n', &mut text)
                .map_err(|error| Failure::io("standard input cannot be read", &error))?;
            let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
            let enough = self != Self::Words || words >= WORDS;
            if read == 0 || enough {
                break;
            }
        }
        let text = std::str::from_utf8(&text).map_err(|_| Failure::new(Kind::Usage, "the answer is not UTF-8"))?;
        Ok(text.trim().to_owned().into())
    }
}

impl Answer {
    /// Its text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it says yes.
    pub fn is_yes(&self) -> bool {
        ["y", "yes"].iter().any(|yes| self.0.eq_ignore_ascii_case(yes))
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(question: Question, mut input: &[u8]) -> (String, usize) {
        let answer = question.read(&mut input).unwrap();
        (answer.text().to_owned(), input.len())
    }

    #[test]
    fn an_answer_is_a_line() {
        assert_eq!(read(Question::SameCode, b" yes \nmore\n"), ("yes".to_owned(), 5));
        assert_eq!(read(Question::SameCode, b""), (String::new(), 0));
        assert_eq!(read(Question::Name, b"Ana\n").0, "Ana");
        assert_eq!(read(Question::Name, &[b'x'; 9_000]).0.len(), 4_096);
        assert!(Question::Name.read(&mut &b"\xff\n"[..]).is_err());
    }

    #[test]
    fn words_may_stand_on_several_lines() {
        let lines = "abandon ability\n\nable ".repeat(8);
        assert_eq!(read(Question::Words, format!("{lines}\nmore\n").as_bytes()), (lines.trim().to_owned(), 5));
        assert_eq!(read(Question::Words, b"one two").0, "one two");
    }

    #[test]
    fn only_yes_is_yes() {
        for (text, yes) in [("yes", true), ("Y", true), ("", false), ("yess", false), ("no", false), ("123 456", false)]
        {
            assert_eq!(Answer::from(text.to_owned()).is_yes(), yes);
        }
    }
}
