use std::{sync::OnceLock, time::Duration};

use tokio::task::AbortHandle;
use undertone_client::Engine;

use super::showing::Showing;

/// How long a command that is done waits for what it left to the driver.
const DELIVER: Duration = Duration::from_secs(10);

/// An open home: its engine, and what its commands share.
pub struct Context {
    engine: Engine,
    showing: Showing,
    driver: OnceLock<AbortHandle>,
}

impl Context {
    /// Without a driver: a command that only looks at what is here does not show at the service.
    pub fn new(engine: Engine) -> Self {
        Self { engine, showing: Showing::new(), driver: OnceLock::new() }
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who prints which new message.
    pub const fn showing(&self) -> &Showing {
        &self.showing
    }

    /// Keeps the home in step with the service from now on.
    pub fn drive(&self) {
        self.driver.get_or_init(|| {
            let engine = self.engine.clone();
            tokio::spawn(async move { engine.run().await }).abort_handle()
        });
    }

    /// Gives what waits to be sent a chance to go. It is kept if it cannot.
    pub async fn deliver(&self) {
        self.drive();
        let _ = tokio::time::timeout(DELIVER, self.engine.sync()).await;
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.get() {
            driver.abort();
        }
    }
}
