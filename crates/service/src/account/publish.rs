//! All that is kept of an account, for its owner and for its operator: they see the same.

use undertone_store::{Accounts, StoreError, StoredValue, Value, ValuesPage};
use undertone_wire::{
    AccountId,
    account::{PublishReply, Row, row},
    circuit::Fault,
    limits::PAGE_BYTES_MAX,
};

use super::AccountPlane;
use crate::fault;

/// Values in one page: with their names they take less than 64 bytes each beside what stands in them, and so all of them
/// fit a frame.
const PAGE_VALUES_MAX: u32 = 512;

impl<A: Accounts> AccountPlane<A> {
    /// A page of what is kept of an account, after `known` values.
    ///
    /// # Errors
    /// The store's.
    pub async fn values(&self, account: AccountId, known: u32) -> Result<ValuesPage, StoreError> {
        self.store.values(account, known, PAGE_VALUES_MAX, PAGE_BYTES_MAX).await
    }

    pub(super) async fn publish(&self, account: AccountId, known: u32) -> Result<PublishReply, Fault> {
        let ValuesPage { values, more } = self.values(account, known).await.map_err(fault::store)?;
        Ok(PublishReply { rows: values.into_iter().map(row).collect(), more })
    }
}

fn row(stored: StoredValue) -> Row {
    let StoredValue { table, column, value } = stored;
    let value = match value {
        Value::Null => None,
        Value::Number(number) => Some(row::Value::Number(number)),
        Value::Data(data) => Some(row::Value::Data(data)),
    };
    Row { table, column, value }
}
