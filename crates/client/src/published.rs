//! What the service keeps of our account, as it says itself.

use undertone_wire::account::{PublishRequest, Row, row};

use crate::{ClientError, Engine, Result, view::Kept};

/// Rows are counted by 32 bits, and no account has so many; whoever says that there are more goes on without end.
const ROWS_MAX: usize = 1 << 20;

impl Engine {
    /// Every value that the service keeps of our account, as it says.
    ///
    /// # Errors
    /// When the service was not reached.
    pub async fn published(&self) -> Result<Vec<Kept>> {
        let own = self.shared.own()?;
        let circuit = self.shared.authenticated(&own).await?;
        let mut kept = Vec::new();
        loop {
            let after = u32::try_from(kept.len()).unwrap_or(u32::MAX);
            let page = circuit.call(PublishRequest { after }).await?;
            let nothing = page.rows.is_empty();
            kept.extend(page.rows.into_iter().map(Kept::from));
            if kept.len() > ROWS_MAX || (nothing && page.more) {
                return Err(ClientError::Refused("its answer makes no sense"));
            }
            if !page.more {
                return Ok(kept);
            }
        }
    }
}

impl From<Row> for Kept {
    fn from(Row { table, column, value }: Row) -> Self {
        let (number, data) = match value {
            Some(row::Value::Number(number)) => (Some(number), None),
            Some(row::Value::Data(data)) => (None, Some(data)),
            None => (None, None),
        };
        Self { table, column, number, data }
    }
}
