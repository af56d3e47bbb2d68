//! Every engine passes the one suite.

#![allow(clippy::unwrap_used)]

use tempfile::TempDir;
use undertone_store::{
    memory::{MemoryAccounts, MemoryChannels},
    sqlite::{SqliteAccounts, SqliteChannels},
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
}
