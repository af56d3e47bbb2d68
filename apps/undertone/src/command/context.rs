use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;
use undertone_client::Engine;

use super::showing::Showing;

/// How long a command that is done waits for what it left to the driver.
const DELIVER: Duration = Duration::from_secs(10);

/// An open home: its engine, and what its commands share.
pub struct Context {
    engine: Engine,
    showing: Showing,
    driver: Mutex<Option<JoinHandle<()>>>,
}

impl Context {
    /// Without a driver: a command that only looks at what is here does not show at the service.
    pub fn new(engine: Engine) -> Self {
        Self { engine, showing: Showing::new(), driver: Mutex::default() }
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
        self.driver().get_or_insert_with(|| {
            let engine = self.engine.clone();
            tokio::spawn(async move { engine.run().await })
        });
    }

    /// Whether it is kept in step by now.
    pub fn is_driven(&self) -> bool {
        self.driver().is_some()
    }

    /// Gives what waits to be sent a chance to go, where nobody else does. It is kept if it cannot.
    pub async fn deliver(&self) {
        if !self.is_driven() && self.engine.waits().unwrap_or(false) {
            self.drive();
            let _ = tokio::time::timeout(DELIVER, self.engine.sync()).await;
        }
    }

    /// Stays until what a change has left to be told is told, for a while: those who were invited hear of it by letters.
    pub async fn tell(&self) {
        let told = async { while self.engine.sync().await.is_ok() && self.engine.waits().unwrap_or(false) {} };
        let _ = tokio::time::timeout(DELIVER, told).await;
    }

    /// Ends the driver, so that nobody but our caller holds the engine.
    pub async fn stop(&self) {
        let driver = self.driver().take();
        if let Some(driver) = driver {
            driver.abort();
            let _ = driver.await;
        }
    }

    fn driver(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
