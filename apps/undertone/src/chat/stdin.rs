//! Standard input, line by line, without keeping the process from ending.

use std::{
    io::{self, BufRead, Read as _},
    thread,
};

use tokio::sync::mpsc;
use undertone_wire::limits::TEXT_BYTES_MAX;

use crate::{
    command::check_length,
    failure::{Failure, Kind},
};

/// Lines that can be messages, without their ends; then, at the first that cannot, why.
pub fn lines() -> mpsc::Receiver<Result<String, Failure>> {
    let (sender, receiver) = mpsc::channel(1);
    // A thread of its own: nothing ends a read of standard input, and the runtime would wait for it.
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        for number in 1.. {
            let Some(line) = next(&mut input, number).transpose() else { return };
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// The next line, of which no more is held than a message may have.
fn next(input: &mut impl BufRead, number: u64) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let longest = TEXT_BYTES_MAX as u64 + 2;
    let read = input
        .by_ref()
        .take(longest)
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::io("standard input cannot be read", &error))?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    let place = |failure: Failure| Failure::new(failure.kind(), format!("line {number} of standard input: {failure}"));
    let text = String::from_utf8(line).map_err(|_| place(Failure::new(Kind::Usage, "it is not UTF-8")))?;
    check_length(&text).map_err(place)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Result<String, u8>> {
        let mut found = Vec::new();
        for number in 1.. {
            match next(&mut input, number) {
                Ok(None) => break,
                Ok(Some(line)) => found.push(Ok(line)),
                Err(failure) => {
                    found.push(Err(failure.exit_code()));
                    break;
                }
            }
        }
        found
    }

    #[test]
    fn lines_are_messages() {
        assert_eq!(all(b"one\n\n two\r\nlast"), ["one", "", " two\r", "last"].map(|line| Ok(line.to_owned())));
        assert_eq!(all(b""), []);
        assert_eq!(all(b"ok\n\xff\nnever"), [Ok("ok".to_owned()), Err(2)]);
    }

    #[test]
    fn a_line_without_end_is_not_held() {
        let longest = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(all(format!("{longest}\n{longest}").as_bytes()), [Ok(longest.clone()), Ok(longest.clone())]);
        assert_eq!(all(format!("{longest}y").as_bytes()), [Err(2)]);
        assert_eq!(all(&vec![b'x'; 10 * TEXT_BYTES_MAX]), [Err(2)]);
    }
}
