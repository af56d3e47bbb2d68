//! How a command fails: a kind for programs, which is the exit code, and a sentence for people.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use undertone_client::ClientError;
pub use undertone_client::Kind;

use crate::output;

/// Why a command did not do what was asked, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    #[serde(with = "KindName")]
    kind: Kind,
    message: String,
}

/// The kinds as JSON names them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Kind", rename_all = "snake_case")]
enum KindName {
    Failed,
    Usage,
    Network,
    Refused,
    NotFound,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A failure of the file system, with what was tried.
    pub fn io(tried: &str, error: &io::Error) -> Self {
        Self::new(Kind::Failed, format!("{tried}: {error}"))
    }

    /// Ended by a signal before it was done.
    pub fn interrupted() -> Self {
        Self::new(Kind::Failed, "interrupted; what was not done yet can be asked for again")
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Network => 3,
            Kind::Refused => 4,
            Kind::NotFound => 5,
        }
    }

    /// Says it on standard error, and returns the exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        let mut stderr = io::stderr().lock();
        // Where standard error is closed, the exit code has to do.
        let _ = writeln!(stderr, "error: {}", output::one_line(&self.message));
        if json {
            let _ = writeln!(stderr, "{}", serde_json::json!({ "error": self }));
        }
        ExitCode::from(self.exit_code())
    }
}

/// What clap has to say: help, the version, or what was wrong with the arguments.
pub fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let failed = error.exit_code() != 0;
    if failed && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::new(Kind::Usage, message);
        let _ = writeln!(io::stderr(), "{}", serde_json::json!({ "error": failure }));
    }
    if failed { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    /// A `Failure` inside keeps its kind; all else has simply failed.
    fn from(error: anyhow::Error) -> Self {
        let kind = error.downcast_ref::<Self>().map_or(Kind::Failed, |failure| failure.kind);
        Self::new(kind, format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn kinds_are_exit_codes_and_names() {
        let all = [
            (Kind::Failed, 1, "failed"),
            (Kind::Usage, 2, "usage"),
            (Kind::Network, 3, "network"),
            (Kind::Refused, 4, "refused"),
            (Kind::NotFound, 5, "not_found"),
        ];
        for (kind, code, name) in all {
            let failure = Failure::new(kind, "so");
            assert_eq!(failure.exit_code(), code);
            let json = serde_json::to_value(&failure).unwrap();
            assert_eq!(json, serde_json::json!({ "kind": name, "message": "so" }));
            assert_eq!(serde_json::from_value::<Failure>(json).unwrap(), failure);
        }
    }

    #[test]
    fn context_keeps_the_kind() {
        let error = Err::<(), _>(Failure::new(Kind::Refused, "no")).context("while asking").err().unwrap();
        assert_eq!(Failure::from(error), Failure::new(Kind::Refused, "while asking: no"));
    }
}
