//! What a guest and the host of a home say to each other: JSON, one object a line.
//!
//! ```text
//! guest: {"hello":2}                         host: {"hello":2}
//! guest: {"run":{"json":true,"command":…}}   host: "begun"
//!                                            host: {"print":"…"}     guest: "printed"      any number of times
//!                                            host: {"note":"…"}
//!                                            host: {"ask":"words"}   guest: {"answer":"…"}  any number of times
//!                                            host: {"done":null}     or {"done":{"kind":…,"message":…}}
//! ```
//!
//! Then the next `run`. A guest that goes away in between cancels its command. A host that goes away before `begun` has
//! done nothing; between `begun` and `done`, perhaps something.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use undertone_wire::limits::TEXT_BYTES_MAX;
use zeroize::Zeroizing;

use crate::{
    command::Command,
    failure::Failure,
    question::{Answer, Question},
};

/// Version of this protocol. Both ends are the same program, but perhaps not of the same release.
pub const VERSION: u32 = 2;

/// A line: the longest text, each byte of which may become seven when JSON is quoted in JSON, or a large address book; and
/// some words around it.
pub const LINE_BYTES_MAX: usize = 16 << 20;
const _: () = assert!(LINE_BYTES_MAX > 7 * TEXT_BYTES_MAX + (8 << 10));

/// What a guest says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromGuest {
    /// First: its version.
    Hello(u32),
    /// A command.
    Run {
        /// Whether the lines are for a program.
        json: bool,
        /// The command.
        command: Command,
    },
    /// The line has been written and flushed.
    Printed,
    /// What the person answers.
    Answer(Answer),
}

/// What the host says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHost {
    /// First: its version.
    Hello(u32),
    /// The command was understood, and from now on something may be done.
    Begun,
    /// A line for standard output; the host waits until it is printed.
    Print(String),
    /// A note for standard error.
    Note(String),
    /// A question to the person; the host waits for the answer.
    Ask(Question),
    /// How the command ended.
    Done(Option<Failure>),
}

/// Reads lines, which may hold secrets. Dropping a read loses nothing.
pub struct Lines<R> {
    reader: BufReader<R>,
    line: Zeroizing<Vec<u8>>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// From the beginning.
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Zeroizing::default() }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// `InvalidData` when it is too long or not what is spoken here.
    pub async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let (piece, used) = match end {
                Some(end) => (available.get(..end).unwrap_or_default(), end + 1),
                None => (available, available.len()),
            };
            self.line.extend_from_slice(piece);
            self.reader.consume(used);
            if self.line.len() > LINE_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let message = serde_json::from_slice(&line);
                return message.map(Some).map_err(|_| io::ErrorKind::InvalidData.into());
            }
        }
    }
}

/// Writes a line.
pub async fn write<T: Serialize>(writer: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    let line = serde_json::to_vec(message).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut line = Zeroizing::new(line);
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<FromGuest>> {
        Lines::new(bytes).next().await
    }

    #[tokio::test]
    async fn lines_are_read_in_pieces_and_bounded() {
        let (mut near, far) = tokio::io::duplex(5);
        let text = "\u{1}".repeat(TEXT_BYTES_MAX);
        let sent = FromHost::Print(serde_json::json!({ "body": text }).to_string());
        let reader = tokio::spawn(async move { Lines::new(far).next::<FromHost>().await });
        write(&mut near, &sent).await.unwrap();
        let Ok(Ok(Some(FromHost::Print(line)))) = reader.await else { panic!("the longest line does not pass") };
        assert!(line.len() > 6 * TEXT_BYTES_MAX);
        assert_eq!(read(&vec![b' '; LINE_BYTES_MAX + 1]).await.err().unwrap().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn nonsense_is_an_error() {
        for bytes in [&b"\n"[..], b"{}\n", b"{\"run\":1}\n", b"\xff\n", b"{\"hello\":-1}\n", b"[[[[[[[[\n"] {
            assert_eq!(read(bytes).await.err().unwrap().kind(), io::ErrorKind::InvalidData);
        }
        assert!(read(b"{\"hello\":1").await.unwrap().is_none(), "a line that was cut off is the end");
    }
}
