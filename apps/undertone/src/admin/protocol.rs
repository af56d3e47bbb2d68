//! What an operator's process and the service say to each other: JSON, one object a line, one question a connection.
//!
//! ```text
//! operator: {"version":1,"ask":{"invite":{"uses":1,"days":7}}}     or "stats", {"view":{"limit":100}}, …
//! service:  {"line":…}                                             any number of times
//!           "done"                                                 or {"failed":"why, and what to do"}
//! ```

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use undertone_wire::AccountId;

use super::line::Line;

/// Version of this protocol. Both ends are the same program, but perhaps not of the same release.
const VERSION: u32 = 1;
/// A question: a few numbers.
pub const REQUEST_BYTES_MAX: usize = 4 << 10;
/// A line of an answer: a vault in hexadecimal, or a channel with [`LIMIT_MAX`] entries of some 80 bytes.
pub const REPLY_BYTES_MAX: usize = 512 << 10;

/// Accounts that one invite can be good for.
pub const USES_MAX: u32 = 10_000;
/// Days that an invite can hold for.
pub const DAYS_MAX: u32 = 365;
/// Accounts and channels in one view, and entries of each.
pub const LIMIT_MAX: u32 = 1_000;

/// A question with its version.
#[derive(Serialize, Deserialize)]
pub struct Request {
    version: u32,
    ask: Value,
}

/// What an operator can ask.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// A fresh invite.
    Invite {
        /// How many accounts can be made with it.
        uses: u32,
        /// For how many days from today it holds.
        days: u32,
    },
    /// Numbers.
    Stats,
    /// What the service knows.
    View {
        /// Of each thing at most so many.
        limit: u32,
    },
    /// All that is kept of an account, a page at a time.
    Publish {
        /// Its id in hexadecimal.
        account: String,
        /// Values that are known already.
        known: u32,
    },
    /// Whether tokens are issued to an account.
    Suspend {
        /// Its id in hexadecimal.
        account: String,
        /// No more, or again.
        suspended: bool,
    },
    /// What the directory is made of.
    Directory {
        /// A new base first, so that whoever is listed now is found at once.
        refresh: bool,
        /// Another key at the next start.
        new_key: bool,
    },
}

/// What the service says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A part of the answer.
    Line(Line),
    /// That was all.
    Done,
    /// There is no answer, or no more of it.
    Failed(String),
}

impl Request {
    /// Of this version.
    pub fn new(ask: &Ask) -> Self {
        // An enum of numbers and texts always has a JSON form.
        Self { version: VERSION, ask: serde_json::to_value(ask).unwrap_or_default() }
    }

    /// Reads a question from its line. The error is for whoever asked.
    pub fn parse(line: &[u8]) -> Result<Ask, String> {
        let Self { version, ask } = serde_json::from_slice(line)
            .map_err(|_| "this is no question: one line of JSON with `version` and `ask` is expected".to_owned())?;
        if version != VERSION {
            return Err(format!(
                "the service speaks version {VERSION} of the admin protocol, and was asked in version {version}: \
                 ask with the release that runs there, or restart the service"
            ));
        }
        let ask: Ask = serde_json::from_value(ask).map_err(|_| "the service does not know this question".to_owned())?;
        ask.check()?;
        Ok(ask)
    }
}

impl Ask {
    /// Holds the numbers against their limits.
    fn check(&self) -> Result<(), String> {
        let within = |what: &str, number: u32, max: u32| {
            if (1..=max).contains(&number) { Ok(()) } else { Err(format!("{what} is a number from 1 to {max}")) }
        };
        match self {
            Self::Invite { uses, days } => within("uses", *uses, USES_MAX).and(within("days", *days, DAYS_MAX)),
            Self::View { limit } => within("limit", *limit, LIMIT_MAX),
            Self::Publish { account, .. } | Self::Suspend { account, .. } => {
                AccountId::from_hex(account).map(drop).map_err(|_| "account is an id in hexadecimal".to_owned())
            }
            Self::Stats | Self::Directory { .. } => Ok(()),
        }
    }
}

