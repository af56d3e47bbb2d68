//! How failures are told on the wire.

use undertone_credentials::CredentialError;
use undertone_store::StoreError;
use undertone_wire::circuit::{Code, Fault};

/// The store is busy or restarts: soon it will not.
const STORE_RETRY_MS: u32 = 1_000;
/// Somebody has to free a disk or mend a file first.
const OPERATOR_RETRY_MS: u32 = 5 * 60_000;
/// An inbox or a channel is full until its owners read or its entries expire.
const FULL_RETRY_MS: u32 = 60 * 60_000;

/// A store's failure.
pub fn store(error: StoreError) -> Fault {
    match error {
        StoreError::NotApplied => Fault::from(Code::Unavailable).retry_after_ms(STORE_RETRY_MS),
        StoreError::Unknown => Code::Unknown.into(),
        _ => unusable(),
    }
}

/// What is stored is not what was checked when it was stored.
pub fn unusable() -> Fault {
    Fault::from(Code::Unavailable).retry_after_ms(OPERATOR_RETRY_MS)
}

/// No room.
pub fn full() -> Fault {
    Fault::from(Code::Exhausted).retry_after_ms(FULL_RETRY_MS)
}

/// Tokens are missing, or too few, or one of them is no good.
pub fn price(tokens: usize) -> Fault {
    Fault { tokens: u32::try_from(tokens).unwrap_or(u32::MAX), ..Code::Token.into() }
}

/// A proof of who asks that does not check.
pub fn proof(error: CredentialError) -> Fault {
    credential(error, Code::Unauthenticated)
}

/// A signed object that does not check, brought by somebody who has proven himself: to prove himself again would not
/// help him.
pub fn object(error: CredentialError) -> Fault {
    credential(error, Code::Forbidden)
}

fn credential(error: CredentialError, unproven: Code) -> Fault {
    match error {
        CredentialError::Signature | CredentialError::NoDevice => unproven,
        CredentialError::Newer => Code::Unsupported,
        _ => Code::Malformed,
    }
    .into()
}
