//! Every engine passes the one suite.

#![allow(clippy::unwrap_used)]

use tempfile::TempDir;
use undertone_store::{
    memory::{MemoryAccounts, MemoryBlobs, MemoryChannels},
    sqlite::{SqliteAccounts, SqliteBlobs, SqliteChannels},
};

mod memory {
    use super::*;

    mod accounts {
        use super::*;

        undertone_store::accounts_conformance!((MemoryAccounts::default(), ()));
    }

    mod channels {
        use super::*;

        undertone_store::channels_conformance!((MemoryChannels::default(), ()));
    }

    mod blobs {
        use super::*;

        undertone_store::blobs_conformance!((MemoryBlobs::default(), ()));
    }
}

mod sqlite {
    use super::*;

    mod accounts {
        use super::*;

        fn open() -> (SqliteAccounts, TempDir) {
            let dir = TempDir::new().unwrap();
            (SqliteAccounts::open(&dir.path().join("accounts.db")).unwrap(), dir)
        }

        undertone_store::accounts_conformance!(open());
    }

    mod channels {
        use super::*;

        fn open() -> (SqliteChannels, TempDir) {
            let dir = TempDir::new().unwrap();
            (SqliteChannels::open(&dir.path().join("channels.db")).unwrap(), dir)
        }

        undertone_store::channels_conformance!(open());
    }

    mod blobs {
        use super::*;

        fn open() -> (SqliteBlobs, TempDir) {
            let dir = TempDir::new().unwrap();
            (SqliteBlobs::open(&dir.path().join("blobs.db")).unwrap(), dir)
        }

        undertone_store::blobs_conformance!(open());
    }
}