/// Reads a line, without its end. None: there is no more.
///
/// # Errors
/// `InvalidData` when it is longer than `bytes_max`, `UnexpectedEof` when it was cut off.
pub async fn read_line(reader: &mut (impl AsyncBufRead + Unpin), bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // One byte more, for the end of the line.
    reader.take(bytes_max as u64 + 1).read_until(b'\n', &mut line).await?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() >= bytes_max => Err(io::ErrorKind::InvalidData.into()),
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes a line.
pub async fn write_line(writer: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_nothing_else() {
        for (line, ask) in [
            (r#"{"version":1,"ask":"stats"}"#, Ask::Stats),
            (r#"{"version":1,"ask":{"invite":{"uses":2,"days":3}}}"#, Ask::Invite { uses: 2, days: 3 }),
            (r#" {"ask":{"view":{"limit":1000}},"version":1} "#, Ask::View { limit: 1_000 }),
        ] {
            assert_eq!(Request::parse(line.as_bytes()), Ok(ask));
        }
        for (line, why) in [
            ("", "no question"),
            ("stats", "no question"),
            ("{}", "no question"),
            (r#"{"version":-1,"ask":"stats"}"#, "no question"),
            (r#"{"version":1}"#, "no question"),
            ("[[[[[[[[", "no question"),
            (r#"{"version":2,"ask":{"publish":{}}}"#, "version 2"),
            (r#"{"version":1,"ask":"publish"}"#, "does not know"),
            (r#"{"version":1,"ask":{"publish":{"account":"ab","known":0}}}"#, "hexadecimal"),
            (r#"{"version":1,"ask":{"suspend":{"account":"","suspended":true}}}"#, "hexadecimal"),
            (r#"{"version":1,"ask":{"invite":{"uses":1}}}"#, "does not know"),
            (r#"{"version":1,"ask":{"invite":{"uses":1,"days":1,"for":"bo"}}}"#, "does not know"),
            (r#"{"version":1,"ask":{"invite":{"uses":0,"days":1}}}"#, "from 1 to 10000"),
            (r#"{"version":1,"ask":{"invite":{"uses":1,"days":366}}}"#, "from 1 to 365"),
            (r#"{"version":1,"ask":{"view":{"limit":4294967295}}}"#, "from 1 to 1000"),
        ] {
            let refused = Request::parse(line.as_bytes()).err().unwrap();
            assert!(refused.contains(why), "{line}: {refused}");
        }
        assert!(Request::parse(b"\xff\xfe").is_err());
        let nested = "[".repeat(REQUEST_BYTES_MAX);
        assert!(Request::parse(format!(r#"{{"version":1,"ask":{nested}"#).as_bytes()).is_err());
    }

    #[test]
    fn what_we_ask_is_understood() {
        let line = serde_json::to_vec(&Request::new(&Ask::Invite { uses: 1, days: 7 })).unwrap();
        assert_eq!(line, br#"{"version":1,"ask":{"invite":{"days":7,"uses":1}}}"#);
        assert_eq!(Request::parse(&line), Ok(Ask::Invite { uses: 1, days: 7 }));
    }

    #[tokio::test]
    async fn lines_are_bounded() {
        let lines = async |bytes: &[u8]| {
            let mut reader = bytes;
            let mut read = Vec::new();
            loop {
                match read_line(&mut reader, 4).await {
                    Ok(Some(line)) => read.push(Ok(line)),
                    Ok(None) => return read,
                    Err(error) => {
                        read.push(Err(error.kind()));
                        return read;
                    }
                }
            }
        };
        assert_eq!(lines(b"").await, []);
        assert_eq!(lines(b"abcd\n\nab\n").await, [Ok(b"abcd".to_vec()), Ok(vec![]), Ok(b"ab".to_vec())]);
        assert_eq!(lines(b"abcde\n").await, [Err(io::ErrorKind::InvalidData)]);
        assert_eq!(lines(b"abcdefghi").await, [Err(io::ErrorKind::InvalidData)]);
        assert_eq!(lines(b"abc").await, [Err(io::ErrorKind::UnexpectedEof)]);
    }
}
